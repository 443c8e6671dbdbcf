"""The MCP side of the OpenAI Agents SDK, without a model: what an agent would be given and would call."""

import asyncio
import json

import pytest
from agents.mcp import MCPServerStdio, MCPServerStreamableHttp

from conftest import DEADLINE
from places import place, world  # noqa: F401  fixtures

TOOLS = ["create_task", "get_task_status", "list_tasks", "cancel_task", "system_status"]


@pytest.mark.parametrize("transport", ["http", "stdio"])
def test_an_agent_gets_its_tools(transport: str, place):
    where = place(transport)
    if where.url:
        server = MCPServerStreamableHttp({"url": where.url}, client_session_timeout_seconds=DEADLINE)
    else:
        command, *arguments = where.command
        parameters = {"command": command, "args": arguments, "env": where.environment}
        server = MCPServerStdio(parameters, client_session_timeout_seconds=DEADLINE)

    async def run():
        async with server:
            assert [tool.name for tool in await server.list_tools()] == TOOLS
            result = await server.call_tool("create_task", {"description": "say hello"})
            created = json.loads(result.content[0].text)
            assert created["status"] == "completed"
            [prompt] = (await server.list_prompts()).prompts
            got = await server.get_prompt(prompt.name, {"goal": "a garden"})
            assert "a garden" in got.messages[0].content.text
            uri = f"task://{created['task_id']}"
            assert uri in [str(resource.uri) for resource in (await server.list_resources()).resources]
            [contents] = (await server.read_resource(uri)).contents
            assert json.loads(contents.text)["result"] == created["result"]

    asyncio.run(asyncio.wait_for(run(), 3 * DEADLINE))
