"""The client of the Python SDK 2 over each transport, without sessions and, as it falls back, with."""

import json

import anyio
import mcp_types as types
import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.subscriptions import ResourcesListChanged, ResourceUpdated
from mcp.shared.exceptions import MCPError

from conftest import DEADLINE
from places import NEVER, place, world  # noqa: F401  fixtures
from websocket_transport import websocket_transport

TOOLS = ["create_task", "get_task_status", "list_tasks", "cancel_task", "system_status"]
MODERN, LEGACY = "2026-07-28", "2025-11-25"

pytestmark = pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")


class Heard:
    def __init__(self) -> None:
        self.logged: list[types.LoggingMessageNotificationParams] = []
        self.updated: list[str] = []
        self.progress: list[float] = []

    async def on_log(self, params: types.LoggingMessageNotificationParams) -> None:
        self.logged.append(params)

    async def on_message(self, message: object) -> None:
        if isinstance(message, types.ResourceUpdatedNotification):
            self.updated.append(str(message.params.uri))

    async def on_progress(self, progress: float, total: float | None, message: str | None) -> None:
        self.progress.append(progress)


def client(place, heard: Heard, **more: object) -> Client:
    if place.command:
        server = StdioServerParameters(command=place.command[0], args=place.command[1:], env=place.environment)
    else:
        server = websocket_transport(place.url) if place.url.startswith("ws:") else place.url
    return Client(
        server, read_timeout_seconds=DEADLINE, logging_callback=heard.on_log, message_handler=heard.on_message, **more)


async def eventually(condition, what: str) -> None:
    with anyio.move_on_after(DEADLINE):
        while not condition():
            await anyio.sleep(0.02)
        return
    raise AssertionError(f"{what} did not happen within {DEADLINE:.0f} s")


async def refused(request) -> int:
    try:
        await request
    except MCPError as error:
        return error.code
    raise AssertionError("was answered")


async def call(session: Client, tool: str, **arguments: object) -> dict:
    result = await session.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert json.loads(result.content[0].text) == result.structured_content
    return result.structured_content


async def both_eras(session: Client, heard: Heard, world) -> str:
    """What is the same with and without sessions; gives the id of a task that is completed."""
    assert [tool.name for tool in (await session.list_tools()).tools] == TOOLS
    created = await call(session, "create_task", description="say hello")
    assert created["status"] == "completed" and created["result"]
    task = created["task_id"]
    assert (await call(session, "get_task_status", task_id=task))["result"] == created["result"]
    listed = await call(session, "list_tasks", state="completed")
    assert [one["task_id"] for one in listed["tasks"]] == [task]
    assert (await call(session, "system_status"))["tasks"]["completed"] == 1
    hanging = await call(session, "create_task", description=NEVER, wait=False)
    assert (await call(session, "cancel_task", task_id=hanging["task_id"]))["state"] == "cancelled"

    absent = await session.call_tool("get_task_status", {"task_id": "t-404"})
    assert absent.is_error and json.loads(absent.content[0].text)["code"] == 1001
    bad = await session.call_tool("create_task", {"description": "x", "wait": "maybe"})
    assert bad.is_error and json.loads(bad.content[0].text)["data"] == {"path": "/wait", "keyword": "type"}
    assert await refused(session.call_tool("nope", {})) == -32602

    listed = [str(resource.uri) for resource in (await session.list_resources()).resources]
    assert listed[0] == "omni://system" and f"task://{task}" in listed
    [template] = (await session.list_resource_templates()).resource_templates
    assert template.uri_template == "task://{id}"
    [read] = (await session.read_resource(f"task://{task}")).contents
    assert json.loads(read.text)["task_id"] == task

    [prompt] = (await session.list_prompts()).prompts
    [message] = (await session.get_prompt(prompt.name, {"goal": "a garden"})).messages
    assert "a garden" in message.content.text
    assert await refused(session.get_prompt("nope")) == -32602
    reference = types.PromptReference(type="ref/prompt", name=prompt.name)
    assert (await session.complete(reference, {"name": "type", "value": "p"})).completion.values == ["programming"]
    template = types.ResourceTemplateReference(type="ref/resource", uri="task://{id}")
    assert task in (await session.complete(template, {"name": "id", "value": task[:-1]})).completion.values

    await session.call_tool("create_task", {"description": "tell me"}, progress_callback=heard.on_progress)
    assert heard.progress and heard.progress == sorted(set(heard.progress))
    await given_up(session, world)
    return task


async def given_up(session: Client, world) -> None:
    """A cancelled call ends the call of the model, and the next request is served."""
    text = f"{NEVER}: given up"
    async with anyio.create_task_group() as group:
        group.start_soon(session.call_tool, "create_task", {"description": text})
        await eventually(lambda: world.open[text], "the call of the model")
        group.cancel_scope.cancel()
    await eventually(lambda: not world.open[text], "the end of the model's call")
    assert (await call(session, "system_status"))["system_state"] == "normal"


