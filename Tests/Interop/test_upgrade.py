"""Stores of earlier versions, as their servers left them: what becomes of them, and what if that is broken off."""

import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from conftest import HERE, Server, clean_environment, free_port, http, program
from test_backup import NOWHERE, Client, command, tasks_in

VERSIONS = {int(path.stem.partition("-")[2]): path for path in sorted((HERE / "schemas").glob("version-*.sql"))}
NOW = 3
# The tasks of these stores are from long ago.
KEPT = NOWHERE | {"OMNI_TASK_RETENTION_DAYS": "36500"}
OLD = "00000000-0000-4000-8000-00000000000"


def make(data: Path, version: int, more: int = 0) -> None:
    """A store of this version whose last transactions are in its log only, for its server was killed."""
    data.mkdir(exist_ok=True)
    live = data.parent / "live"
    live.mkdir()
    database = sqlite3.connect(live / "omni.db", isolation_level=None)
    database.execute("PRAGMA wal_autocheckpoint = 0")
    database.executescript(VERSIONS[version].read_text())
    columns = "id, description, type, state, created_at, updated_at, executor, model, complexity"
    database.execute("BEGIN")
    for number in range(more):
        database.execute(
            f"INSERT INTO tasks ({columns}) VALUES (?, ?, 'general', 'waiting', 1000, 1000, 'litellm', 'small', 50)",
            (f"10000000-0000-4000-8000-{number:012d}", f"more {number} {'x' * 500}"))
    database.execute("COMMIT")
    for name in ["omni.db", "omni.db-wal"]:
        (data / name).write_bytes((live / name).read_bytes())
    assert (data / "omni.db-wal").stat().st_size > 0
    database.close()


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return database.execute("PRAGMA user_version").fetchone()[0]


def test_there_is_a_file_for_every_earlier_version():
    assert sorted(VERSIONS) == list(range(1, NOW))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_store_of_an_earlier_version_is_taken_over(version: int, start, tmp_path: Path):
    data = tmp_path / "data"
    make(data, version)
    server = start(Server, tmp_path, free_port(), data, [], KEPT).ready()
    client = Client(server.url)
    answer = client.ask("get_task_status", task_id=f"{OLD}1")
    assert "result" in answer, (answer, server.err.read_text())
    first = answer["result"]
    assert (first["state"], first["result"], first["attempts"]) == ("completed", "done", 1)
    steps = client.ask("get_task_timeline", task_id=f"{OLD}1")["result"]
    assert [step["state"] for step in steps["steps"]] == ["idle", "completed"] and steps["truncated"]
    assert client.ask("create_task", description="first", idempotency_key="key")["result"]["task_id"] == f"{OLD}1"
    client.create("new")
    client.close()
    assert server.terminate() == 0
    assert '"the task store was brought to this version"' in server.err.read_text()
    assert version_of(data / "omni.db") == NOW
    kept = data / f"omni.db.v{version}.bak"
    assert version_of(kept) == version and kept.stat().st_mode & 0o777 == 0o600

    # The way back, for the server before; and that copy is taken over like the store was.
    done = command(data, "restore", str(kept), "--force")
    assert done.returncode == 0, done.stderr
    assert version_of(data / "omni.db") == version
    server = start(Server, tmp_path, server.port, data, [], KEPT).ready()
    client = Client(server.url)
    assert client.ask("get_task_status", task_id=f"{OLD}1")["result"] == first
    client.close()
    assert server.terminate() == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_a_kill_in_the_middle_leaves_the_store_before_or_after(version: int, tmp_path: Path):
    data = tmp_path / "data"
    make(data, version, more=3000)
    saved = {path.name: path.read_bytes() for path in data.iterdir()}
    expected = {"first", "second", "third", "fifth"}
    environment = clean_environment(OMNI_DATA=str(data), OMNI_PORT=str(free_port()), **KEPT)
    wait, seen = 0.0, set()
    while NOW not in seen or len(seen) < 2:
        for path in data.iterdir():
            path.unlink()
        for name, content in saved.items():
            (data / name).write_bytes(content)
        process = subprocess.Popen(
            [program("omni-server")], env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.wait()
        wait += 0.01
        found = tasks_in(data)
        assert len(found) == 3004 and expected <= found
        seen.add(version_of(data / "omni.db"))
        kept = data / f"omni.db.v{version}.bak"
        if NOW in seen:
            assert version_of(kept) == version
    assert seen == {version, NOW}


def test_a_store_of_a_newer_version_is_refused(serve, start, tmp_path: Path):
    data = tmp_path / "data"
    assert serve(**NOWHERE).terminate() == 0
    with closing(sqlite3.connect(data / "omni.db", isolation_level=None)) as database:
        database.execute("PRAGMA user_version = 99")
    before = (data / "omni.db").read_bytes()
    server = start(Server, tmp_path, free_port(), data, [], NOWHERE)
    assert server.wait() == 1
    [line] = server.err.read_text().splitlines()
    assert "was written by a newer server: its version is 99, this one knows 3" in line
    assert (data / "omni.db").read_bytes() == before
    with pytest.raises(OSError):
        http(f"http://127.0.0.1:{server.port}/healthz")
