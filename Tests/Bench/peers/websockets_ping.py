"""ping on Python's websockets and asyncio.   websockets_ping.py constant|real PORT"""

import asyncio
import json
import sys

from websockets.asyncio.server import serve

CONSTANT = '{"jsonrpc":"2.0","id":1,"result":{}}'


async def constant(connection) -> None:
    async for _ in connection:
        await connection.send(CONSTANT)


async def real(connection) -> None:
    async for text in connection:
        request = json.loads(text)
        answer = {"jsonrpc": "2.0", "id": request["id"]}
        if request["method"] == "ping":
            answer["result"] = {}
        else:
            answer["error"] = {"code": -32601, "message": f"Unknown method: {request['method']}"}
        await connection.send(json.dumps(answer))


async def main() -> None:
    handler = constant if sys.argv[1] == "constant" else real
    async with serve(handler, "127.0.0.1", int(sys.argv[2]), compression=None):
        await asyncio.get_running_loop().create_future()


asyncio.run(main())
