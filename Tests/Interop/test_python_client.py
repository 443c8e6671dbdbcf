"""A plain Python client, of the kind that is deployed today, against the built server."""

import json
import socket
from pathlib import Path

import pytest
from websockets.sync.client import connect

from conftest import DEADLINE, Child, Mock, Server, clean_environment, free_port, http, program, until


def ask(url: str, *requests: object) -> list[object]:
    """Sends the requests one after the other on one connection and gives the answers."""
    answers = []
    with connect(url, open_timeout=DEADLINE, close_timeout=DEADLINE) as connection:
        for request in requests:
            connection.send(json.dumps(request))
            answers.append(json.loads(connection.recv(timeout=DEADLINE)))
    return answers


def create(description: str) -> dict:
    return {"method": "create_task", "params": {"description": description}}


def status(task_id: str) -> dict:
    return {"method": "get_task_status", "params": {"task_id": task_id}}


def test_ping(serve):
    assert ask(serve().url, {"method": "ping"}) == [{"result": "pong"}]


def test_jsonrpc_ping(serve):
    answer = ask(serve().url, {"jsonrpc": "2.0", "id": 1, "method": "ping"})
    assert answer == [{"jsonrpc": "2.0", "id": 1, "result": {}}]


def test_a_created_task_is_read_back(mock: Mock, serve):
    server = serve(**mock.variables)
    [created] = ask(server.url, create("say hello"))
    assert created["result"]["status"] == "completed"
    [read] = ask(server.url, status(created["result"]["task_id"]))
    assert read["result"]["description"] == "say hello"
    assert read["result"]["state"] == "completed"
    assert read["result"]["result"] == created["result"]["result"]
    assert [call["method"] for call in mock.calls("/v1/chat/completions")] == ["POST"]


def test_ids_are_compared_exactly(mock: Mock, serve):
    """No transcript can say it: a captured id cannot be changed there."""
    server = serve(**mock.variables)
    task_id = ""
    while task_id.upper() == task_id:  # an id without a letter has no other case
        [created] = ask(server.url, create("say hello"))
        task_id = created["result"]["task_id"]
    for other in (task_id.upper(), f" {task_id}", f"{task_id} ", task_id.replace("-", ""), task_id[:-1]):
        assert ask(server.url, status(other)) == [{"result": {"error": "Task not found"}}], other
    [read] = ask(server.url, status(task_id))
    assert read["result"]["task_id"] == task_id


def test_a_task_outlives_kill(mock: Mock, serve):
    server = serve(**mock.variables)
    [created] = ask(server.url, create("keep me"))
    server.kill()
    server = serve(port=server.port, **mock.variables)
    [read] = ask(server.url, status(created["result"]["task_id"]))
    assert read["result"]["description"] == "keep me"
    assert read["result"]["state"] == "completed"
    assert read["result"]["result"] == created["result"]["result"]
    assert len(mock.calls("/v1/chat/completions")) == 1


def test_sigterm_ends_it_with_0(serve):
    server = serve()
    assert ask(server.url, {"method": "ping"}) == [{"result": "pong"}]
    assert server.terminate() == 0


def test_sigterm_ends_it_with_0_while_somebody_is_connected(serve):
    server = serve()
    with connect(server.url, open_timeout=DEADLINE, close_timeout=DEADLINE) as connection:
        connection.send(json.dumps({"method": "ping"}))
        connection.recv(timeout=DEADLINE)
        assert server.terminate() == 0


def test_while_it_drains_it_takes_no_tasks_and_serves_the_rest(mock: Mock, serve):
    server = serve(**mock.variables)
    mock.arm(litellm=[{"on": "POST /v1/chat/completions", "delay": "2s", "times": 1}])

    def request(number: int, method: str, **params: str) -> str:
        return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params})

    with connect(server.url, open_timeout=DEADLINE, close_timeout=DEADLINE) as connection:
        connection.send(request(1, "create_task", description="keeps it busy"))
        until(lambda: mock.calls("/v1/chat/completions"), "the call of the model")
        server.process.terminate()
        until(lambda: http(f"http://127.0.0.1:{server.port}/readyz")[0] == 503, "/readyz saying 503")
        connection.send(request(2, "create_task", description="comes too late"))
        connection.send(request(3, "ping"))
        answers = {}
        while not {2, 3} <= answers.keys():
            answer = json.loads(connection.recv(timeout=DEADLINE))
            answers[answer["id"]] = answer
        assert answers[2]["error"]["code"] == 1006
        assert answers[2]["error"]["message"] == "Server is shutting down"
        assert answers[3]["result"] == {}
        assert http(f"http://127.0.0.1:{server.port}/healthz")[0] == 200
    assert server.wait() == 0


# A server that cannot run says why, in one line, and ends.


def refusal(child: Child) -> tuple[int, str]:
    """The exit code and the one line on standard error that is no line of the log."""
    code = child.wait()
    lines = [line for line in child.err.read_text().splitlines() if line and not line.startswith("{")]
    told = [line for line in lines if line.startswith("omni-server: ")]
    assert len(told) == 1, lines
    assert not any("Fatal error" in line or "Stack dump" in line for line in lines), lines
    return code, told[0]


@pytest.fixture
def refused(start, tmp_path: Path):
    def begin(*arguments: str, port: int | None = None, data: Path | None = None, **variables: str):
        child = start(Server, tmp_path, port or free_port(), data or tmp_path / "data", list(arguments), variables)
        return refusal(child)

    return begin


def test_an_unknown_key_is_named_with_its_place(refused, tmp_path: Path):
    file = tmp_path / "wrong.yaml"
    file.write_text("server:\n  port: 18765\n  prot: 1\n")
    code, line = refused("--config", str(file))
    assert code != 0
    assert "prot" in line and f"{file}:3:3" in line


def test_a_wrong_type_is_named_with_its_place(refused, tmp_path: Path):
    file = tmp_path / "wrong.yaml"
    file.write_text("server:\n  max_queued: many\n")
    code, line = refused("--config", str(file))
    assert code != 0
    assert "max_queued" in line and f"{file}:2:" in line


def test_a_missing_spec_folder_is_named(refused, tmp_path: Path):
    code, line = refused("--spec", str(tmp_path / "nowhere"))
    assert code != 0
    assert "nowhere" in line


def test_a_port_in_use_is_named(refused):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, line = refused(port=port)
    assert code != 0
    assert str(port) in line


@pytest.mark.parametrize("below_a_file", [False, True])
def test_a_data_folder_that_is_none_is_named(refused, tmp_path: Path, below_a_file: bool):
    # Modes would not do: root may write everywhere.
    file = tmp_path / "a-file"
    file.write_text("")
    code, line = refused(data=file / "data" if below_a_file else file)
    assert code != 0
    assert "a-file" in line or "OMNI_DATA" in line


def test_healthcheck_is_0_while_it_runs_and_1_otherwise(serve, start, tmp_path: Path):
    server = serve()
    environment = clean_environment(OMNI_PORT=str(server.port))
    check = [program("omni-server"), "healthcheck"]
    assert start(Child, check, tmp_path, environment).wait() == 0
    assert server.terminate() == 0
    assert start(Child, check, tmp_path, environment).wait() == 1
