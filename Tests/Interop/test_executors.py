"""Executors over MCP: a real server, made with the Python SDK, does the tasks that are meant for it."""

import json
import os
import socket
import sys
import threading
from pathlib import Path

import pytest
from websockets.sync.client import connect
from websockets.sync.server import serve as websocket_server

from conftest import HERE, Child, Mock, Server, clean_environment, free_port, until

# An SDK takes seconds to load on a slow machine, and pauses between attempts grow to 10 s.
PATIENCE = 60.0
PROGRAM = str(HERE / "executor_server.py")
ENDED = ("completed", "failed", "cancelled")


class Executor:
    """What the tool has been asked, whoever started its process."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.file = folder / f"{name}.journal"

    @property
    def variables(self) -> dict[str, str]:
        return {"EXECUTOR_JOURNAL": str(self.file), "EXECUTOR_NAME": self.name}

    def lines(self, event: str) -> list[dict]:
        text = self.file.read_text() if self.file.exists() else ""
        # The last line may be half written.
        lines = [json.loads(line) for line in text.split("\n")[:-1]]
        return [line for line in lines if line["event"] == event]

    def begun(self, count: int = 1) -> list[dict]:
        def enough() -> list[dict] | None:
            lines = self.lines("begun")
            return lines if len(lines) >= count else None

        return until(enough, "the call of the tool", PATIENCE)

    def let_go(self) -> None:
        Path(f"{self.file}.go").touch()


class Client:
    """JSON-RPC over the socket of the server."""

    def __init__(self, url: str) -> None:
        self.connection = connect(url, open_timeout=PATIENCE, legacy=True)
        self.number = 0

    def ask(self, method: str, **params: object) -> dict:
        self.number += 1
        self.connection.send(json.dumps({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params}))
        answer = json.loads(self.connection.recv(timeout=PATIENCE))
        assert answer["id"] == self.number and "result" in answer, answer
        return answer["result"]

    def create(self, description: str, **params: object) -> str:
        return self.ask("create_task", description=description, wait=False, **params)["task_id"]

    def task(self, task_id: str) -> dict:
        return self.ask("get_task_status", task_id=task_id)

    def reaches(self, task_id: str, *states: str) -> dict:
        def there() -> dict | None:
            task = self.task(task_id)
            return task if task["state"] in states else None

        return until(there, f"one of the states {states}", PATIENCE)

    def done(self, description: str, **params: object) -> dict:
        return self.reaches(self.create(description, **params), *ENDED)

    def connected(self, *names: str) -> None:
        def all_are() -> bool:
            executors = self.ask("system_status")["executors"]
            return all(executors[name]["connected"] for name in names)

        until(all_are, "the connection with the executors", PATIENCE)


@pytest.fixture
def orchestrate(mock: Mock, serve, tmp_path: Path):
    """Starts a server with these executors; gives a client of it and the server."""
    clients: list[Client] = []

    def begin(executors: dict[str, dict], **variables: str):
        config = tmp_path / "config.yaml"
        # JSON is YAML.
        config.write_text(json.dumps({"mcp_servers": executors}))
        server = serve("--config", str(config), **mock.variables, **variables)
        clients.append(Client(server.url))
        return clients[-1], server

    yield begin
    for client in clients:
        client.connection.close()


@pytest.fixture
def executor(start, tmp_path: Path):
    """Starts an executor that listens; gives its journal, its process and its entry of the configuration."""

    def begin(kind: str, name: str, port: int | None = None, **variables: str):
        port = port or free_port()
        journal = Executor(tmp_path, name)
        child = start(
            Child, [sys.executable, PROGRAM, kind, str(port)], tmp_path,
            clean_environment(**journal.variables, **variables),
        )

        def listens() -> bool:
            assert child.process.poll() is None, child.err.read_text()
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        until(listens, "the executor listening", PATIENCE)
        url = f"ws://127.0.0.1:{port}/" if kind == "ws" else f"http://127.0.0.1:{port}/mcp/"
        return journal, child, {"url": url, "name": name}

    return begin


def program(folder: Path, name: str, **more: object) -> tuple[Executor, dict, dict[str, str]]:
    """An executor that the server starts itself; its variables come by way of the server."""
    journal = Executor(folder, name)
    entry = {"url": "stdio", "command": sys.executable, "args": [PROGRAM, "stdio"], "name": name, **more}
    return journal, entry, journal.variables


@pytest.fixture
def reach(executor, tmp_path: Path):
    """An executor over any transport: its journal, its entry, and the variables that the server needs for it."""

    def begin(kind: str, name: str) -> tuple[Executor, dict, dict[str, str]]:
        if kind == "stdio":
            return program(tmp_path, name)
        journal, _, entry = executor(kind, name)
        return journal, entry, {}

    return begin


def log(server, message: str) -> list[dict]:
    lines = (json.loads(line) for line in server.err.read_text().split("\n")[:-1] if line.startswith("{"))
    return [line for line in lines if line["msg"] == message]


@pytest.mark.parametrize("kind", ["ws", "http", "http-json", "stdio"])
@pytest.mark.parametrize(
    "name, params",
    [
        ("openclaw", {"type": "general"}),
        ("claude_code", {"type": "programming"}),
        ("moltworker", {"type": "24/7"}),
    ],
)
def test_a_task_is_done_by_the_executor_of_its_type(kind, name, params, reach, orchestrate, mock):
    journal, entry, variables = reach(kind, name)
    client, server = orchestrate({name: entry}, **variables)
    client.connected(name)
    history = [{"role": "user", "content": "before"}]
    task = client.done("steps towards it", history=history, **params)
    assert (task["state"], task["executor"]) == ("completed", name), task
    assert task["result"] == f"done by {name} after 1: steps towards it"
    [begun] = journal.begun()
    assert begun["task_id"] == task["task_id"] and begun["type"] == params["type"]
    assert begun["history"] == history
    assert mock.calls("/v1/chat/completions") == []
    steps = [] if kind == "http-json" else [1, 2, 3]
    until(lambda: [line["progress"] for line in log(server, "progress")] == steps, "the lines about progress")
    assert client.ask("system_status")["executors"] == {name: {"connected": True, "running": 0, "failures": 0}}
    if kind == "stdio":
        until(lambda: "a line for the log" in [line["text"] for line in log(server, "executor says")], "its line")
        assert server.terminate() == 0
        with pytest.raises(ProcessLookupError):
            os.kill(begun["process"], 0)


def test_words_choose_the_executor_and_the_others_go_through_litellm(executor, orchestrate, mock):
    _, _, entry = executor("ws", "claude_code")
    client, _ = orchestrate({"claude_code": entry})
    client.connected("claude_code")
    assert client.done("steps to fix the bug")["executor"] == "claude_code"
    assert client.done("say hello")["executor"] == "litellm"
    assert len(mock.calls("/v1/chat/completions")) == 1


def test_a_tool_that_reports_an_error_fails_its_task_once(executor, orchestrate, mock):
    journal, _, entry = executor("ws", "openclaw")
    client, _ = orchestrate({"openclaw": entry})
    client.connected("openclaw")
    task = client.done("fail please")
    assert task["state"] == "failed"
    assert task["error"] == "executor_failed: the tool cannot do this"
    assert task["error_info"]["class"] == "executor_failed"
    assert len(journal.begun()) == 1 and mock.calls("/v1/chat/completions") == []


@pytest.mark.parametrize("kind", ["ws", "http", "stdio"])
def test_a_task_whose_executor_dies_is_done_elsewhere(kind, reach, orchestrate, mock):
    journal, entry, variables = reach(kind, "openclaw")
    client, server = orchestrate({"openclaw": entry}, **variables)
    client.connected("openclaw")
    task = client.done("die now")
    assert (task["state"], task["executor"]) == ("completed", "litellm"), task
    assert len(journal.begun()) == 1 and len(mock.calls("/v1/chat/completions")) == 1
    until(lambda: log(server, "executor lost"), "the line about the loss", PATIENCE)
    if kind == "stdio":
        # Started again, it does the next one.
        client.connected("openclaw")
        assert client.done("steps again")["executor"] == "openclaw"


def test_a_task_waits_for_its_executor_and_is_done_after_its_return(executor, orchestrate, mock):
    port = free_port()
    journal, child, entry = executor("ws", "openclaw", port)
    client, _ = orchestrate({"openclaw": entry | {"fallback": "wait"}})
    client.connected("openclaw")
    task_id = client.create("held until it may go on")
    journal.begun()
    child.kill()
    client.reaches(task_id, "waiting")
    told = client.ask("create_task", description="another one")
    assert told["status"] == "suspended"
    assert told["message"] == "Executor openclaw unavailable, task suspended"
    journal.let_go()
    executor("ws", "openclaw", port)
    for each in (task_id, told["task_id"]):
        task = client.reaches(each, *ENDED)
        assert (task["state"], task["executor"]) == ("completed", "openclaw"), task
    assert mock.calls("/v1/chat/completions") == []


@pytest.mark.parametrize("kind", ["ws", "http", "stdio"])
def test_the_end_of_a_task_reaches_the_tool(kind, reach, orchestrate):
    journal, entry, variables = reach(kind, "openclaw")
    client, _ = orchestrate({"openclaw": entry}, **variables)
    client.connected("openclaw")
    task_id = client.create("hang there")
    journal.begun()
    assert client.ask("cancel_task", task_id=task_id)["state"] == "cancelled"
    until(lambda: [line["task_id"] for line in journal.lines("cancelled")] == [task_id], "the cancellation", PATIENCE)
    # The link is as good as before.
    assert client.done("steps after it")["executor"] == "openclaw"


def test_a_tool_that_hangs_is_given_up_and_told(executor, orchestrate, mock):
    journal, _, entry = executor("ws", "openclaw")
    client, _ = orchestrate({"openclaw": entry | {"timeout": "3s"}})
    client.connected("openclaw")
    task = client.done("hang there")
    assert task["state"] == "failed" and task["error_info"]["class"] == "timeout", task
    until(lambda: journal.lines("cancelled"), "the cancellation", PATIENCE)
    assert mock.calls("/v1/chat/completions") == []


def test_no_more_tasks_than_max_running_and_nobody_else_is_held_up(executor, orchestrate):
    journal, _, entry = executor("ws", "openclaw")
    client, _ = orchestrate({"openclaw": entry | {"max_running": 2}}, OMNI_ROUTER_MAX_RUNNING="3")
    client.connected("openclaw")
    held = [client.create(f"held {number}") for number in range(5)]
    journal.begun(2)
    # For nobody's executor: it has to find a place though five are waiting.
    assert client.done("fix the bug")["executor"] == "litellm"
    assert len(journal.lines("begun")) == 2
    assert client.ask("system_status")["executors"]["openclaw"]["running"] == 2
    assert client.ask("cancel_task", task_id=held[4])["state"] == "cancelled"
    journal.let_go()
    for task_id in held[:4]:
        assert client.reaches(task_id, *ENDED)["executor"] == "openclaw"
    assert {line["task_id"] for line in journal.lines("begun")} == set(held[:4])


def test_a_tool_that_is_not_there_is_named_in_the_log(executor, orchestrate):
    _, _, entry = executor("ws", "openclaw")
    client, server = orchestrate({"openclaw": entry | {"tool": "run_task"}})
    [line, *_] = until(lambda: log(server, "executor unavailable"), "the line about the tool", PATIENCE)
    assert line["cause"] == "there is no tool run_task among execute_task"
    assert client.done("say hello")["executor"] == "litellm"
    assert client.ask("system_status")["executors"]["openclaw"]["connected"] is False


def test_what_is_no_mcp_is_no_result(orchestrate, mock):
    def answer(connection) -> None:
        connection.recv()
        connection.send("this is no JSON")
        for _ in connection:
            pass

    with websocket_server(answer, "127.0.0.1", 0, subprotocols=["mcp"]) as garbage:
        thread = threading.Thread(target=garbage.serve_forever)
        thread.start()
        try:
            port = garbage.socket.getsockname()[1]
            client, server = orchestrate({"openclaw": {"url": f"ws://127.0.0.1:{port}"}})
            [line, *_] = until(lambda: log(server, "executor unavailable"), "the line about the garbage", PATIENCE)
            assert "no JSON" in line["cause"]
            assert client.done("say hello")["executor"] == "litellm"
        finally:
            garbage.shutdown()
            thread.join()


def test_losing_litellm_queues_one_repair_which_its_executor_does(executor, orchestrate, mock):
    journal, _, entry = executor("ws", "claude_code")
    client, _ = orchestrate({"claude_code": entry}, OMNI_HEALTH_INTERVAL="100ms")
    client.connected("claude_code")
    mock.arm(litellm=[{"on": "*", "status": 503}])
    until(lambda: client.ask("system_status")["system_state"] != "normal", "the loss of LiteLLM", PATIENCE)
    [begun] = journal.begun()
    assert begun["type"] == "repair" and mock.litellm in begun["description"]
    task = client.reaches(begun["task_id"], *ENDED)
    assert (task["state"], task["type"], task["executor"]) == ("completed", "repair", "claude_code")
    # Programming goes there too, while LiteLLM is lost.
    assert client.done("steps to fix the bug")["executor"] == "claude_code"
    assert len(journal.lines("begun")) == 2


@pytest.mark.parametrize(
    "entry, text",
    [
        ({"url": "wss://example.org"}, "must not begin with wss://"),
        ({"url": "openclaw"}, 'must be one of ws://, http://, https://, stdio, or stdio: with a command behind it'),
        ({"url": "http://user:pass@example.org"}, "must not hold a user name or password"),
    ],
)
def test_a_place_that_cannot_be_used_is_refused_at_the_start(entry, text, start, tmp_path: Path):
    (tmp_path / "config.yaml").write_text(json.dumps({"mcp_servers": {"openclaw": entry}}))
    server = start(Server, tmp_path, 0, tmp_path / "data", ["--config", "config.yaml"], {})
    assert server.wait() == 2
    message = server.err.read_text()
    assert "config.yaml:1:" in message and f"mcp_servers.*.url {text}" in message


def test_a_program_with_no_command_is_warned_about(orchestrate):
    client, server = orchestrate({"claude_code": {"url": "stdio", "name": "Claude Code"}})
    warning = "executors without a url, or with stdio but no command: their tasks go through LiteLLM"
    [line] = until(lambda: log(server, warning), "the warning")
    assert line["mcp_servers"] == ["claude_code"]
    assert client.done("fix the bug")["executor"] == "litellm"


def test_our_keys_are_not_given_to_programs(orchestrate, tmp_path: Path):
    target = tmp_path / "environment"
    # It ends at once and is started again: what is read here must be whole at any time.
    script = (
        f"import os; name = {str(target)!r}; own = name + str(os.getpid())\n"
        "with open(own, 'w') as file: file.write('\\n'.join(os.environ))\n"
        "os.replace(own, name)"
    )
    orchestrate({"openclaw": {"command": sys.executable, "args": ["-c", script]}}, PLAIN="x")
    until(target.exists, "the start of the program", PATIENCE)
    names = target.read_text().split("\n")
    assert "PLAIN" in names and "PATH" in names
    assert not {"LITELLM_API_KEY", "GITHUB_LITELLM_KEY", "OMNI_TOKEN"} & set(names)


def test_what_a_program_started_ends_with_it(orchestrate, tmp_path: Path):
    file = tmp_path / "grandchild"
    script = (
        "import subprocess, sys; child = subprocess.Popen(['sleep', '600']); "
        f"open({str(file)!r}, 'w').write(f'{{child.pid}}\\n'); sys.stdin.read(); sys.stdin.read()"
    )
    _, server = orchestrate({"openclaw": {"command": sys.executable, "args": ["-c", script]}})
    pid = int(until(lambda: file.exists() and "\n" in file.read_text() and file.read_text(), "its child", PATIENCE))
    assert server.terminate() == 0

    def is_gone() -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        # Whoever adopted it may not have waited for it yet.
        return " Z " in Path(f"/proc/{pid}/stat").read_text()

    until(is_gone, "the end of its child", PATIENCE)
