"""Stands between an MCP client and a server and writes down every message, without changing a byte.

    mcp_tap.py LOG tcp HOST PORT          WebSocket and HTTP; says `listening on PORT`, SIGUSR1 cuts all connections
    mcp_tap.py LOG stdio COMMAND ...      a command whose standard input and output carry MCP

LOG gets one JSON object a line, see `Log`. mcp_schema.py holds them against the official schemas.
"""

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

# What a parser of a stream gives: what came, with its details.
Event = tuple[str, dict]
# Of HTTP's headers, those that say something about MCP.
TOLD = ("mcp-session-id", "mcp-protocol-version", "mcp-method", "mcp-name", "content-type", "last-event-id")


class Log:
    """Lines `{link, by, text}`: a message of one connection, or of one launched process.

    HTTP adds `exchange` (a number for each request), and lines `{link, by, exchange, head}` with what the
    request or the answer began with. Whole lines are appended at once, so that processes can share a file.
    """

    def __init__(self, path: str) -> None:
        self.file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, **line: object) -> None:
        os.write(self.file, json.dumps(line).encode() + b"\n")


# HTTP/1.1


def http_events(is_answer: bool) -> Iterator:
    """A coroutine of one direction: is sent bytes, yields the events that they complete.

    `head` with `start` and `headers`, then `body` pieces with `data`, then `end`. What follows a 101 comes
    as `raw`.
    """
    buffer = b""
    events: list[Event] = []

    def line() -> Iterator:
        nonlocal buffer, events
        while b"\r\n" not in buffer:
            buffer += yield from more()
        taken, _, buffer = buffer.partition(b"\r\n")
        return taken

    def more() -> Iterator:
        nonlocal events
        told, events = events, []
        return (yield told)

    def exactly(count: int) -> Iterator:
        nonlocal buffer
        while count:
            if not buffer:
                buffer += yield from more()
            piece, buffer = buffer[:count], buffer[count:]
            count -= len(piece)
            if piece:
                events.append(("body", {"data": piece}))

    while True:
        start = (yield from line()).decode("latin-1")
        headers = {}
        while header := (yield from line()):
            name, _, value = header.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        events.append(("head", {"start": start, "headers": headers}))
        status = start.split(" ")[1] if is_answer else ""
        if status == "101":
            while True:
                if buffer:
                    events.append(("raw", {"data": buffer}))
                buffer = yield from more()
        if headers.get("transfer-encoding", "").lower() == "chunked":
            while size := int((yield from line()).split(b";")[0], 16):
                yield from exactly(size)
                yield from line()
            while (yield from line()):
                pass
        elif "content-length" in headers:
            yield from exactly(int(headers["content-length"]))
        elif is_answer and status not in ("204", "304"):
            while True:  # until the connection ends
                yield from exactly(1 << 60)
        events.append(("end", {}))


class Parser:
    def __init__(self, generator: Iterator) -> None:
        self.generator = generator
        next(self.generator)

    def feed(self, data: bytes) -> list[Event]:
        return self.generator.send(data) if data else []


class EventStream:
    """Server-sent events out of the pieces of a body."""

    def __init__(self) -> None:
        self.buffer = b""

    def feed(self, data: bytes) -> Iterator[dict[str, str]]:
        self.buffer += data.replace(b"\r\n", b"\n")
        while b"\n\n" in self.buffer:
            block, _, self.buffer = self.buffer.partition(b"\n\n")
            event: dict[str, str] = {}
            for line in block.decode().split("\n"):
                name, _, value = line.partition(":")
                value = value.removeprefix(" ")
                event[name] = f"{event[name]}\n{value}" if name in event else value
            yield event


# WebSocket


class Frames:
    """Whole text messages out of one direction of a WebSocket."""

    def __init__(self) -> None:
        self.buffer = b""
        self.message = b""

    def feed(self, data: bytes) -> Iterator[str]:
        self.buffer += data
        while (frame := self.frame()) is not None:
            opcode, is_final, payload = frame
            if opcode >= 8:
                continue
            self.message += payload
            if is_final:
                text, self.message = self.message.decode(), b""
                yield text

    def frame(self) -> tuple[int, bool, bytes] | None:
        head, at = self.buffer, 2
        if len(head) < 2:
            return None
        length, is_masked = head[1] & 0x7F, bool(head[1] & 0x80)
        extra = {126: 2, 127: 8}.get(length, 0)
        if len(head) < at + extra + 4 * is_masked:
            return None
        if extra:
            length = int.from_bytes(head[at:at + extra], "big")
        at += extra
        mask = head[at:at + 4] if is_masked else b""
        at += len(mask)
        if len(head) < at + length:
            return None
        payload = head[at:at + length]
        if mask:
            payload = bytes(byte ^ mask[number % 4] for number, byte in enumerate(payload))
        self.buffer = head[at + length:]
        return head[0] & 0x0F, bool(head[0] & 0x80), payload


