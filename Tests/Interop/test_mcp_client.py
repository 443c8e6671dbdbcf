"""The MCP client of the Python SDK over its WebSocket, against the built server."""

import json
from contextlib import asynccontextmanager
from datetime import timedelta

import anyio
import pytest
from mcp import ClientSession, McpError
from mcp.client.websocket import websocket_client
from mcp.types import EmptyResult, ListRootsRequest

from conftest import DEADLINE, Mock

# Gone in mcp 2; clients in the field have it.
pytestmark = pytest.mark.filterwarnings("ignore:The WebSocket client transport:DeprecationWarning")

TOOLS = ["create_task", "get_task_status", "list_tasks", "cancel_task", "system_status"]


@asynccontextmanager
async def connected(url: str):
    """A session that has agreed on a revision, and what initialize answered."""
    with anyio.fail_after(3 * DEADLINE):
        async with websocket_client(url) as streams:
            async with ClientSession(*streams, read_timeout_seconds=timedelta(seconds=DEADLINE)) as session:
                yield session, await session.initialize()


def test_initialize_list_and_ping(tap, serve):
    url = tap.ws(serve())

    async def run():
        async with connected(url) as (session, hello):
            assert hello.protocolVersion == "2025-11-25"
            assert hello.serverInfo.name == "omni-orchestrator"
            assert hello.capabilities.tools and hello.capabilities.prompts
            assert "create_task" in hello.instructions
            await session.send_ping()
            tools = (await session.list_tools()).tools
            assert [tool.name for tool in tools] == TOOLS
            assert all(tool.title and tool.description and tool.outputSchema for tool in tools)
            assert [tool.name for tool in tools if tool.annotations.readOnlyHint] == TOOLS[1:3] + TOOLS[4:]

    anyio.run(run)


def test_every_tool_answers_what_its_schema_says(mock: Mock, tap, serve):
    """The client checks structured content against the output schema, and raises if it does not fit."""
    url = tap.ws(serve(**mock.variables))

    async def run():
        async with connected(url) as (session, _):

            async def call(tool: str, **arguments: object) -> dict:
                result = await session.call_tool(tool, arguments)
                assert not result.isError, result.content
                assert json.loads(result.content[0].text) == result.structuredContent
                return result.structuredContent

            created = await call("create_task", description="say hello")
            assert created["status"] == "completed" and created["result"]
            read = await call("get_task_status", task_id=created["task_id"])
            assert read["state"] == "completed"
            assert read["result"] == created["result"]
            listed = await call("list_tasks", state="completed")
            assert [task["task_id"] for task in listed["tasks"]] == [created["task_id"]]
            assert (await call("system_status"))["tasks"]["completed"] == 1
            mock.arm(litellm=[{"fault": "hang", "on": "POST /v1/chat/completions", "times": 1}])
            hanging = await call("create_task", description="never ends", wait=False)
            cancelled = await call("cancel_task", task_id=hanging["task_id"])
            assert cancelled["state"] == "cancelled"

    anyio.run(run)
    assert len(mock.calls("/v1/chat/completions")) >= 1


def test_mistakes_are_told_to_the_model_or_to_the_program(tap, serve):
    url = tap.ws(serve())

    async def run():
        async with connected(url) as (session, _):
            unknown = await session.call_tool("get_task_status", {"task_id": "t-404"})
            assert unknown.isError
            assert json.loads(unknown.content[0].text) == {"code": 1001, "message": "Task not found", "data": {}}
            bad = await session.call_tool("create_task", {"description": "x", "wait": "maybe"})
            assert bad.isError
            assert json.loads(bad.content[0].text)["data"] == {"path": "/wait", "keyword": "type"}
            with pytest.raises(McpError) as nope:
                await session.call_tool("nope", {})
            assert nope.value.error.code == -32602
            assert nope.value.error.message == "Unknown tool: nope"
            with pytest.raises(McpError) as roots:
                await session.send_request(ListRootsRequest(), EmptyResult)
            assert roots.value.error.code == -32601
            await session.send_ping()

    anyio.run(run)


def test_calls_run_side_by_side(mock: Mock, tap, serve):
    url = tap.ws(serve(**mock.variables))
    mock.arm(litellm=[{"fault": "slow", "on": "POST /v1/chat/completions", "times": 1}])

    async def run():
        order = []
        async with connected(url) as (session, _):
            await session.list_tools()

            async def create():
                result = await session.call_tool("create_task", {"description": "take your time"})
                order.append(result.structuredContent["status"])

            async with anyio.create_task_group() as group:
                group.start_soon(create)
                with anyio.fail_after(DEADLINE):
                    while not mock.calls("/v1/chat/completions"):
                        await anyio.sleep(0.02)
                await session.send_ping()
                order.append("pong")
        assert order == ["pong", "completed"]

    anyio.run(run)
