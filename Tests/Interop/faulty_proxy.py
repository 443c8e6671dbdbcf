"""A proxy that makes a right orchestrator wrong in three known ways, for reports to tell of.

    python faulty_proxy.py TARGET [PORT]

Port 0, the default, takes a free one. When ready it prints `listening on ws://127.0.0.1:PORT`.
"""

import argparse
import asyncio
import json
import signal

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

# What a page must show as text and never as markup.
HOSTILE = '</script><script>document.title = "taken"</script>"><img src=x onerror=alert(1)>'
WRONG_CODE = 1099
UNKNOWN_METHOD = -32601


def spoiled(text: str, methods: dict[str, str]) -> str | None:
    """The answer with whatever fault is meant for it; None for no answer at all."""
    try:
        answer = json.loads(text)
    except ValueError:
        return text
    if not isinstance(answer, dict):
        return text
    error = answer.get("error") if isinstance(answer.get("error"), dict) else {}
    if error.get("code") == UNKNOWN_METHOD:
        return None
    if error.get("code") == 1001:
        error["code"] = WRONG_CODE
    if methods.get(json.dumps(answer.get("id"))) == "ping" and answer.get("result") == {}:
        answer["result"] = HOSTILE
    return json.dumps(answer)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("port", nargs="?", type=int, default=0)
    options = parser.parse_args()

    async def pass_on(client: ServerConnection) -> None:
        methods: dict[str, str] = {}
        async with connect(options.target, compression=None, max_size=None) as server:

            async def forth() -> None:
                async for message in client:
                    try:
                        request = json.loads(message)
                        methods[json.dumps(request["id"])] = request["method"]
                    except (ValueError, TypeError, KeyError):
                        pass
                    await server.send(message)
                await server.close()

            async def back() -> None:
                async for message in server:
                    answer = spoiled(message, methods) if isinstance(message, str) else message
                    if answer is not None:
                        await client.send(answer)
                await client.close(server.close_code or 1000)

            try:
                await asyncio.gather(forth(), back())
            except ConnectionClosed:
                pass

    async def run() -> None:
        ended = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set_result, None)
        async with serve(pass_on, "127.0.0.1", options.port, compression=None, max_size=None) as server:
            port = server.sockets[0].getsockname()[1]
            print(f"listening on ws://127.0.0.1:{port}", flush=True)
            await ended

    asyncio.run(run())


if __name__ == "__main__":
    main()
