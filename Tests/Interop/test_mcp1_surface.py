"""The Python SDK 1.x over each transport and in each revision before 2026: everything it can ask for."""

import itertools
from contextlib import asynccontextmanager
from datetime import timedelta

import anyio
import mcp.types
import pytest
from mcp import ClientSession
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.client.websocket import websocket_client

import mcp1_surface as surface
from conftest import DEADLINE, clean_environment, program
from mcp1_surface import Heard
from mcp_schema import LEGACY
from upstream import upstream

pytestmark = [
    # Gone in mcp 2; clients in the field have them.
    pytest.mark.filterwarnings("ignore:The WebSocket client transport:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The experimental tasks API:DeprecationWarning"),
]


@pytest.fixture
def world():
    with upstream() as world:
        yield surface.never_ending(world)


@pytest.fixture
def connect(world, serve, tap, tmp_path):
    """Gives what opens the streams of a transport, through the tap, to a server of the test's own."""

    def launched(*words: str, **variables: str):
        command, *arguments = tap.command(program("omni-server"), *words)
        environment = clean_environment(**variables)
        return stdio_client(StdioServerParameters(command=command, args=arguments, env=environment))

    def streams(transport: str):
        if transport == "stdio":
            return launched("--stdio", OMNI_DATA=str(tmp_path / "data"), **world.variables)
        server = serve(**world.variables)
        if transport == "bridge":
            return launched("bridge", server.url)
        return websocket_client(tap.ws(server)) if transport == "ws" else streamable_http_client(tap.http(server))

    @asynccontextmanager
    async def opened(transport: str, heard: Heard):
        with anyio.fail_after(6 * DEADLINE):
            async with streams(transport) as (read, write, *_):
                timeout = timedelta(seconds=DEADLINE)
                async with ClientSession(read, write, read_timeout_seconds=timeout, **heard.keywords()) as session:
                    yield session

    return opened


WAYS = [*itertools.product(["ws", "http", "stdio"], LEGACY), ("bridge", LEGACY[-1])]


@pytest.mark.parametrize("transport, revision", WAYS)
def test_everything_there_is(transport: str, revision: str, connect, world, monkeypatch):
    monkeypatch.setattr(mcp.types, "LATEST_PROTOCOL_VERSION", revision)

    async def run():
        heard = Heard()
        async with connect(transport, heard) as session:
            hello = await session.initialize()
            assert hello.protocolVersion == revision
            can = hello.capabilities
            assert can.tools and can.resources.subscribe and can.prompts and can.logging is not None
            assert bool(can.completions is not None) == (revision >= "2025-03-26")
            assert bool(can.tasks) == (revision >= "2025-11-25")
            task = await surface.tools(session, revision)
            await surface.mistakes(session, revision)
            await surface.resources(session, task)
            await surface.updates(session, heard)
            await surface.prompts(session)
            if revision >= "2025-03-26":
                await surface.completions(session, task)
            await surface.logging(session, heard)
            await surface.progress(session, heard)
            await surface.cancellation(session, world)
            if revision >= "2025-11-25":
                await surface.tasks(session)

    anyio.run(run)


def test_what_a_cut_connection_has_missed_is_caught_up_with(connect, world, tap):
    """Over HTTP: the SDK comes back with the id of the last event, and is given the answer."""
    world.pause = 3.0

    async def run():
        heard = Heard()
        async with connect("http", heard) as session:
            await session.initialize()
            results = []

            async def ask() -> None:
                arguments = {"description": "outlives the connection"}
                results.append(await session.call_tool("create_task", arguments, progress_callback=heard.on_progress))

            async with anyio.create_task_group() as group:
                group.start_soon(ask)
                await surface.eventually(lambda: world.open["outlives the connection"], "the call of the model")
                tap.cut()
            assert results[0].structuredContent["status"] == "completed"
            await session.send_ping()

    anyio.run(run)
    assert any("last-event-id" in head for head in tap.requests("GET"))
    assert world.begun["outlives the connection"] == 1
    assert tap.requests("DELETE"), "the session was not ended"
