"""Backups of a store that is written all the time, and their way back."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from websockets.sync.client import connect

from conftest import DEADLINE, Server, clean_environment, free_port, program, until

# Nobody listens there: tasks stay where they are, and every one of them is in the store.
NOWHERE = {"LITELLM_URL": "http://127.0.0.1:9", "OMNI_HEALTH_INTERVAL": "1h"}


def command(data: Path, *words: str, limit: str = "") -> subprocess.CompletedProcess:
    """A command of omni-server about the store in `data`."""
    line = [program("omni-server"), *words]
    if limit:
        line = ["bash", "-c", f"{limit}; exec \"$@\"", "-", *line]
    return subprocess.run(
        line, env=clean_environment(OMNI_DATA=str(data)), capture_output=True, text=True, timeout=60, cwd=data.parent)


class Client:
    """Speaks JSON-RPC and waits for each answer."""

    def __init__(self, url: str) -> None:
        self.stack = ExitStack()
        self.connection = self.stack.enter_context(connect(url, open_timeout=DEADLINE))
        self.number = 0

    def ask(self, method: str, **params) -> dict:
        self.number += 1
        self.connection.send(json.dumps({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params}))
        while True:
            answer = json.loads(self.connection.recv(timeout=DEADLINE))
            if answer.get("id") == self.number:
                return answer

    def create(self, description: str, **params) -> str:
        return self.ask("create_task", description=description, wait=False, **params)["result"]["task_id"]

    def close(self) -> None:
        self.stack.close()


class Load:
    """Clients that create tasks the whole time, and remember which were answered."""

    def __init__(self, url: str, count: int = 3) -> None:
        self.answered: dict[str, str] = {}
        self.isOver = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(url, number)) for number in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self, url: str, number: int) -> None:
        client = Client(url)
        turn = 0
        while not self.isOver.is_set():
            turn += 1
            text = f"task {number}-{turn} " + "x" * (turn % 7 * 400)
            self.answered[client.create(text)] = text
        client.close()

    def stop(self) -> None:
        self.isOver.set()
        for thread in self.threads:
            thread.join(DEADLINE)


def rows(path: Path) -> dict[str, tuple]:
    """What a database has, after a look whether it is whole; opened as nobody writes it."""
    with closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        found = database.execute("SELECT id, description, state, steps FROM tasks").fetchall()
    return {row[0]: row[1:] for row in found}


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_backup_under_write_load_has_what_was_answered_before(serve, start, tmp_path: Path):
    server = serve(**NOWHERE)
    load = Load(server.url)
    try:
        until(lambda: len(load.answered) > 200, "200 tasks")
        taken = []
        for number in range(3):
            before = dict(load.answered)
            file = tmp_path / f"backup-{number}.db"
            done = command(tmp_path / "data", "backup", str(file))
            assert done.returncode == 0, done.stderr
            assert done.stderr == ""
            taken.append((file, before, len(load.answered)))
            assert f"tasks to {file}: {file.stat().st_size} bytes" in done.stdout
        assert len(load.answered) > taken[-1][2] or until(
            lambda: len(load.answered) > taken[-1][2], "tasks after the backups")
    finally:
        load.stop()
    for file, before, _ in taken:
        found = rows(file)
        assert before.keys() <= found.keys()
        for task, text in before.items():
            assert found[task][0] == text
        assert mode(file) == 0o600
    assert not list(tmp_path.glob("*.partial*")) and not list(tmp_path.glob("backup-*.db-*"))

    # The last of them, in another place, serves.
    file, before, _ = taken[-1]
    elsewhere = tmp_path / "elsewhere"
    done = command(elsewhere, "restore", str(file))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"restored {len(rows(file))} tasks from {file}")
    assert mode(elsewhere) == 0o700 and mode(elsewhere / "omni.db") == 0o600
    other = start(Server, tmp_path, free_port(), elsewhere, [], NOWHERE).ready()
    client = Client(other.url)
    for task, text in list(before.items())[:: max(len(before) // 50, 1)]:
        assert client.ask("get_task_status", task_id=task)["result"]["description"] == text
    new = client.create("new")
    assert client.ask("get_task_timeline", task_id=new)["result"]["steps"][0]["state"] == "idle"
    client.close()
    assert other.terminate() == 0


def test_a_file_that_is_there_is_not_overwritten(serve, tmp_path: Path):
    data = tmp_path / "data"
    assert command(data, "backup", str(tmp_path / "no.db")).returncode == 1  # there is no store yet
    assert not data.exists()
    server = serve(**NOWHERE)
    Client(server.url).create("one")
    assert server.terminate() == 0
    file = tmp_path / "backup.db"
    file.write_text("precious")
    done = command(data, "backup", str(file))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"omni-server: no backup: {file} is there already: name another file, or say --force\n"
    assert file.read_text() == "precious"
    assert command(data, "backup", str(file), "--force").stdout.startswith(f"backed up 1 task to {file}")
    for bad in [data / "omni.db", tmp_path, tmp_path / "missing" / "backup.db"]:
        done = command(data, "backup", str(bad), "--force")
        assert done.returncode == 1 and done.stderr.startswith("omni-server: no backup: "), done
    assert command(data, "backup").returncode == 2
    assert len(rows(file)) == 1


@pytest.fixture
def store(serve, tmp_path: Path) -> Path:
    """A store with ten tasks that no server works on, and a backup of five of them."""
    server = serve(**NOWHERE)
    client = Client(server.url)
    for number in range(5):
        client.create(f"old {number}")
    done = command(tmp_path / "data", "backup", str(tmp_path / "backup.db"))
    assert done.returncode == 0, done.stderr
    for number in range(5):
        client.create(f"new {number}")
    refused = command(tmp_path / "data", "restore", str(tmp_path / "backup.db"), "--force")
    assert refused.returncode == 1
    assert "another server works on" in refused.stderr and "stop it before" in refused.stderr
    client.close()
    # Killed, so that its log is still there.
    server.kill()
    return tmp_path / "data"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".lock"}


def test_what_is_no_backup_is_refused_and_nothing_changes(store: Path, tmp_path: Path):
    backup = (tmp_path / "backup.db").read_bytes()
    middle = len(backup) // 2
    bad = {
        "empty": b"", "garbage": os.urandom(20_000), "text": b"no database\n" * 100, "partial": backup[:middle],
        "overwritten": backup[:4096] + os.urandom(8192) + backup[12_288:],
    }
    for name, data in bad.items():
        (tmp_path / name).write_bytes(data)
    shutil.copy(tmp_path / "backup.db", tmp_path / "newer")
    with sqlite3.connect(tmp_path / "newer") as database:
        database.execute("PRAGMA user_version = 99")
    with sqlite3.connect(tmp_path / "other") as database:
        database.execute("CREATE TABLE something (x)")
    before = contents(store)
    for name in [*bad, "newer", "other", "missing"]:
        done = command(store, "restore", str(tmp_path / name), "--force")
        assert done.returncode == 1, (name, done)
        assert done.stderr.startswith("omni-server: not restored: ") and done.stderr.count("\n") == 1, done.stderr
        assert str(tmp_path / name) in done.stderr, done.stderr
        assert contents(store) == before, name
    assert "was written by a newer server: its version is 99" in command(
        store, "restore", str(tmp_path / "newer"), "--force").stderr
    done = command(store, "restore", str(tmp_path / "backup.db"))
    assert done.returncode == 1 and "--force puts the backup in its place" in done.stderr
    assert contents(store) == before


def test_the_store_that_was_there_is_kept_whole(store: Path, start, tmp_path: Path):
    done = command(store, "restore", str(tmp_path / "backup.db"), "--force")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("restored 5 tasks")
    kept = Path(done.stdout.rpartition("the store that was there is kept: ")[2].strip())
    assert kept.parent == store and kept.name.startswith("omni.db.before-2")
    assert sorted(text for text, *_ in rows(kept).values()) == sorted(
        [f"old {number}" for number in range(5)] + [f"new {number}" for number in range(5)])
    assert mode(kept) == 0o600
    assert sorted(path.name for path in store.iterdir()) == sorted(["omni.db", "omni.db.lock", kept.name])
    server = start(Server, tmp_path, free_port(), store, [], NOWHERE).ready()
    tasks = Client(server.url).ask("list_tasks")["result"]["tasks"]
    assert [task["description"] for task in tasks] == [f"old {number}" for number in reversed(range(5))]


def tasks_in(store: Path) -> set[str]:
    """The tasks of a store that nobody works on, its log included."""
    with closing(sqlite3.connect(store / "omni.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {text for text, in database.execute("SELECT description FROM tasks")}


@pytest.mark.parametrize("what", ["backup", "restore"])
def test_a_kill_leaves_a_store_that_can_be_used(store: Path, tmp_path: Path, what: str):
    """Killed after ever longer, until the command comes to its end first."""
    old = {f"old {number}" for number in range(5)}
    every = old | {f"new {number}" for number in range(5)}
    saved = contents(store)
    file = tmp_path / ("new.db" if what == "backup" else "backup.db")
    wait, ended = 0.0, 0
    while ended < 2:
        for path in store.iterdir():
            path.unlink()
        for name, data in saved.items():
            (store / name).write_bytes(data)
        process = subprocess.Popen(
            [program("omni-server"), what, str(file), "--force"], env=clean_environment(OMNI_DATA=str(store)),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        ended += process.wait() == 0
        wait += 0.004
        expected = [every] if what == "backup" else [every, old]
        assert tasks_in(store) in expected
        if what == "backup" and file.exists():
            assert {text for text, *_ in rows(file).values()} == every
    if what == "restore":
        assert tasks_in(store) == old


def test_a_backup_that_does_not_fit_is_told_and_goes_away(store: Path, tmp_path: Path):
    file = tmp_path / "too-large.db"
    with closing(sqlite3.connect(store / "omni.db", isolation_level=None)) as database:
        database.execute("INSERT INTO notes VALUES ('padding', ?)", ("x" * 200_000,))
    large = tmp_path / "large.db"
    assert command(store, "backup", str(large)).returncode == 0
    # The store has more than that. A file size limit fails as a full disk does, and needs no mount.
    limit = "trap '' XFSZ; ulimit -f 64"
    done = command(store, "backup", str(file), limit=limit)
    assert done.returncode == 1, done
    assert f"cannot write {file}.partial" in done.stderr and "free space there" in done.stderr, done.stderr
    assert not list(tmp_path.glob("too-large*"))
    before = contents(store)
    done = command(store, "restore", str(large), "--force", limit=limit)
    assert done.returncode == 1 and "nothing was changed" in done.stderr, done.stderr
    assert contents(store).keys() - before.keys() <= {"omni.db-shm"}
    assert len(tasks_in(store)) == 10


def test_a_backup_of_a_damaged_store_is_none(store: Path, tmp_path: Path):
    tasks_in(store)  # the log goes into the file
    data = bytearray((store / "omni.db").read_bytes())
    data[4096 * 2:4096 * 4] = os.urandom(8192)
    (store / "omni.db").write_bytes(data)
    file = tmp_path / "new.db"
    done = command(store, "backup", str(file))
    assert done.returncode == 1 and "damaged" in done.stderr, done
    assert not file.exists() and not list(tmp_path.glob("new.db*"))
    done = command(store, "restore", str(tmp_path / "backup.db"), "--force")
    assert done.returncode == 0, done.stderr
    assert len(tasks_in(store)) == 5


def test_the_files_of_a_store_are_private_whatever_the_umask(start, tmp_path: Path):
    data = tmp_path / "data"
    old = os.umask(0)
    try:
        server = start(Server, tmp_path, free_port(), data, [], NOWHERE).ready()
        Client(server.url).create("secret")
        assert command(data, "backup", str(tmp_path / "backup.db")).returncode == 0
    finally:
        os.umask(old)
    files = ["omni.db", "omni.db-wal", "omni.db-shm", "omni.db.lock"]
    assert {name: mode(data / name) for name in files} == dict.fromkeys(files, 0o600)
    assert mode(data) == 0o700 and mode(tmp_path / "backup.db") == 0o600
    server.kill()
    # What an earlier version left open is closed.
    for name in files:
        (data / name).chmod(0o644)
    data.chmod(0o755)
    start(Server, tmp_path, free_port(), data, [], NOWHERE).ready()
    assert {name: mode(data / name) for name in files} == dict.fromkeys(files, 0o600)
    assert mode(data) == 0o755  # it may hold other things
