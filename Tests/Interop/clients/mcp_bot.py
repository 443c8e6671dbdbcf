"""The MCP client of the Python SDK: lists the tools and calls each of them. Its argument is the address of
a WebSocket or of Streamable HTTP; or the words of the command that is its server over stdio."""

import os
import sys
import warnings
from datetime import timedelta

import anyio
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamablehttp_client
from mcp.client.websocket import websocket_client

# Gone in mcp 2; clients in the field have it.
warnings.filterwarnings("ignore", category=DeprecationWarning)


def connected(url: str, *words: str):
    if url.startswith("http"):
        return streamablehttp_client(url)
    if url.startswith("ws"):
        return websocket_client(url)
    return stdio_client(StdioServerParameters(command=url, args=list(words), env=dict(os.environ)))


async def main(*words: str) -> None:
    async with connected(*words) as (reader, writer, *_):
        streams = (reader, writer)
        async with ClientSession(*streams, read_timeout_seconds=timedelta(seconds=4)) as session:
            await session.initialize()
            await session.send_ping()
            await session.list_tools()
            made = await session.call_tool("create_task", {"description": "say hello", "wait": False})
            if made.isError:
                return
            task = {"task_id": made.structuredContent["task_id"]}
            await session.call_tool("get_task_status", task)
            await session.call_tool("list_tasks", {"limit": 5})
            await session.call_tool("cancel_task", task)
            await session.call_tool("system_status", {})


def causes(error: BaseException):
    """The errors inside groups of them."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from causes(inner)
    else:
        yield error


if __name__ == "__main__":
    try:
        anyio.run(main, *sys.argv[1:])
    except BaseException as error:  # its transport raises what its library does, in groups
        print("mcp_bot:", *(f"{type(cause).__name__}: {cause}" for cause in causes(error)), file=sys.stderr)
        sys.exit(1)
