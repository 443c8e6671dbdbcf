"""Notifications, as programs hear them that are not ours: every transition once and in order, whatever else goes on."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from datetime import timedelta

import anyio
import pytest
from mcp import ClientSession, McpError
from mcp.client.websocket import websocket_client
from mcp.types import ResourceListChangedNotification, ResourceUpdatedNotification

from conftest import DEADLINE, HANG, Mock
from notified import FINAL, client_of, gaps
from raw import message, request, upgraded

TASKS = 1000
# Gone in mcp 2; clients in the field have it.
sdk = pytest.mark.filterwarnings("ignore:The WebSocket client transport:DeprecationWarning")


def lives_are_whole(states: dict[str, list[str]], ids: list[str]) -> None:
    assert set(states) == set(ids)
    for life in states.values():
        assert life[0] == "idle" and life[-1] == "completed", life
        assert gaps(life) == [], life


def test_every_transition_of_a_thousand_tasks_arrives_in_order(mock: Mock, serve):
    url = serve(**mock.variables).url

    async def run():
        async with client_of(url) as hearing, client_of(url) as quiet, client_of(url) as making:
            await hearing.ask("subscribe", topics=["tasks"])
            ids = await asyncio.gather(*[making.create(f"task {number}") for number in range(TASKS)])
            await hearing.until(lambda: hearing.ended(TASKS))
            lives_are_whole(hearing.states, ids)
            await quiet.ask("ping")
            assert not quiet.states and not quiet.others and not making.states and not making.others

    asyncio.run(run())


def test_who_subscribes_and_then_reads_misses_nothing(mock: Mock, serve):
    """While tasks run, each is subscribed to and then read: what the read did not show yet is told."""
    url = serve(**mock.variables).url

    async def watch(making, number: int):
        task = await making.create(f"task {number}")
        async with client_of(url) as hearing:
            await hearing.ask("subscribe", topics=["tasks"], task_id=task)
            seen = (await hearing.ask("get_task_status", task_id=task))["state"]
            if seen not in FINAL:
                await hearing.until(lambda: hearing.ended(1))
            states = hearing.states.get(task, [])
            assert set(hearing.states) <= {task}
            assert gaps(states) == []
            # It is one of those that were told, or the one before them; a read is never behind the answer.
            assert seen in states or gaps([seen, *states]) == [], (seen, states)
            assert not states or states[-1] == "completed", states
            return seen

    async def run():
        async with client_of(url) as making:
            seen = Counter()
            for start in range(0, 200, 20):
                seen.update(await asyncio.gather(*[watch(making, number) for number in range(start, start + 20)]))
            print(f"seen by the reads: {dict(seen)}")

    asyncio.run(run())


def test_a_slow_subscriber_is_closed_and_others_go_on(mock: Mock, serve):
    server = serve(OMNI_LOG_LEVEL="debug", **mock.variables)

    def is_closed() -> bool:
        return '"code":1008' in server.err.read_text()

    async def run(slow):
        slow.sendall(request("subscribe", 1, topics=["tasks"]))
        assert "subscription_id" in message(slow)["result"]
        async with client_of(server.url) as hearing, client_of(server.url) as making:
            await hearing.ask("subscribe", topics=["tasks"])
            ids = []
            # Until what the kernel takes for the slow one is full, and what the server keeps as well. The other
            # has never more than a tenth of that to read.
            while not is_closed():
                ids += await asyncio.gather(*[making.create("x" * 30_000) for _ in range(10)])
                await hearing.until(lambda: hearing.ended(len(ids)))
            ids.append(await making.create("after it"))
            await hearing.until(lambda: hearing.ended(len(ids)))
            lives_are_whole(hearing.states, ids)

    with upgraded(server, receive_buffer=4096) as slow:
        asyncio.run(run(slow))


def test_after_a_kill_one_may_subscribe_again(mock: Mock, serve):
    server = serve(**mock.variables)
    mock.arm(litellm=[HANG])

    async def before() -> str:
        async with client_of(server.url) as client:
            await client.ask("subscribe", topics=["tasks"])
            task = await client.create("outlives the server")
            await client.until(lambda: client.states.get(task, [])[-1:] == ["executing"])
            return task

    async def after(task: str):
        async with client_of(server.url) as client:
            await client.ask("subscribe", topics=["tasks"], task_id=task)
            state = (await client.ask("get_task_status", task_id=task))["state"]
            assert state in ("idle", "dispatching", "executing")
            await client.ask("cancel_task", task_id=task)
            await client.until(lambda: client.ended(1))
            assert gaps([state, *client.states[task]]) == [] or state in client.states[task]
            assert client.states[task][-1] == "cancelled"

    task = asyncio.run(before())
    server.kill()
    server = serve(port=server.port, **mock.variables)
    asyncio.run(after(task))


@asynccontextmanager
async def session_of(url: str):
    """A session of the Python SDK, and the notifications that it gets."""
    got = []
    came = anyio.Condition()

    async def hear(item) -> None:
        async with came:
            got.append(getattr(item, "root", item))
            came.notify_all()

    async def until(kind: type, count: int) -> list:
        async with came:
            while len(found := [each for each in got if isinstance(each, kind)]) < count:
                await came.wait()
            return found

    with anyio.fail_after(6 * DEADLINE):
        async with websocket_client(url) as streams:
            timeout = timedelta(seconds=DEADLINE)
            async with ClientSession(*streams, read_timeout_seconds=timeout, message_handler=hear) as session:
                hello = await session.initialize()
                assert hello.capabilities.resources.subscribe and hello.capabilities.resources.listChanged
                yield session, got, until


@sdk
def test_resources_of_the_sdk(mock: Mock, serve):
    url = serve(**mock.variables).url

    async def run():
        async with session_of(url) as (session, got, until), client_of(url) as making:
            ids = [await making.create(f"task {number}") for number in range(60)]
            listed = await session.list_resources()
            uris = [str(each.uri) for each in listed.resources]
            assert uris[0] == "omni://system"
            assert listed.nextCursor
            while listed.nextCursor:
                listed = await session.list_resources(listed.nextCursor)
                uris += [str(each.uri) for each in listed.resources]
            assert uris[1:] == [f"task://{each}" for each in reversed(ids)]
            [template] = (await session.list_resource_templates()).resourceTemplates
            assert template.uriTemplate == "task://{id}"
            for uri in (uris[0], uris[1]):
                [content] = (await session.read_resource(uri)).contents
                assert content.mimeType == "application/json" and str(content.uri) == uri
            with pytest.raises(McpError) as missing:
                await session.read_resource("task://no-such-task")
            assert missing.value.error.code == -32002
            assert missing.value.error.data == {"uri": "task://no-such-task"}
            # Listed before, so told once of what has come since.
            await making.create("one more")
            await making.create("and one")
            assert len(await until(ResourceListChangedNotification, 1)) == 1
            assert len((await session.list_resources()).resources) > 1
            await making.create("told again")
            assert len(await until(ResourceListChangedNotification, 2)) == 2
            assert not [each for each in got if isinstance(each, ResourceUpdatedNotification)]

    anyio.run(run)


@sdk
def test_subscriptions_of_the_sdk(mock: Mock, serve):
    url = serve(**mock.variables).url
    mock.arm(litellm=[HANG])

    async def run():
        async with session_of(url) as (session, got, until), client_of(url) as making:
            tasks = [await making.create("watched"), await making.create("not watched"), await making.create("ended")]
            with anyio.fail_after(DEADLINE):
                for task in tasks:
                    while (await making.ask("get_task_status", task_id=task))["state"] != "executing":
                        await anyio.sleep(0.02)
            for task in (tasks[0], tasks[0], tasks[2]):
                await session.subscribe_resource(f"task://{task}")
            await session.unsubscribe_resource(f"task://{tasks[2]}")
            for task in reversed(tasks):
                await making.ask("cancel_task", task_id=task)
            [told] = await until(ResourceUpdatedNotification, 1)
            assert str(told.params.uri) == f"task://{tasks[0]}"
            await session.send_ping()
            assert len(got) == 1

    anyio.run(run)