@pytest.mark.parametrize("transport", ["ws", "http", "stdio", "bridge"])
def test_everything_without_sessions(transport: str, place):
    where = place(transport)

    async def run():
        heard = Heard()
        with anyio.fail_after(6 * DEADLINE):
            async with client(where, heard, log_level="debug") as session:
                assert session.protocol_version == MODERN
                assert session.server_info.name == "omni-orchestrator" and "create_task" in session.instructions
                task = await both_eras(session, heard, where.world)
                assert heard.logged, "nothing was logged, although every request had a log level"
                assert await refused(session.read_resource("task://nope")) == -32602
                assert await refused(session.send_ping()) == -32601
                await listens(session, task)

    anyio.run(run)


async def listens(session: Client, ended: str) -> None:
    """The changes that were asked for are told, and no others."""
    hanging = (await call(session, "create_task", description=NEVER, wait=False))["task_id"]
    uri = f"task://{hanging}"
    async with session.listen(resources_list_changed=True, resource_subscriptions=[uri]) as subscription:
        assert subscription.honored.resource_subscriptions == [uri]
        assert subscription.honored.resources_list_changed
        await call(session, "cancel_task", task_id=hanging)
        await call(session, "create_task", description="changes the list", wait=False)
        seen = set()
        with anyio.fail_after(DEADLINE):
            async for event in subscription:
                assert isinstance(event, (ResourceUpdated, ResourcesListChanged))
                if isinstance(event, ResourceUpdated):
                    assert event.uri == uri
                seen.add(type(event))
                if len(seen) == 2:
                    break


def test_without_the_log_level_nothing_is_logged(place):
    where = place("http")

    async def run():
        heard = Heard()
        async with client(where, heard) as session:
            await call(session, "create_task", description="say hello")
            await call(session, "system_status")
        assert not heard.logged

    anyio.run(run)


@pytest.mark.parametrize("transport", ["ws", "http", "stdio"])
def test_everything_with_a_session(transport: str, place):
    where = place(transport)

    async def run():
        heard = Heard()
        with anyio.fail_after(6 * DEADLINE):
            async with client(where, heard, mode="legacy") as session:
                assert session.protocol_version == LEGACY
                await session.send_ping()
                await session.set_logging_level("debug")
                await both_eras(session, heard, where.world)
                await eventually(lambda: heard.logged, "a message of the log")
                assert await refused(session.read_resource("task://nope")) == -32002
                hanging = (await call(session, "create_task", description=NEVER, wait=False))["task_id"]
                uri = f"task://{hanging}"
                await session.subscribe_resource(uri)
                await call(session, "cancel_task", task_id=hanging)
                await eventually(lambda: uri in heard.updated, f"an update of {uri}")
                await session.unsubscribe_resource(uri)

    anyio.run(run)


def test_two_eras_side_by_side(place):
    """One server, one client of each era at the same time, and each is told what it asked for."""
    where = place("http")

    async def run():
        heard = Heard()
        async with client(where, heard, mode="legacy") as old, client(where, Heard()) as new:
            task = (await call(new, "create_task", description=NEVER, wait=False))["task_id"]
            await old.subscribe_resource(f"task://{task}")
            assert (await call(new, "cancel_task", task_id=task))["state"] == "cancelled"
            await eventually(lambda: heard.updated, "an update")
            assert (await call(old, "get_task_status", task_id=task))["state"] == "cancelled"

    anyio.run(run)


def test_what_a_cut_connection_has_missed_is_caught_up_with(place, tap):
    where = place("http")
    where.world.pause = 3.0

    async def run():
        heard = Heard()
        async with client(where, heard, mode="legacy") as session:
            results = []

            async def ask() -> None:
                arguments = {"description": "outlives the connection"}
                results.append(await session.call_tool("create_task", arguments, progress_callback=heard.on_progress))

            async with anyio.create_task_group() as group:
                group.start_soon(ask)
                await eventually(lambda: where.world.open["outlives the connection"], "the call of the model")
                tap.cut()
            assert results[0].structured_content["status"] == "completed"
            await session.send_ping()

    anyio.run(run)
    assert any("last-event-id" in head for head in tap.requests("GET"))
    assert where.world.begun["outlives the connection"] == 1


def test_without_a_session_a_cut_connection_cancels(place, tap):
    where = place("http")
    text = f"{NEVER}: is cut off"

    async def run():
        heard = Heard()
        async with client(where, heard) as session:

            async def ask() -> None:
                with pytest.raises(MCPError):
                    await session.call_tool("create_task", {"description": text}, progress_callback=heard.on_progress)

            async with anyio.create_task_group() as group:
                group.start_soon(ask)
                await eventually(lambda: where.world.open[text], "the call of the model")
                # Cut before anything of the answer was there, this client ends altogether.
                await eventually(lambda: heard.progress, "progress")
                tap.cut()
            await eventually(lambda: not where.world.open[text], "the end of the model's call")
            assert (await call(session, "system_status"))["system_state"] == "normal"

    anyio.run(run)
