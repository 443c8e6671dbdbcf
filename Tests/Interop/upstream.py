"""A LiteLLM, and a direct API, that see exactly which calls are open at any time.

It runs on a thread of its own, in this process, so that tests can look at it and tell it what to do.
"""

import asyncio
import json
import threading
from collections import Counter
from contextlib import contextmanager

from conftest import DEADLINE

ANSWER = {"choices": [{"message": {"role": "assistant", "content": "done"}, "finish_reason": "stop"}]}


class Upstream:
    """By default every completion is answered after `pause` seconds; `decide` may say something else for a text.

    It gives a status with headers, or None for an answer that does not come before `free`.
    """

    def __init__(self) -> None:
        self.pause = 0.0
        self.decide = lambda text: (200, {})
        # What is sent of an answer that does not come.
        self.beginning = b""
        self.freed = asyncio.Event()
        self.open = Counter()
        self.begun = Counter()
        self.answered = Counter()
        self.order: list[str] = []
        self.twice: list[str] = []
        self.loop = asyncio.new_event_loop()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def variables(self) -> dict[str, str]:
        """What a server needs to have this one for everything, without a backup key."""
        return {"LITELLM_URL": self.url, "LITELLM_API_KEY": "sk-test", "DIRECT_API_URL": self.url,
                "BRAINSTEM_URL": self.url}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await self.head(reader):
                length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
                body = await reader.readexactly(length)
                await self.answer(body, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    @staticmethod
    async def head(reader: asyncio.StreamReader) -> bytes:
        try:
            return await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return b""

    async def answer(self, body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        text = json.loads(body)["messages"][-1]["content"] if body else ""
        if self.open[text] and body and text != "ping":
            self.twice.append(text)
        self.open[text] += 1
        self.begun[text] += 1
        self.order.append(text)
        try:
            decided = self.decide(text) if body else (200, {})
            # The end of the connection comes before the end of the pause, if the caller gives up.
            gone = asyncio.ensure_future(reader.read(1))
            waits = [gone]
            if decided is None:
                writer.write(self.beginning)
                waits.append(asyncio.ensure_future(self.freed.wait()))
            timeout = None if decided is None else self.pause if body else 0
            done, _ = await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
            if gone in done:
                raise ConnectionError("the caller went away")
            await asyncio.wait(waits)
            status, headers = decided or (200, {})
            payload = json.dumps(ANSWER if status == 200 else {"error": {"message": "no"}}).encode()
            lines = [f"HTTP/1.1 {status} X", f"content-length: {len(payload)}", "content-type: application/json"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            if status == 200:
                self.answered[text] += 1
            self.open[text] -= 1
            text = None
            writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + payload)
            await writer.drain()
        finally:
            if text is not None:
                self.open[text] -= 1

    def free(self) -> None:
        """Answers from now on what would not be answered."""
        self.loop.call_soon_threadsafe(self.freed.set)

    def busy(self) -> list[str]:
        """Texts of the calls that are open."""
        return [text for text, count in list(self.open.items()) if count > 0]


@contextmanager
def upstream():
    world = Upstream()
    started = threading.Event()

    async def main() -> None:
        world.stop = asyncio.Event()
        server = await asyncio.start_server(world.serve, "127.0.0.1", 0)
        world.port = server.sockets[0].getsockname()[1]
        started.set()
        await world.stop.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    thread = threading.Thread(target=world.loop.run_until_complete, args=(main(),))
    thread.start()
    try:
        assert started.wait(DEADLINE)
        yield world
    finally:
        world.loop.call_soon_threadsafe(world.stop.set)
        thread.join(DEADLINE)
        world.loop.close()
