"""A bot in the bare dialect, as one is written with websockets: asks each method once, and ends.

Nothing is known to it but what it was told: the task that it asks about is the one that it made.
"""

import asyncio
import json
import sys

import websockets


async def main(url: str) -> int:
    async with websockets.connect(url, max_size=2**20 + 1) as socket:

        async def ask(method: str, **params: object) -> object:
            await socket.send(json.dumps({"method": method, "params": params}))
            while True:
                text = await asyncio.wait_for(socket.recv(), 4)
                if isinstance(text, bytes):
                    continue
                try:
                    answer = json.loads(text)
                except ValueError:
                    continue
                if "error" in answer:
                    raise RuntimeError(answer["error"])
                return answer["result"]

        assert await ask("ping") == "pong"
        task = (await ask("create_task", description="say hello", wait=False))["task_id"]
        await ask("get_task_status", task_id=task)
        await ask("list_tasks", limit=5)
        await ask("cancel_task", task_id=task)
        await ask("system_status")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main(sys.argv[1])))
    except (RuntimeError, OSError, TimeoutError, websockets.WebSocketException) as error:
        print(f"bare_bot: {error}", file=sys.stderr)
        sys.exit(1)
