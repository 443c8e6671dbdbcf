"""A small executor: a real MCP server, made with the Python SDK, over stdio, a WebSocket or Streamable HTTP.

    executor_server.py stdio|ws|http [PORT]

Its tool execute_task does what the first word of the description says. Every task it begins, and every
one whose cancellation it hears of, is a line in the file that EXECUTOR_JOURNAL names.
"""

import json
import os
import sys
import warnings

import anyio
import mcp.types as types
from mcp.server.lowlevel import Server

warnings.simplefilter("ignore")
server = Server("test-executor")
TOOL = os.environ.get("EXECUTOR_TOOL", "execute_task")


def note(event: str, **members: object) -> None:
    with open(os.environ["EXECUTOR_JOURNAL"], "a") as journal:
        journal.write(json.dumps({"event": event, "process": os.getpid(), **members}) + "\n")


@server.list_tools()
async def list_tools() -> list[types.Tool]:
    properties = {name: {"type": "string"} for name in ("task_id", "description", "type")}
    schema = {"type": "object", "required": list(properties), "properties": properties | {"history": {"type": "array"}}}
    return [types.Tool(name=TOOL, description="Does a task.", inputSchema=schema)]


@server.call_tool()
async def call_tool(name: str, arguments: dict) -> list[types.TextContent]:
    description = arguments["description"]
    note("begun", **arguments)
    try:
        match description.split()[0]:
            case "steps":
                context = server.request_context
                for step in range(1, 4):
                    await context.session.send_progress_notification(
                        context.meta.progressToken, step, total=3, message=f"step {step}",
                        related_request_id=str(context.request_id),
                    )
            case "fail":
                raise ValueError("the tool cannot do this")
            case "hang":
                await anyio.sleep_forever()
            case "die":
                os._exit(7)
            case "held":
                while not os.path.exists(os.environ["EXECUTOR_JOURNAL"] + ".go"):
                    await anyio.sleep(0.02)
    except anyio.get_cancelled_exc_class():
        note("cancelled", task_id=arguments["task_id"])
        raise
    said = len(arguments.get("history", []))
    return [types.TextContent(type="text", text=f"done by {os.environ['EXECUTOR_NAME']} after {said}: {description}")]


async def stdio() -> None:
    from mcp.server.stdio import stdio_server

    print("a greeting that is no JSON", flush=True)
    print("a line for the log", file=sys.stderr, flush=True)
    async with stdio_server() as streams:
        await server.run(*streams, server.create_initialization_options())


def web(kind: str, port: int) -> None:
    import contextlib

    import uvicorn
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
    from mcp.server.websocket import websocket_server
    from starlette.applications import Starlette
    from starlette.routing import Mount, WebSocketRoute

    async def socket(websocket) -> None:
        async with websocket_server(websocket.scope, websocket.receive, websocket._send) as streams:
            await server.run(*streams, server.create_initialization_options())

    manager = StreamableHTTPSessionManager(server, json_response=kind == "http-json")

    @contextlib.asynccontextmanager
    async def lifespan(_):
        async with manager.run():
            yield

    routes = [WebSocketRoute("/", socket)] if kind == "ws" else [Mount("/mcp", app=manager.handle_request)]
    app = Starlette(routes=routes, lifespan=lifespan)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", timeout_graceful_shutdown=1)


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        anyio.run(stdio)
    else:
        web(sys.argv[1], int(sys.argv[2]))
