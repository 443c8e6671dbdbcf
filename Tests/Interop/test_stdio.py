"""`omni-server --stdio` and `omni-server bridge`, over raw pipes and with the client of the Python SDK."""

import json
import os
import pty
import signal
import socket
import threading
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import anyio
import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from conftest import DEADLINE, HANG, Mock, clean_environment, free_port, limit, program, until
from piped import Piped

PONG = {"jsonrpc": "2.0", "id": 1, "result": {}}
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
TOKEN = "correct-horse-battery-staple"


@pytest.fixture
def pipe(start, tmp_path: Path):
    """Starts `omni-server --stdio` on a store of its own."""

    def begin(*arguments: str, data: Path | None = None, **variables) -> Piped:
        return start(
            Piped, tmp_path, "--stdio", *arguments, OMNI_DATA=str(data or tmp_path / "pipe"), **variables)

    return begin


@pytest.fixture
def bridge(start, tmp_path: Path):
    def begin(url: str, *arguments: str, **variables) -> Piped:
        return start(Piped, tmp_path, "bridge", url, *arguments, **variables)

    return begin


# Raw pipes

def test_every_dialect_is_answered_as_on_the_socket(pipe):
    client = pipe()
    assert client.ask(1, "ping") == PONG
    client.send({"method": "ping"})
    assert client.next() == {"result": "pong"}
    hello = client.initialize()
    assert hello["protocolVersion"] == "2025-11-25" and hello["serverInfo"]["name"] == "omni-orchestrator"
    assert len(client.ask(2, "tools/list")["result"]["tools"]) == 5
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
    assert client.ask(3, "server/discover", _meta=meta)["result"]["resultType"] == "complete"
    assert client.end() == (0, [])


def test_what_is_unreadable_is_answered_and_the_next_request_served(pipe):
    client = pipe()
    client.write(b"{oops\n\r\n\n[]\n\xff\xfe\n7\n")
    codes = [client.next() for _ in range(4)]
    # Before anything was readable, it is answered as to a client of MCP.
    assert [answer["error"]["code"] for answer in codes] == [-32700, -32600, -32700, -32600]
    assert all(answer["jsonrpc"] == "2.0" and answer["id"] is None for answer in codes)
    assert client.ask(1, "ping") == PONG
    client.send({"method": "ping"})
    assert client.next() == {"result": "pong"}
    client.write(b"{oops\n")
    assert set(client.next()) == {"error"}
    assert client.end() == (0, [])


def test_a_line_past_the_limit_is_refused_and_skipped(pipe):
    client = pipe()
    most = limit("message_bytes")
    frame = len(json.dumps({**PING, "x": ""}))
    longest = json.dumps({**PING, "x": "a" * (most - frame)}).encode()
    assert len(longest) == most
    client.write(longest + b"\r\n" + longest[:-1] + b" }\n")
    assert client.next() == PONG
    assert client.next()["error"]["code"] == -32600
    # Eight times the limit, and no end of it for a while: it is answered as soon as that is known.
    client.write(b"a" * (8 * most))
    refused = client.next()
    assert refused["error"]["code"] == -32600 and str(most) in refused["error"]["message"]
    client.write(b"a" * most + b"\n")
    assert client.ask(1, "ping") == PONG
    assert client.end() == (0, [])


def test_glued_and_split_messages(pipe):
    client = pipe()
    client.send(*({"jsonrpc": "2.0", "id": number, "method": "ping"} for number in range(500)))
    assert [client.next()["id"] for _ in range(500)] == list(range(500))
    for byte in json.dumps(PING).encode() + b"\r\n":
        client.write(bytes([byte]))
    assert client.next() == PONG
    # A last line may lack its end.
    client.write(json.dumps(PING).encode())
    assert client.end() == (0, [PONG])


def test_more_than_may_be_in_flight_is_not_read(mock: Mock, pipe):
    mock.arm(litellm=[HANG])
    client = pipe(**mock.variables)
    most = limit("in_flight")
    client.send(*(
        {"jsonrpc": "2.0", "id": number, "method": "create_task", "params": {"description": "x"}}
        for number in range(most)))
    until(lambda: mock.calls("/v1/chat/completions"), "a call of the model")
    # Nothing reads any more: neither a ping behind them nor what no pipe holds.
    written = threading.Event()

    def flood() -> None:
        client.write((json.dumps({**PING, "id": "last"}) + "\n").encode() + b"\n" * (4 << 20))
        written.set()

    threading.Thread(target=flood, daemon=True).start()
    assert not written.wait(0.5)
    assert client.lines.empty()
    client.process.send_signal(signal.SIGTERM)
    answers = client.rest()
    assert client.wait() == 0
    assert len(answers) >= most


