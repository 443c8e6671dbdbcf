"""All that a client of the Python SDK 1.x can ask of the server, over whatever transport its session has."""

import json

import anyio
from mcp import ClientSession, McpError, types
from pydantic import AnyUrl

from conftest import DEADLINE
from upstream import Upstream

TOOLS = ["create_task", "get_task_status", "list_tasks", "cancel_task", "system_status"]
# Of this description no model ever makes an answer.
NEVER = "never ends"


class Heard:
    """What came without being asked for."""

    def __init__(self) -> None:
        self.logged: list[types.LoggingMessageNotificationParams] = []
        self.updated: list[str] = []
        self.progress: list[float] = []
        self.lists = 0

    async def on_log(self, params: types.LoggingMessageNotificationParams) -> None:
        self.logged.append(params)

    async def on_message(self, message: object) -> None:
        root = getattr(message, "root", None)
        if isinstance(root, types.ResourceUpdatedNotification):
            self.updated.append(str(root.params.uri))
        elif isinstance(root, types.ResourceListChangedNotification):
            self.lists += 1

    async def on_progress(self, progress: float, total: float | None, message: str | None) -> None:
        self.progress.append(progress)

    def keywords(self) -> dict:
        """For the constructor of a session."""
        return {"logging_callback": self.on_log, "message_handler": self.on_message}


def never_ending(world: Upstream) -> Upstream:
    world.decide = lambda text: None if text.startswith(NEVER) else (200, {})
    return world


async def eventually(condition, what: str):
    with anyio.move_on_after(DEADLINE):
        while not (answer := condition()):
            await anyio.sleep(0.02)
        return answer
    raise AssertionError(f"{what} did not happen within {DEADLINE:.0f} s")


async def call(session: ClientSession, tool: str, **arguments: object) -> dict:
    """What a tool gives; the SDK itself holds structured content against the output schema."""
    result = await session.call_tool(tool, arguments)
    assert not result.isError, result.content
    told = json.loads(result.content[0].text)
    assert result.structuredContent in (None, told)
    return told


async def tools(session: ClientSession, revision: str) -> str:
    """Lists and calls each of them; gives the id of a task that is completed."""
    listed = (await session.list_tools()).tools
    assert [tool.name for tool in listed] == TOOLS
    assert all(bool(tool.outputSchema) == (revision >= "2025-06-18") for tool in listed)
    created = await call(session, "create_task", description="say hello")
    assert created["status"] == "completed" and created["result"]
    read = await call(session, "get_task_status", task_id=created["task_id"])
    assert (read["state"], read["result"]) == ("completed", created["result"])
    tasks = (await call(session, "list_tasks", state="completed"))["tasks"]
    assert created["task_id"] in [task["task_id"] for task in tasks]
    assert (await call(session, "system_status"))["tasks"]["completed"] >= 1
    hanging = await call(session, "create_task", description=NEVER, wait=False)
    assert (await call(session, "cancel_task", task_id=hanging["task_id"]))["state"] == "cancelled"
    return created["task_id"]


async def mistakes(session: ClientSession, revision: str) -> None:
    absent = await session.call_tool("get_task_status", {"task_id": "t-404"})
    assert absent.isError and json.loads(absent.content[0].text)["code"] == 1001
    if revision >= "2025-11-25":
        bad = await session.call_tool("create_task", {"description": "x", "wait": "maybe"})
        assert bad.isError and json.loads(bad.content[0].text)["data"] == {"path": "/wait", "keyword": "type"}
    else:
        assert (await refused(session.call_tool("create_task", {"description": "x", "wait": "maybe"}))) == -32602
    assert (await refused(session.call_tool("nope", {}))) == -32602
    assert (await refused(session.read_resource(AnyUrl("task://nope")))) == -32002
    await session.send_ping()


async def refused(request) -> int:
    try:
        await request
    except McpError as error:
        return error.error.code
    raise AssertionError("was answered")


async def resources(session: ClientSession, task: str) -> None:
    listed = [str(resource.uri) for resource in (await session.list_resources()).resources]
    assert listed[0] == "omni://system" and f"task://{task}" in listed
    templates = (await session.list_resource_templates()).resourceTemplates
    assert [template.uriTemplate for template in templates] == ["task://{id}"]
    [system] = (await session.read_resource(AnyUrl("omni://system"))).contents
    assert json.loads(system.text)["system_state"] == "normal"
    [read] = (await session.read_resource(AnyUrl(f"task://{task}"))).contents
    assert json.loads(read.text)["task_id"] == task


