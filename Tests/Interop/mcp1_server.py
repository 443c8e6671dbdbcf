"""A server made with the Python SDK of MCP, version 1: `stdio`, `http PORT` or `ws PORT`."""

import sys
import warnings

import uvicorn
from mcp.server.fastmcp import Context, FastMCP
from mcp.server.websocket import websocket_server
from mcp.types import SamplingMessage, TextContent
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

# Gone in mcp 2; servers in the field have it.
warnings.filterwarnings("ignore", category=DeprecationWarning)

server = FastMCP("sdk", log_level="WARNING")


@server.tool()
def add(a: int, b: int) -> int:
    """The sum of two numbers."""
    return a + b


@server.tool()
async def count(to: int, context: Context) -> str:
    """Counts, and tells how far it is."""
    for number in range(1, to + 1):
        await context.report_progress(number, to)
    await context.info(f"counted to {to}")
    return "counted"


@server.tool()
async def ask(question: str, context: Context) -> str:
    """Has the client's model answer."""
    message = SamplingMessage(role="user", content=TextContent(type="text", text=question))
    answer = await context.session.create_message(
        messages=[message], max_tokens=10, related_request_id=context.request_id)
    return f"the model says {answer.content.text}"


@server.resource("sdk://greeting")
def greeting() -> str:
    """A greeting."""
    return "hello"


def web_socket() -> Starlette:
    async def talk(socket) -> None:
        inner = server._mcp_server
        async with websocket_server(socket.scope, socket.receive, socket.send) as streams:
            await inner.run(*streams, inner.create_initialization_options())

    return Starlette(routes=[WebSocketRoute("/", talk)])


def main(transport: str, port: str = "0") -> None:
    if transport == "stdio":
        return server.run("stdio")
    app = server.streamable_http_app() if transport == "http" else web_socket()
    uvicorn.run(app, port=int(port), log_level="warning", ws_ping_interval=None)


main(*sys.argv[1:])