# Sockets


class Connection:
    """What is understood of one connection while its bytes go by."""

    def __init__(self, log: Log, link: str, exchanges: Callable[[], int]) -> None:
        self.log, self.link, self.exchanges = log, link, exchanges
        self.parsers = {"client": Parser(http_events(False)), "server": Parser(http_events(True))}
        self.frames: dict[str, Frames] | None = None
        self.bodies = {"client": b"", "server": b""}
        self.stream: EventStream | None = None
        self.exchange = 0

    def saw(self, by: str, data: bytes) -> None:
        if self.frames:
            self.messages(by, data)
            return
        for kind, details in self.parsers[by].feed(data):
            getattr(self, f"http_{kind}")(by, **details)

    def messages(self, by: str, data: bytes) -> None:
        for text in self.frames[by].feed(data):
            self.log.write(link=self.link, by=by, text=text)

    def http_head(self, by: str, start: str, headers: dict[str, str]) -> None:
        if by == "client":
            self.exchange = self.exchanges()
        self.stream = None
        if by == "server" and headers.get("content-type", "").startswith("text/event-stream"):
            self.stream = EventStream()
        told = {name: headers[name] for name in TOLD if name in headers}
        self.log.write(link=self.link, by=by, exchange=self.exchange, head={"start": start, **told})
        if by == "server" and start.split(" ")[1] == "101":
            self.frames = {"client": Frames(), "server": Frames()}

    def http_body(self, by: str, data: bytes) -> None:
        if by == "server" and self.stream:
            for event in self.stream.feed(data):
                if event.get("data"):
                    self.log.write(link=self.link, by=by, exchange=self.exchange, text=event["data"])
        else:
            self.bodies[by] += data

    def http_end(self, by: str) -> None:
        body, self.bodies[by] = self.bodies[by], b""
        if body:
            self.log.write(link=self.link, by=by, exchange=self.exchange, text=body.decode())

    def http_raw(self, by: str, data: bytes) -> None:
        self.messages(by, data)


async def relay(log: Log, host: str, port: int) -> None:
    links, exchanges = itertools.count(1), itertools.count(1)
    open_writers: set[asyncio.StreamWriter] = set()

    def cut() -> None:
        for writer in open_writers:
            writer.transport.abort()

    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, cut)

    async def pump(
        by: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: Connection
    ) -> None:
        try:
            while data := await reader.read(65_536):
                connection.saw(by, data)
                writer.write(data)
                await writer.drain()
        except OSError:
            pass  # a reset ends the other side as well
        finally:
            writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        connection = Connection(log, f"tcp-{next(links)}", lambda: next(exchanges))
        both = {writer, upstream_writer}
        open_writers.update(both)
        await asyncio.gather(
            pump("client", reader, upstream_writer, connection), pump("server", upstream_reader, writer, connection))
        open_writers.difference_update(both)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    print(f"listening on {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


# Standard input and output


def launch(log: Log, command: list[str]) -> int:
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    link = f"stdio-{os.getpid()}"

    def pump(by: str, source, sink) -> None:
        try:
            for line in source:
                log.write(link=link, by=by, text=line.decode(errors="replace").rstrip("\r\n"))
                sink.write(line)
                sink.flush()
            sink.close()
        except OSError:
            pass  # the other side is gone; its end is waited for below

    threading.Thread(target=pump, args=("client", sys.stdin.buffer, child.stdin), daemon=True).start()
    pump("server", child.stdout, sys.stdout.buffer)
    code = child.wait()
    os._exit(code if code >= 0 else 128 - code)  # the other thread may still be reading


if __name__ == "__main__":
    path, kind, *rest = sys.argv[1:]
    if kind == "tcp":
        asyncio.run(relay(Log(path), rest[0], int(rest[1])))
    else:
        launch(Log(path), rest)