async def updates(session: ClientSession, heard: Heard) -> None:
    """A subscribed task tells of its end, and after unsubscribing nothing more."""
    task = (await call(session, "create_task", description=NEVER, wait=False))["task_id"]
    uri = f"task://{task}"
    await session.subscribe_resource(AnyUrl(uri))
    await call(session, "cancel_task", task_id=task)
    await eventually(lambda: uri in heard.updated, f"an update of {uri}")
    await session.unsubscribe_resource(AnyUrl(uri))
    await eventually(lambda: heard.lists, "the list of resources being told as changed")


async def prompts(session: ClientSession) -> None:
    [prompt] = (await session.list_prompts()).prompts
    assert [(argument.name, bool(argument.required)) for argument in prompt.arguments] == [
        ("goal", True), ("type", False)]
    got = await session.get_prompt(prompt.name, {"goal": "a garden", "type": "programming"})
    [message] = got.messages
    assert "a garden" in message.content.text and "programming" in message.content.text
    assert (await refused(session.get_prompt("nope"))) == -32602
    assert (await refused(session.get_prompt(prompt.name))) == -32602


async def completions(session: ClientSession, task: str) -> None:
    prompt = types.PromptReference(type="ref/prompt", name="break_into_tasks")
    found = (await session.complete(prompt, {"name": "type", "value": "p"})).completion
    assert found.values == ["programming"]
    reference = types.ResourceTemplateReference(type="ref/resource", uri="task://{id}")
    found = (await session.complete(reference, {"name": "id", "value": task[:-1]})).completion
    assert task in found.values
    found = (await session.complete(reference, {"name": "id", "value": "no such task"})).completion
    assert found.values == []


async def logging(session: ClientSession, heard: Heard) -> None:
    await session.set_logging_level("debug")
    await call(session, "create_task", description="is logged")
    await eventually(lambda: heard.logged, "a message of the log")
    await session.set_logging_level("emergency")
    before = len(heard.logged)
    await call(session, "create_task", description="is not logged")
    await session.send_ping()
    assert len(heard.logged) == before


async def progress(session: ClientSession, heard: Heard) -> None:
    result = await session.call_tool(
        "create_task", {"description": "take your time"}, progress_callback=heard.on_progress)
    assert not result.isError
    assert heard.progress and heard.progress == sorted(set(heard.progress))


async def cancellation(session: ClientSession, world: Upstream) -> None:
    """A call that is given up: it is not answered, and all others are."""
    text = f"{NEVER}: given up"

    async def give_up() -> None:
        with anyio.CancelScope() as scope:
            scopes.append(scope)
            await session.call_tool("create_task", {"description": text})

    scopes: list[anyio.CancelScope] = []
    async with anyio.create_task_group() as group:
        number = session._request_id  # no public API tells it
        group.start_soon(give_up)
        await eventually(lambda: world.open[text], "the call of the model")
        cancelled = types.CancelledNotification(
            params=types.CancelledNotificationParams(requestId=number, reason="given up"))
        await session.send_notification(types.ClientNotification(cancelled))
        await eventually(lambda: not world.open[text], "the end of the model's call")
        await session.send_ping()
        scopes[0].cancel()


async def tasks(session: ClientSession) -> None:
    """The experimental tasks of 2025-11-25."""
    experimental = session.experimental
    created = (await experimental.call_tool_as_task("create_task", {"description": "in the background"})).task
    assert created.status in ("working", "completed") and created.taskId
    states = [state.status async for state in experimental.poll_task(created.taskId)]
    assert states[-1] == "completed"
    result = await experimental.get_task_result(created.taskId, types.CallToolResult)
    assert not result.isError and json.loads(result.content[0].text)["status"] == "completed"
    other = (await experimental.call_tool_as_task("create_task", {"description": NEVER})).task
    listed = {task.taskId: task.status for task in (await experimental.list_tasks()).tasks}
    assert (listed[created.taskId], listed[other.taskId]) == ("completed", "working")
    assert (await experimental.cancel_task(other.taskId)).status == "cancelled"
    assert (await experimental.get_task(other.taskId)).status == "cancelled"
    assert (await refused(experimental.cancel_task(other.taskId))) == -32602
    assert (await refused(experimental.get_task("nope"))) == -32602
