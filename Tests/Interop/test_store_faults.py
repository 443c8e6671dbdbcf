"""A disk that is full and a database that is damaged: what /readyz says, what clients are told, and what is left."""

import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from conftest import Server, free_port, http, until
from test_backup import NOWHERE, Client, command

STORAGE_UNAVAILABLE = 1004
LONG = "x" * 30_000


def page(server: Server, path: str) -> tuple[int, str]:
    return http(f"http://127.0.0.1:{server.port}{path}")


def says(server: Server, reason: str) -> None:
    """/readyz says why, and the process is alive."""
    until(lambda: page(server, "/readyz")[0] == 503, "/readyz saying 503")
    text = page(server, "/readyz")[1]
    assert text.startswith("the task store cannot be ") and f"\nreason: {reason}:" in text, text
    assert str(Path(server.out).parent) not in text  # anybody may read it
    assert page(server, "/healthz") == (200, "alive\n")


def is_ready(server: Server) -> None:
    until(lambda: page(server, "/readyz") == (200, "ready\n"), "/readyz saying 200")


# Full


@pytest.fixture
def small_disk(tmp_path: Path):
    """A disk of two megabytes, where the tests may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], capture_output=True, text=True)
    if made.returncode != 0:
        pytest.skip("mounts: none may be made here, so no disk can be made full")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(client: Client) -> tuple[list[str], str]:
    """Creates tasks until one is refused; gives those that were answered, and the message of the error."""
    answered = []
    for _ in range(2000):
        answer = client.ask("create_task", description=LONG, wait=False)
        if "error" in answer:
            assert answer["error"]["code"] == STORAGE_UNAVAILABLE
            return answered, answer["error"]["message"]
        answered.append(answer["result"]["task_id"])
    raise AssertionError("the disk was never full")


def full_and_free(server: Server, free, data: Path) -> list[str]:
    client = Client(server.url)
    answered, message = fill(client)
    assert message == "Storage unavailable" and len(answered) > 3
    says(server, "full")
    # Reads go on.
    for task in [answered[0], answered[-1]]:
        assert client.ask("get_task_status", task_id=task)["result"]["description"] == LONG
    assert client.ask("ping")["result"] == {}
    free()
    is_ready(server)
    answered.append(client.create(LONG))
    for task in answered:
        assert client.ask("get_task_status", task_id=task)["result"]["task_id"] == task
    client.close()
    server.kill()
    return answered


def found(data: Path) -> set[str]:
    with closing(sqlite3.connect(data / "omni.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {task for task, in database.execute("SELECT id FROM tasks")}


def test_a_full_disk_loses_nothing_that_was_answered(start, small_disk: Path, tmp_path: Path):
    data = small_disk / "data"
    server = start(Server, tmp_path, free_port(), data, [], NOWHERE)
    server.ready()
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1 << 20))
    answered = full_and_free(server, ballast.unlink, data)
    # Full at the start as well: it waits for space, and the same process serves then.
    rest = os.statvfs(small_disk)
    ballast.write_bytes(bytes(rest.f_bavail * rest.f_frsize))
    server = start(Server, tmp_path, server.port, data, [], NOWHERE)
    until(lambda: "listening" in server.err.read_text() or '"cause"' in server.err.read_text(), "a first word")
    if "listening" not in server.err.read_text():
        says(server, "full")
    ballast.unlink()
    is_ready(server)
    client = Client(server.url)
    for task in answered:
        assert client.ask("get_task_status", task_id=task)["result"]["task_id"] == task
    client.close()
    assert server.terminate() == 0
    assert set(answered) <= found(data)


# Damaged


@pytest.fixture
def made(serve, tmp_path: Path):
    """A store with tasks, none of them in its log only, and a backup of it."""
    server = serve(**NOWHERE)
    client = Client(server.url)
    tasks = [client.create(f"{number} {LONG}") for number in range(40)]
    assert command(tmp_path / "data", "backup", str(tmp_path / "backup.db")).returncode == 0
    client.close()
    assert server.terminate() == 0
    with closing(sqlite3.connect(tmp_path / "data" / "omni.db")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert not (tmp_path / "data" / "omni.db-wal").exists()
    return tasks


def overwrite(path: Path, start: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(data)


DAMAGE = {
    "header": lambda path: overwrite(path, 0, b"\x5a" * 100),
    "zeros": lambda path: overwrite(path, 0, bytes(4096)),
    "first-page": lambda path: overwrite(path, 100, b"\x5a" * 3996),
    "half": lambda path: os.truncate(path, 6000),
    "empty": lambda path: os.truncate(path, 0),
    "log": lambda path: Path(f"{path}-wal").write_bytes(os.urandom(40_000)),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_store_that_is_damaged_at_the_start_is_not_replaced_by_an_empty_one(
    made: list[str], damage: str, start, tmp_path: Path
):
    data = tmp_path / "data"
    DAMAGE[damage](data / "omni.db")
    server = start(Server, tmp_path, free_port(), data, [], NOWHERE)
    until(lambda: '"cause"' in server.err.read_text(), "the cause in the log")
    says(server, "damaged")
    assert "omni-server restore FILE --force" in page(server, "/readyz")[1]
    for path in ["/", "/mcp", "/openrpc.json"]:
        assert page(server, path) == (503, "the task store cannot be used\n")
    with pytest.raises(Exception, match="503"):
        Client(server.url)
    # It does not hold the store, so it can be mended, and then the same process serves.
    done = command(data, "restore", str(tmp_path / "backup.db"), "--force")
    assert done.returncode == 0, done.stderr
    kept = Path(done.stdout.rpartition("is kept: ")[2].strip())
    assert kept.exists()
    is_ready(server)
    client = Client(server.url)
    listed = client.ask("list_tasks", limit=40)["result"]["tasks"]
    assert listed[0]["task_id"] == made[-1]
    assert client.ask("get_task_status", task_id=made[0])["result"]["task_id"] == made[0]
    client.create("works")
    client.close()
    assert server.terminate() == 0
    assert len(found(data)) == 41


def test_a_signal_ends_a_server_that_waits_for_its_store(made: list[str], start, tmp_path: Path):
    DAMAGE["header"](tmp_path / "data" / "omni.db")
    server = start(Server, tmp_path, free_port(), tmp_path / "data", [], NOWHERE)
    until(lambda: '"cause"' in server.err.read_text(), "the cause in the log")
    assert server.terminate() == 0


def leaves(path: Path, table: str) -> list[int]:
    """The pages with the rows of a table, but the first and the last, by their number."""
    with closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as database:
        try:
            found = database.execute(
                "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path", (table,)).fetchall()
        except sqlite3.OperationalError:
            pytest.skip("dbstat: this SQLite cannot tell where rows are")
    return [number for number, in found][1:-1]


def test_rows_that_are_damaged_are_found_after_the_start(made: list[str], start, tmp_path: Path):
    data = tmp_path / "data"
    for number in leaves(data / "omni.db", "tasks")[:2]:
        overwrite(data / "omni.db", (number - 1) * 4096, b"\x5a" * 4096)
    server = start(Server, tmp_path, free_port(), data, [], NOWHERE)
    until(lambda: "the task store is damaged" in server.err.read_text(), "the finding in the log")
    says(server, "damaged")
    client = Client(server.url)
    refused = client.ask("create_task", description="no", wait=False)["error"]
    assert (refused["code"], refused["message"]) == (STORAGE_UNAVAILABLE, "Storage unavailable")
    # What can be read still is, and who cannot be is told so.
    answers = [client.ask("get_task_status", task_id=task) for task in made]
    states = [answer["result"]["task_id"] if "result" in answer else answer["error"]["code"] for answer in answers]
    assert made[0] == states[0] and made[-1] == states[-1]
    assert STORAGE_UNAVAILABLE in states and set(states) <= {*made, STORAGE_UNAVAILABLE}
    client.close()
    assert server.terminate() == 0
    done = command(data, "restore", str(tmp_path / "backup.db"), "--force")
    assert done.returncode == 0, done.stderr
    start(Server, tmp_path, server.port, data, [], NOWHERE).ready()


def test_damage_that_is_met_while_running_stops_writing(made: list[str], start, tmp_path: Path):
    data = tmp_path / "data"
    server = start(Server, tmp_path, free_port(), data, [], {**NOWHERE, "OMNI_LOG_LEVEL": "debug"})
    server.ready()
    until(lambda: "the task store is whole" in server.err.read_text(), "the look at the start")
    client = Client(server.url)
    client.create("before")
    size = (data / "omni.db").stat().st_size
    overwrite(data / "omni.db", 4096, b"\x5a" * (size - 4096))
    # Sooner or later somebody meets it; nothing that ends the process.
    for task in made:
        client.ask("get_task_status", task_id=task)
    says(server, "damaged")
    refused = client.ask("create_task", description="no", wait=False)["error"]
    assert refused["code"] == STORAGE_UNAVAILABLE
    assert client.ask("ping")["result"] == {}
    client.close()
    assert server.terminate() == 0


def test_a_locked_store_says_so(serve, tmp_path: Path):
    server = serve(**NOWHERE)
    client = Client(server.url)
    client.create("before")
    somebody = sqlite3.connect(tmp_path / "data" / "omni.db", isolation_level=None)
    somebody.execute("BEGIN IMMEDIATE")
    try:
        assert client.ask("create_task", description="no", wait=False)["error"]["code"] == STORAGE_UNAVAILABLE
        says(server, "busy")
    finally:
        somebody.execute("ROLLBACK")
        somebody.close()
    is_ready(server)
    client.create("after")
    client.close()
