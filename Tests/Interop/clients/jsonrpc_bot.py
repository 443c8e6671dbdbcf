"""A bot in JSON-RPC, as one is written with websockets: answers are matched by their ids, several
requests wait at one time, and what nobody waits for is dropped.
"""

import asyncio
import itertools
import json
import sys

import websockets


class Orchestrator:
    def __init__(self, socket: websockets.ClientConnection) -> None:
        self.socket = socket
        self.numbers = itertools.count(1)
        self.waiting: dict[object, asyncio.Future] = {}
        self.reader = asyncio.create_task(self.read())

    async def read(self) -> None:
        try:
            async for text in self.socket:
                try:
                    answer = json.loads(text) if isinstance(text, str) else None
                except ValueError:
                    continue
                if isinstance(answer, dict) and "method" not in answer:
                    self.take(answer)
        finally:
            for future in self.waiting.values():
                if not future.done():
                    future.set_exception(ConnectionError("the connection was lost"))

    def take(self, answer: dict) -> None:
        identity = answer.get("id")
        # True is 1 for a dictionary, and no id.
        future = self.waiting.pop(identity, None) if type(identity) is int else None
        if future is None or future.done():
            return
        if "error" in answer:
            future.set_exception(RuntimeError(answer["error"]["message"]))
        else:
            future.set_result(answer["result"])

    async def ask(self, method: str, **params: object) -> dict:
        number = next(self.numbers)
        future = self.waiting[number] = asyncio.get_running_loop().create_future()
        await self.socket.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))
        return await asyncio.wait_for(future, 4)


async def main(url: str) -> int:
    async with websockets.connect(url, max_size=2**20 + 1) as socket:
        server = Orchestrator(socket)
        await asyncio.gather(server.ask("ping"), server.ask("system_status"))
        told = (await server.ask("subscribe", topics=["tasks"]))["subscription_id"]
        task = (await server.ask("create_task", description="say hello", wait=False))["task_id"]
        await server.ask("get_task_status", task_id=task)
        await server.ask("list_tasks", limit=5)
        await server.ask("cancel_task", task_id=task)
        await server.ask("unsubscribe", subscription_id=told)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main(sys.argv[1])))
    except (RuntimeError, OSError, TimeoutError, websockets.WebSocketException) as error:
        print(f"jsonrpc_bot: {error}", file=sys.stderr)
        sys.exit(1)