def test_a_client_that_reads_slowly_loses_nothing(pipe, tmp_path: Path):
    """Ten thousand answers of two kilobytes each are far more than may wait for a client."""
    count = 10_000
    questions = tmp_path / "questions"
    with questions.open("w") as file:
        for number in range(count):
            file.write(json.dumps({"jsonrpc": "2.0", "id": f"{number:02000}", "method": "ping"}) + "\n")
    client = pipe(stdin=questions.open("rb"))
    assert [int(client.next()["id"]) for _ in range(count)] == list(range(count))
    assert client.next() is None
    assert client.wait() == 0


# The end

def test_what_can_be_answered_soon_is_answered_behind_the_end(mock: Mock, pipe):
    mock.arm(litellm=[{"fault": "slow", "on": "POST /v1/chat/completions", "times": 1}])
    client = pipe(**mock.variables)
    client.send({"jsonrpc": "2.0", "id": 1, "method": "create_task", "params": {"description": "x"}})
    code, [answer] = client.end()
    assert code == 0
    assert answer["id"] == 1 and answer["result"]["status"] == "completed"


def test_a_task_that_hangs_is_kept_for_the_next_start(mock: Mock, pipe):
    mock.arm(litellm=[HANG])
    client = pipe(**mock.variables)
    client.send({"jsonrpc": "2.0", "id": 1, "method": "create_task", "params": {"description": "x"}})
    code, [answer] = client.end()
    # Nobody knows when it will end.
    assert code == 0 and answer["id"] == 1 and answer["error"]["code"] == 1006
    mock.reset()
    again = pipe(**mock.variables)
    [task] = [task["task_id"] for task in again.ask(1, "list_tasks")["result"]["tasks"]]
    until(lambda: again.ask(2, "get_task_status", task_id=task)["result"]["state"] == "completed", "its end")
    assert again.end() == (0, [])


def test_who_listens_does_not_hold_up_the_end(pipe):
    client = pipe()
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
    told = client.ask(1, "subscriptions/listen", _meta=meta, notifications={"resourcesListChanged": True})
    assert told["method"] == "notifications/subscriptions/acknowledged"
    code, _ = client.end()
    assert code == 0
    assert '"its input has ended"' in client.err.read_text()


def test_kill_9_loses_no_task(mock: Mock, pipe):
    mock.arm(litellm=[HANG])
    client = pipe(**mock.variables)
    task = client.ask(1, "create_task", description="x", wait=False)["result"]["task_id"]
    client.kill()
    mock.reset()
    again = pipe(**mock.variables)
    until(lambda: again.ask(2, "get_task_status", task_id=task)["result"]["state"] == "completed", "its end")
    assert again.end() == (0, [])


def test_sigterm_drains(pipe):
    client = pipe()
    assert client.ask(1, "ping") == PONG
    assert client.terminate() == 0
    assert client.rest() == []


def test_a_client_that_is_gone_ends_it(pipe):
    client = pipe(stdout=(ends := os.pipe())[1])
    os.close(ends[1])
    os.close(ends[0])
    client.send(PING, PING)
    assert client.wait() == 0


@pytest.mark.parametrize("kind", ["file", "nothing", "socket", "terminal"])
def test_standard_input_and_output_of_any_kind(kind: str, start, tmp_path: Path):
    """epoll takes no regular files, and no mode of a descriptor is changed that others share."""
    variables = {"OMNI_DATA": str(tmp_path / "pipe")}
    question = json.dumps(PING).encode() + b"\n"
    if kind == "terminal":
        ours, theirs = pty.openpty()
        flags = os.get_blocking(theirs)
        client = start(Piped, tmp_path, "--stdio", stdin=theirs, **variables)
        os.write(ours, question)
        assert client.next() == PONG
        assert os.get_blocking(theirs) == flags
        os.write(ours, b"\x04")  # Ctrl-D
    elif kind == "socket":
        ours, theirs = socket.socketpair()
        client = start(Piped, tmp_path, "--stdio", stdin=theirs, stdout=theirs, **variables)
        theirs.close()
        ours.settimeout(DEADLINE)
        ours.sendall(question)
        assert json.loads(ours.makefile().readline()) == PONG
        ours.shutdown(socket.SHUT_WR)
    else:
        given = tmp_path / "in"
        given.write_bytes(question if kind == "file" else b"")
        with given.open("rb") as stdin, (tmp_path / "out").open("wb") as stdout:
            client = start(Piped, tmp_path, "--stdio", stdin=stdin, stdout=stdout, **variables)
        assert client.wait() == 0
        said = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
        assert said == ([] if kind == "nothing" else [PONG])
    assert client.wait() == 0


