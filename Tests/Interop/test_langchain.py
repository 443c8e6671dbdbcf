"""langchain-mcp-adapters over WebSocket and HTTP: what an agent of LangChain would be given and would call."""

import asyncio
import json
from datetime import timedelta

import pytest
from langchain_core.tools import ToolException
from langchain_mcp_adapters.callbacks import Callbacks
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.prompts import load_mcp_prompt
from langchain_mcp_adapters.resources import load_mcp_resources
from langchain_mcp_adapters.tools import load_mcp_tools

from conftest import DEADLINE, Mock

pytestmark = pytest.mark.filterwarnings("ignore:The WebSocket client transport:DeprecationWarning")

TOOLS = ["create_task", "get_task_status", "list_tasks", "cancel_task", "system_status"]


@pytest.mark.parametrize("transport", ["websocket", "streamable_http"])
def test_everything_there_is(transport: str, mock: Mock, tap, serve):
    server = serve(**mock.variables)
    logged, progress = [], []

    async def on_log(params, context) -> None:
        logged.append((context.server_name, params.level))

    async def on_progress(value, total, message, context) -> None:
        progress.append(value)

    url = tap.ws(server) if transport == "websocket" else tap.http(server)
    session_settings = {"read_timeout_seconds": timedelta(seconds=DEADLINE)}
    client = MultiServerMCPClient(
        {"omni": {"transport": transport, "url": url, "session_kwargs": session_settings}},
        callbacks=Callbacks(on_logging_message=on_log, on_progress=on_progress), handle_tool_errors=False)

    async def run():
        # Without a session each call makes one of its own.
        tools = {tool.name: tool for tool in await client.get_tools()}
        assert list(tools) == TOOLS
        assert tools["create_task"].args_schema["required"] == ["description"]
        created = said(await tools["create_task"].ainvoke({"description": "say hello"}))
        assert created["status"] == "completed"
        assert progress and progress == sorted(set(progress))
        async with client.session("omni") as session:
            tools = {tool.name: tool for tool in await load_mcp_tools(session)}
            read = said(await tools["get_task_status"].ainvoke({"task_id": created["task_id"]}))
            assert read["result"] == created["result"]
            listed = said(await tools["list_tasks"].ainvoke({"state": "completed"}))
            assert [task["task_id"] for task in listed["tasks"]] == [created["task_id"]]
            assert said(await tools["system_status"].ainvoke({}))["tasks"]["completed"] == 1
            await session.set_logging_level("notice")
            mock.arm(litellm=[{"on": "POST /v1/chat/completions", "hang": True}])
            hanging = said(await tools["create_task"].ainvoke({"description": "never ends", "wait": False}))
            cancelled = said(await tools["cancel_task"].ainvoke({"task_id": hanging["task_id"]}))
            assert cancelled["state"] == "cancelled"
            await session.send_ping()
            assert ("omni", "notice") in logged
            [message] = await load_mcp_prompt(session, "break_into_tasks", arguments={"goal": "a garden"})
            assert "a garden" in message.content
            blobs = await load_mcp_resources(session, uris=["omni://system", f"task://{created['task_id']}"])
            assert json.loads(blobs[0].as_string())["system_state"] == "normal"
            assert json.loads(blobs[1].as_string())["result"] == created["result"]
        tools = {tool.name: tool for tool in await client.get_tools()}
        with pytest.raises(ToolException, match="Task not found"):
            await tools["get_task_status"].ainvoke({"task_id": "t-404"})

    asyncio.run(asyncio.wait_for(run(), 3 * DEADLINE))


def said(content) -> dict:
    """What a tool gave, as the adapter hands it to a model."""
    [block] = content
    return json.loads(block["text"])
