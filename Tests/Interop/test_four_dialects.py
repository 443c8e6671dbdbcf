"""Every dialect on one port at the same time: each client is answered in its own, and all see the same tasks."""

import itertools
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager
from datetime import timedelta

import pytest
from anyio.from_thread import start_blocking_portal
from mcp import ClientSession
from mcp.client.websocket import websocket_client
from websockets.sync.client import connect

from conftest import DEADLINE, Mock
from mcp_http import META, STATELESS, Endpoint, Session, Stateless, held

# Gone in mcp 2; clients in the field have it.
pytestmark = pytest.mark.filterwarnings("ignore:The WebSocket client transport:DeprecationWarning")

UNKNOWN = "t-404"
ROUNDS = 5


class Bare:
    """No ids needed: answers come in order."""

    def __init__(self, connection) -> None:
        self.connection = connection

    def ask(self, method: str, **params) -> dict:
        self.connection.send(json.dumps({"method": method, "params": params}))
        answer = json.loads(self.connection.recv(timeout=DEADLINE))
        assert set(answer) == {"result"}, answer
        return answer["result"]

    def create(self, description: str) -> dict:
        return self.ask("create_task", description=description)

    def read(self, task: str) -> dict:
        return self.ask("get_task_status", task_id=task)

    def misses(self) -> None:
        assert self.read(UNKNOWN) == {"error": "Task not found"}


class JSONRPC:
    def __init__(self, connection) -> None:
        self.connection = connection
        self.ids = itertools.count()

    def ask(self, method: str, **params) -> dict:
        number = next(self.ids)
        self.connection.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))
        answer = json.loads(self.connection.recv(timeout=DEADLINE))
        assert answer["jsonrpc"] == "2.0" and answer["id"] == number
        return answer

    def create(self, description: str) -> dict:
        return self.ask("create_task", description=description)["result"]

    def read(self, task: str) -> dict:
        return self.ask("get_task_status", task_id=task)["result"]

    def misses(self) -> None:
        answer = self.ask("get_task_status", task_id=UNKNOWN)
        assert answer["error"] == {"code": 1001, "message": "Task not found", "data": {}}


class Tools:
    """A client of MCP, whatever carries it; `call` gives the result of a tool."""

    def call(self, tool: str, arguments: dict) -> dict:
        raise NotImplementedError

    def checked(self, tool: str, **arguments) -> dict:
        result = self.call(tool, arguments)
        assert not result.get("isError"), result
        [text] = result["content"]
        assert json.loads(text["text"]) == result["structuredContent"]
        return result["structuredContent"]

    def create(self, description: str) -> dict:
        return self.checked("create_task", description=description)

    def read(self, task: str) -> dict:
        return self.checked("get_task_status", task_id=task)

    def misses(self) -> None:
        result = self.call("get_task_status", {"task_id": UNKNOWN})
        assert result["isError"] and "Task not found" in result["content"][0]["text"]


class Python(Tools):
    """`mcp` 1.x, which speaks 2025-11-25 over WebSocket."""

    def __init__(self, portal, session) -> None:
        self.portal, self.session = portal, session

    def call(self, tool: str, arguments: dict) -> dict:
        result = self.portal.call(self.session.call_tool, tool, arguments)
        return result.model_dump(mode="json", by_alias=True, exclude_none=True)


class StatelessSocket(Tools):
    """2026-07-28 over WebSocket: nothing is agreed on, each message says what it is."""

    def __init__(self, connection) -> None:
        self.connection = connection
        self.ids = itertools.count()

    def call(self, tool: str, arguments: dict) -> dict:
        number = next(self.ids)
        params = {
            "name": tool, "arguments": arguments,
            "_meta": {META + "protocolVersion": STATELESS, META + "clientCapabilities": {},
                      META + "clientInfo": {"name": "four-dialects", "version": "1"}}}
        self.connection.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}))
        answer = held(STATELESS, "tools/call", params, json.loads(self.connection.recv(timeout=DEADLINE)))
        assert answer["id"] == number and answer["result"]["resultType"] == "complete"
        return answer["result"]


class OverHTTP(Tools):
    """Either era over `/mcp`."""

    def __init__(self, session: Session | Stateless) -> None:
        self.session = session

    def call(self, tool: str, arguments: dict) -> dict:
        result = self.session.result("tools/call", {"name": tool, "arguments": arguments})
        assert ("resultType" in result) == isinstance(self.session, Stateless)
        return result


@asynccontextmanager
async def python_session(url: str):
    async with websocket_client(url) as streams:
        async with ClientSession(*streams, read_timeout_seconds=timedelta(seconds=DEADLINE)) as session:
            assert (await session.initialize()).protocolVersion == "2025-11-25"
            yield session


@contextmanager
def everybody(port: int):
    """Clients by name, all connected to one port."""
    socket, http = f"ws://127.0.0.1:{port}", f"http://127.0.0.1:{port}/mcp"
    with ExitStack() as stack:
        def opened(**options):
            return stack.enter_context(connect(socket, **options))

        portal = stack.enter_context(start_blocking_portal())
        session = stack.enter_context(portal.wrap_async_context_manager(python_session(socket)))
        yield {
            "bare": Bare(opened()),
            "JSON-RPC": JSONRPC(opened()),
            "2025-11-25 over ws": Python(portal, session),
            "2026-07-28 over ws": StatelessSocket(opened(subprotocols=["mcp"])),
            "2025-06-18 over http": OverHTTP(Session(Endpoint(http), "2025-06-18")),
            "2026-07-28 over http": OverHTTP(Stateless(Endpoint(http))),
        }


def test_every_dialect_at_the_same_time_on_one_port(mock: Mock, serve):
    server = serve(**mock.variables)
    with everybody(server.port) as clients, ThreadPoolExecutor(len(clients)) as pool:
        together = threading.Barrier(len(clients))

        def work(client) -> list[str]:
            tasks = []
            for number in range(ROUNDS):
                together.wait(DEADLINE)
                created = client.create(f"task {number}")
                assert created["status"] == "completed" and created["result"]
                tasks.append(created["task_id"])
                client.misses()
            return tasks

        made = dict(zip(clients, pool.map(work, clients.values())))
        everything = [task for tasks in made.values() for task in tasks]
        assert len(set(everything)) == ROUNDS * len(clients)

        def look(client) -> list[dict]:
            together.wait(DEADLINE)
            return [client.read(task) for task in everything]

        seen = dict(zip(clients, pool.map(look, clients.values())))
    # A task is the same whoever looks at it, in whatever words it is told.
    first = seen["JSON-RPC"]
    assert all(task["state"] == "completed" for task in first)
    assert all(tasks == first for tasks in seen.values())
    assert [task["task_id"] for task in first] == everything


@pytest.mark.parametrize("revision", ["2024-11-05", "2025-11-25"])
def test_every_dialect_in_turn_on_one_connection(revision: str, mock: Mock, serve):
    """What a message is read by is chosen for each, before `initialize` and behind it."""
    server = serve(**mock.variables)
    with connect(server.url, subprotocols=["mcp"]) as connection:
        clients = [Bare(connection), JSONRPC(connection), StatelessSocket(connection)]

        def everything() -> None:
            for client in clients:
                task = client.create("whatever")["task_id"]
                client.misses()
                assert {other.read(task)["state"] for other in clients} == {"completed"}

        everything()
        params = {"protocolVersion": revision, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        assert clients[1].ask("initialize", **params)["result"]["protocolVersion"] == revision
        everything()