def test_only_messages_on_standard_output_even_at_debug(mock: Mock, pipe):
    client = pipe(OMNI_LOG_LEVEL="debug", **mock.variables)
    client.initialize()
    for number in range(1, 20):
        assert client.ask(number, "tools/call", name="create_task", arguments={"description": "x"})["id"] == number
    assert client.end() == (0, [])
    assert '"level":"debug"' in client.err.read_text()


def test_a_store_in_use_is_shared_by_a_bridge(serve, pipe, bridge, tmp_path: Path):
    server = serve(data=tmp_path / "pipe")
    second = pipe(OMNI_PORT=str(server.port))
    assert second.wait() == 1
    [line] = second.err.read_text().splitlines()
    assert line.startswith("omni-server: another server works on ")
    assert line.endswith(f"omni-server bridge {server.url}")
    client = bridge(line.rsplit(" ", 1)[1])
    assert client.ask(1, "ping") == PONG
    assert client.end() == (0, [])


# The bridge

def test_the_bridge_carries_every_dialect(serve, bridge):
    client = bridge(serve().url)
    assert client.ask(1, "ping") == PONG
    client.send({"method": "ping", "id": "x"})
    assert client.next() == {"result": "pong", "id": "x"}
    client.write(b"{oops\n")
    assert set(client.next()) == {"error"}
    client.write(b"a" * (limit("message_bytes") + 2) + b"\n")
    assert set(client.next()) == {"error"}
    client.send([PING, {"jsonrpc": "2.0", "id": 2, "method": "nope"}])
    assert [answer["id"] for answer in client.next()] == [1, 2]
    client.send(*({"jsonrpc": "2.0", "id": number, "method": "ping"} for number in range(500)))
    assert [client.next()["id"] for _ in range(500)] == list(range(500))
    # What was asked before the end of the input is answered behind it.
    client.send(PING)
    assert client.end() == (0, [PONG])


def test_the_bridge_sends_the_token(serve, bridge):
    url = serve(OMNI_TOKEN=TOKEN).url
    client = bridge(url, OMNI_TOKEN=TOKEN)
    assert client.ask(1, "ping") == PONG
    assert client.end() == (0, [])
    for given in ({}, {"OMNI_TOKEN": "wrong"}):
        client = bridge(url, **given)
        # It may have been refused before it has read anything.
        with suppress(BrokenPipeError):
            client.send(PING)
        assert [(answer["id"], answer["error"]["code"]) for answer in client.rest()] in ([], [(1, -32603)])
        assert client.wait() == 1
        assert "OMNI_TOKEN" in client.err.read_text()
        assert TOKEN not in client.err.read_text()


def test_the_bridge_waits_for_a_server_that_starts_later(serve, bridge):
    port = free_port()
    client = bridge(f"ws://127.0.0.1:{port}")
    client.send(PING)
    serve(port=port)
    assert client.next() == PONG
    assert client.end() == (0, [])


def test_the_bridge_gives_up_on_a_server_that_is_not_there(bridge):
    client = bridge(f"ws://127.0.0.1:{free_port()}")
    client.send(PING, {"method": "ping"})
    first, second = client.rest()
    assert first["id"] == 1 and "lost" in first["error"]["message"]
    assert set(second) == {"error"}
    assert client.wait() == 1
    assert "no connection to ws://127.0.0.1:" in client.err.read_text()


def test_a_restart_is_not_noticed_while_nothing_is_under_way(serve, bridge, tmp_path: Path):
    server = serve(data=tmp_path / "data")
    client = bridge(server.url)
    client.initialize("2025-06-18")
    for stop in (server.terminate, lambda: server.kill()):
        stop()
        # Asked while there is no server.
        client.send(PING)
        server = serve(port=server.port, data=tmp_path / "data")
        assert client.next() == PONG
        # The new connection knows what was agreed on: revisions from 2025-06-18 on have no batches.
        client.send([PING])
        assert client.next()["error"]["code"] == -32600
    assert client.end() == (0, [])


