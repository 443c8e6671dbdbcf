"""A client of the Model Context Protocol, made with the Python SDK. Its argument is the address of a WebSocket
or of Streamable HTTP, or the words of the command that is its server over stdio. It checks structured content
against the schemas of the tools by itself."""

import json
import sys
import warnings
from datetime import timedelta

import anyio
from mcp import ClientSession
from mcp_bot import connected

warnings.simplefilter("ignore")


async def main(*words: str) -> None:
    async with connected(*words) as (reader, writer, *_):
        async with ClientSession(reader, writer, read_timeout_seconds=timedelta(seconds=20)) as session:
            hello = await session.initialize()
            assert hello.serverInfo.name == "omni-orchestrator"
            await session.send_ping()
            assert [tool.name for tool in (await session.list_tools()).tools][0] == "create_task"

            async def call(tool: str, **arguments: object) -> dict:
                result = await session.call_tool(tool, arguments)
                assert not result.isError, result
                assert json.loads(result.content[0].text) == result.structuredContent
                return result.structuredContent

            begun = await call("create_task", description="say hello", wait=False)
            while (await call("get_task_status", task_id=begun["task_id"]))["state"] != "completed":
                await anyio.sleep(0.02)
            assert (await call("list_tasks", limit=2))["tasks"]
            assert (await session.call_tool("cancel_task", {"task_id": begun["task_id"]})).isError
            assert (await session.call_tool("create_task", {})).isError
            assert (await call("system_status"))["system_state"] == "normal"
            async with anyio.create_task_group() as group:
                for number in range(3):
                    group.start_soon(session.call_tool, "create_task", {"description": f"at once {number}"})


anyio.run(main, *sys.argv[1:])
