"""The client of fastmcp, and its tasks: the only client so far that knows the extension of 2026."""

import asyncio
import json

import mcp_types as types
import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport
from fastmcp.exceptions import ToolError
from fastmcp_tasks import call_tool_task
from mcp.shared.exceptions import MCPError

from conftest import DEADLINE
from places import NEVER, place, world  # noqa: F401  fixtures

pytestmark = pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")

TOOLS = ["create_task", "get_task_status", "list_tasks", "cancel_task", "system_status"]


def client(where, **more: object) -> Client:
    if where.url:
        return Client(where.url, timeout=DEADLINE, **more)
    command, *arguments = where.command
    return Client(
        StdioTransport(command, arguments, env=where.environment, keep_alive=False), timeout=DEADLINE, **more)


def within_time(coroutine) -> None:
    asyncio.run(asyncio.wait_for(coroutine, 6 * DEADLINE))


@pytest.mark.parametrize("transport", ["http", "stdio"])
@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_everything_there_is(transport: str, mode: str, place):
    where = place(transport)
    logged, progress = [], []

    async def on_log(message) -> None:
        logged.append(message)

    async def on_progress(value: float, total: float | None, message: str | None) -> None:
        progress.append(value)

    async def run():
        async with client(where, mode=mode, log_handler=on_log) as session:
            assert session.protocol_version == ("2026-07-28" if mode == "auto" else "2025-11-25")
            assert session.server_info.name == "omni-orchestrator"
            if mode == "legacy":
                assert await session.ping()
                await session.set_logging_level("debug")
            assert [tool.name for tool in await session.list_tools()] == TOOLS
            created = (await session.call_tool(
                "create_task", {"description": "say hello"}, progress_handler=on_progress)).structured_content
            assert created["status"] == "completed"
            task = created["task_id"]
            read = (await session.call_tool("get_task_status", {"task_id": task})).structured_content
            assert read["result"] == created["result"]
            listed = (await session.call_tool("list_tasks", {"state": "completed"})).structured_content
            assert [one["task_id"] for one in listed["tasks"]] == [task]
            status = (await session.call_tool("system_status", {})).structured_content
            assert status["tasks"]["completed"] == 1
            hanging = (await session.call_tool(
                "create_task", {"description": NEVER, "wait": False})).structured_content["task_id"]
            cancelled = (await session.call_tool("cancel_task", {"task_id": hanging})).structured_content
            assert cancelled["state"] == "cancelled"
            with pytest.raises(ToolError, match="Task not found"):
                await session.call_tool("get_task_status", {"task_id": "t-404"})
            with pytest.raises(MCPError, match="Unknown tool: nope"):
                await session.call_tool("nope", {})
            uris = [str(resource.uri) for resource in await session.list_resources()]
            assert uris[0] == "omni://system" and f"task://{task}" in uris
            [template] = await session.list_resource_templates()
            assert template.uri_template == "task://{id}"
            [contents] = await session.read_resource(f"task://{task}")
            assert json.loads(contents.text)["task_id"] == task
            [prompt] = await session.list_prompts()
            got = await session.get_prompt(prompt.name, {"goal": "a garden"})
            assert "a garden" in got.messages[0].content.text
            reference = types.PromptReference(type="ref/prompt", name=prompt.name)
            assert (await session.complete(reference, {"name": "type", "value": "p"})).values == ["programming"]
            if mode == "legacy":
                # It declares the extension of tasks to all others, which tells progress by tasks/get.
                assert progress and progress == sorted(set(progress))
                assert logged

    within_time(run())


@pytest.mark.parametrize("transport", ["http", "stdio"])
def test_a_call_becomes_a_task(transport: str, place):
    where = place(transport)

    async def run():
        async with client(where) as session:
            task = await call_tool_task(session, "create_task", {"description": "in the background"})
            assert task.create_result.result_type == "task"
            result = await task.result()
            assert result.structured_content["status"] == "completed"
            hanging = await call_tool_task(session, "create_task", {"description": NEVER})
            assert (await hanging.status()).status == "working"
            await hanging.cancel()
            assert (await hanging.wait(timeout=DEADLINE)).status == "cancelled"
            await hanging.cancel()  # idempotent
            with pytest.raises(ToolError, match="cancelled"):
                await hanging.result()

    within_time(run())