def test_what_is_under_way_is_answered_when_the_server_dies(mock: Mock, serve, bridge):
    mock.arm(litellm=[HANG])
    server = serve(**mock.variables)
    client = bridge(server.url)
    client.send(*(
        {"jsonrpc": "2.0", "id": number, "method": "create_task", "params": {"description": "x"}}
        for number in (1, 2)))
    client.send({"method": "create_task", "params": {"description": "x"}, "id": 3})
    client.send([{"jsonrpc": "2.0", "id": 4, "method": "create_task", "params": {"description": "x"}}])
    until(lambda: len(mock.calls("/v1/chat/completions")) == 4, "calls of the model")
    server.kill()
    one, two, three, four = client.rest()
    assert [one["id"], two["id"], three["id"], four[0]["id"]] == [1, 2, 3, 4]
    assert one["error"]["code"] == four[0]["error"]["code"] == -32603
    assert isinstance(three["error"], str)
    assert client.wait() == 1
    [line] = [line for line in client.err.read_text().splitlines() if line.startswith("omni-server: ")]
    assert f"the connection to {server.url} is lost" in line


def test_what_a_connection_has_promised_is_not_lost_in_silence(serve, bridge):
    server = serve()
    client = bridge(server.url)
    client.initialize()
    assert client.ask(1, "resources/subscribe", uri="omni://system")["result"] == {}
    server.kill()
    assert client.rest() == []
    assert client.wait() == 1
    assert "resources/subscribe" in client.err.read_text()


def test_the_bridge_ends_with_its_client(mock: Mock, serve, bridge):
    mock.arm(litellm=[HANG])
    server = serve(OMNI_LOG_LEVEL="debug", **mock.variables)
    client = bridge(server.url)
    client.send({"jsonrpc": "2.0", "id": 1, "method": "create_task", "params": {"description": "x"}})
    code, [answer] = client.end()
    assert code == 0 and answer["id"] == 1 and "error" in answer
    until(lambda: '"code":1000' in server.err.read_text(), "a close with 1000")
    client = bridge(server.url)
    assert client.ask(1, "ping") == PONG
    assert client.terminate() == 0
    assert client.rest() == []
    until(lambda: server.err.read_text().count('"code":1000') == 2, "another one")


@pytest.mark.parametrize("address, reason", [
    ("wss://example.org", "TLS"), ("http://127.0.0.1:1", "ws://"), ("nonsense", "no scheme"),
    ("ws://user@127.0.0.1", "credentials")])
def test_addresses_that_are_none(address: str, reason: str, bridge):
    client = bridge(address)
    assert client.wait() == 2
    assert reason in client.err.read_text()
    assert client.rest() == []


# The client of the Python SDK

@pytest.mark.parametrize("way", ["stdio", "bridge"])
def test_a_whole_session_of_the_python_client(way: str, mock: Mock, serve, tmp_path: Path):
    variables = mock.variables | {"OMNI_LOG_LEVEL": "debug", "OMNI_DATA": str(tmp_path / "pipe")}
    if way == "stdio":
        arguments = ["--stdio"]
    else:
        arguments = ["bridge", serve(OMNI_TOKEN=TOKEN, **mock.variables).url]
        variables["OMNI_TOKEN"] = TOKEN
    parameters = StdioServerParameters(
        command=program("omni-server"), args=arguments, env=clean_environment(**variables), cwd=tmp_path)
    strangers = []

    async def message(incoming) -> None:
        if isinstance(incoming, Exception):
            strangers.append(incoming)

    async def run():
        with anyio.fail_after(3 * DEADLINE), (tmp_path / "err").open("w") as errors:
            async with stdio_client(parameters, errlog=errors) as streams:
                async with ClientSession(
                    *streams, read_timeout_seconds=timedelta(seconds=DEADLINE), message_handler=message
                ) as session:
                    hello = await session.initialize()
                    assert hello.protocolVersion == "2025-11-25"
                    await session.send_ping()
                    assert len((await session.list_tools()).tools) == 5
                    created = await session.call_tool("create_task", {"description": "say hello"})
                    task = created.structuredContent["task_id"]
                    assert created.structuredContent["status"] == "completed"
                    read = await session.read_resource(f"task://{task}")
                    assert json.loads(read.contents[0].text)["task_id"] == task
                    unknown = await session.call_tool("get_task_status", {"task_id": "t-404"})
                    assert unknown.isError
                    async with anyio.create_task_group() as group:
                        for _ in range(20):
                            group.start_soon(session.call_tool, "create_task", {"description": "at once"})

    anyio.run(run)
    # A line that is no message would have come as an exception.
    assert strangers == []
    assert '"stopped"' in (tmp_path / "err").read_text() or way == "bridge"
