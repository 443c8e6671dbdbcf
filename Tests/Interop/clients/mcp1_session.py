"""A session with the server of mcp1_server.py, made with the Python SDK of MCP, version 1.

`ws URL`, `http URL`, or `stdio COMMAND WORDS…`: the words start its server.
"""

import sys
import warnings
from contextlib import asynccontextmanager
from datetime import timedelta

import anyio
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamablehttp_client
from mcp.client.websocket import websocket_client
from mcp.types import CreateMessageResult, TextContent

warnings.simplefilter("ignore")


@asynccontextmanager
async def connected(transport: str, *words: str):
    if transport == "http":
        async with streamablehttp_client(words[0]) as (reader, writer, _):
            yield reader, writer
    elif transport == "stdio":
        async with stdio_client(StdioServerParameters(command=words[0], args=list(words[1:]))) as streams:
            yield streams
    else:
        async with websocket_client(words[0]) as streams:
            yield streams


async def model(_, params) -> CreateMessageResult:
    assert params.messages[0].content.text == "what is it?"
    return CreateMessageResult(role="assistant", content=TextContent(type="text", text="yes"), model="none")


async def main(*words: str) -> None:
    told: list[float] = []
    logged: list[str] = []

    async def log(params) -> None:
        logged.append(params.data)

    async def progress(done: float, total: float | None, message: str | None) -> None:
        told.append(done)

    async with connected(*words) as streams:
        async with ClientSession(
            *streams, read_timeout_seconds=timedelta(seconds=20), sampling_callback=model, logging_callback=log,
        ) as session:
            hello = await session.initialize()
            assert hello.serverInfo.name == "sdk", hello
            await session.send_ping()
            assert {tool.name for tool in (await session.list_tools()).tools} == {"add", "count", "ask"}
            assert (await session.call_tool("add", {"a": 2, "b": 3})).structuredContent == {"result": 5}
            counted = await session.call_tool("count", {"to": 3}, progress_callback=progress)
            assert counted.content[0].text == "counted"
            # Over a socket they may come behind the answer.
            while len(told) < 3 or not logged:
                await anyio.sleep(0.01)
            asked = await session.call_tool("ask", {"question": "what is it?"})
            assert asked.content[0].text == "the model says yes"
            assert (await session.call_tool("add", {"a": "no"})).isError
            read = await session.read_resource("sdk://greeting")
            assert read.contents[0].text == "hello"


anyio.run(main, *sys.argv[1:])
