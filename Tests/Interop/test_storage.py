"""What a client sees when the disk does not do what it should."""

import json
import sqlite3
from pathlib import Path

from websockets.sync.client import connect

from conftest import DEADLINE, Mock, http, until

STORAGE_UNAVAILABLE = 1004


def test_a_store_that_cannot_be_written_is_told_and_recovers(mock: Mock, serve, tmp_path: Path):
    server = serve(**mock.variables)
    requests = iter(range(1, 100))

    with connect(server.url, open_timeout=DEADLINE) as connection:

        def ask(method: str, **params) -> dict:
            number = next(requests)
            connection.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))
            answer = json.loads(connection.recv(timeout=DEADLINE))
            assert answer["id"] == number
            return answer

        before = ask("create_task", description="before")["result"]
        somebody = sqlite3.connect(tmp_path / "data" / "omni.db", isolation_level=None)
        somebody.execute("BEGIN IMMEDIATE")
        try:
            refused = ask("create_task", description="refused")["error"]
            assert (refused["code"], refused["message"]) == (STORAGE_UNAVAILABLE, "Storage unavailable")
            # Reading goes on, and so does everything that needs no disk.
            assert ask("get_task_status", task_id=before["task_id"])["result"]["state"] == "completed"
            assert ask("ping")["result"] == {}
            assert http(f"http://127.0.0.1:{server.port}/readyz")[0] == 503
        finally:
            somebody.execute("ROLLBACK")
            somebody.close()

        until(lambda: http(f"http://127.0.0.1:{server.port}/readyz")[0] == 200, "/readyz saying 200 again")
        assert ask("create_task", description="after")["result"]["status"] == "completed"
        listed = ask("list_tasks")["result"]["tasks"]
        assert [task["description"] for task in listed] == ["after", "before"]


def test_a_task_whose_row_cannot_be_written_is_finished_later(mock: Mock, serve, tmp_path: Path):
    server = serve(**mock.variables)
    mock.arm(litellm=[{"on": "POST /v1/chat/completions", "delay": "300ms", "times": 1}])
    with connect(server.url, open_timeout=DEADLINE) as connection:
        connection.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "create_task", "params": {"description": "x"}}))
        until(lambda: mock.calls("/v1/chat/completions"), "the call")
        somebody = sqlite3.connect(tmp_path / "data" / "omni.db", isolation_level=None)
        somebody.execute("BEGIN IMMEDIATE")
        try:
            answer = json.loads(connection.recv(timeout=DEADLINE))
        finally:
            somebody.execute("ROLLBACK")
            somebody.close()
        assert answer["error"]["code"] == STORAGE_UNAVAILABLE
        task_id = answer["error"]["data"]["task_id"]

        def state() -> bool:
            request = {"jsonrpc": "2.0", "id": 2, "method": "get_task_status", "params": {"task_id": task_id}}
            connection.send(json.dumps(request))
            return json.loads(connection.recv(timeout=DEADLINE))["result"]["state"] == "completed"

        until(state, "the end of the task")


def test_two_servers_do_not_share_a_store(serve, start, tmp_path: Path):
    from conftest import Server, free_port

    server = serve()
    second = start(Server, tmp_path, free_port(), tmp_path / "data", [], {})
    assert second.wait() == 1
    [line] = second.err.read_text().splitlines()
    assert "another server works on" in line
    assert http(f"http://127.0.0.1:{server.port}/healthz")[0] == 200
