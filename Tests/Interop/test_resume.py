"""The server is killed again and again at random moments, and takes up every task where it was.

RESUME_KILLS says how often, 15 times by default; SEED says at which moments.
"""

import json
import os
import random
import shutil
import sqlite3
import time
from collections import Counter
from contextlib import closing

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from conftest import DEADLINE, ROOT, until
from upstream import upstream

KILLS = int(os.environ.get("RESUME_KILLS", "15"))
SEED = int(os.environ.get("SEED", "1"))
TASKS = 150
FINAL = {"completed", "failed", "cancelled"}
# Longer than a machine under load takes for all that is waited for here.
PATIENCE = 120


@pytest.fixture
def world():
    with upstream() as world:
        yield world


def specification(folder, **policy: str):
    """A copy of the specification in which waiting is short."""
    copy = folder / "Spec"
    shutil.copytree(ROOT / "Spec", copy)
    text = (copy / "failures.yaml").read_text()
    for name, value in policy.items():
        line = next(line for line in text.splitlines() if line.startswith(f"  {name}: "))
        text = text.replace(line, f"  {name}: {value}")
    (copy / "failures.yaml").write_text(text)
    return copy


def ask(connection, method: str, **params):
    connection.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
    answer = json.loads(connection.recv(timeout=DEADLINE))
    return answer.get("result") or answer["error"]


def rows(folder) -> dict[str, tuple[str, str, int]]:
    """Text, state and attempts of every task on disk, by id; read while no server runs."""
    with closing(sqlite3.connect(folder / "data" / "omni.db")) as database:
        return {row[0]: row[1:] for row in database.execute("SELECT id, description, state, attempts FROM tasks")}


class Behaviour:
    """What the upstream does with a text; every third is told to come back later, when it is first seen."""

    def __init__(self) -> None:
        self.is_out = False
        self.told: set[str] = set()

    def __call__(self, text: str):
        if self.is_out:
            return 503, {}
        if text.startswith("later") and text not in self.told:
            self.told.add(text)
            return 429, {"retry-after": "1"}
        return 200, {}


def life(server, dice: random.Random, known: dict[str, str], behaviour: Behaviour, last: bool) -> None:
    """Some time of work, in which tasks are made and cancelled, up to a random moment."""
    with connect(server.url, open_timeout=DEADLINE) as connection:
        for _ in range(0 if len(known) >= TASKS else TASKS // KILLS + 1):
            text = f"{dice.choice(['now', 'now', 'later'])} {len(known)}"
            known[text] = ask(connection, "create_task", description=text, wait=False)["task_id"]
            if dice.random() < 0.1:
                ask(connection, "cancel_task", task_id=dice.choice(list(known.values())))
        behaviour.is_out = not last and dice.random() < 0.3
        time.sleep(dice.uniform(0, 0.4))


def unfinished(server) -> int:
    with connect(server.url, open_timeout=DEADLINE) as connection:
        tasks = ask(connection, "system_status")["tasks"]
    return sum(count for state, count in tasks.items() if state not in FINAL)


def check(before: dict, after: dict) -> None:
    """What lies on disk after a kill follows from what lay there after the one before."""
    assert before.keys() <= after.keys(), "a task was lost"
    for task, (_, state, attempts) in before.items():
        if state in FINAL:
            assert after[task][1] == state and after[task][2] == attempts, "an ended task moved"
        else:
            assert after[task][2] >= attempts


def test_every_task_is_taken_up_after_each_of_many_kills(world, serve, tmp_path, tells):
    dice, behaviour, known, seen = random.Random(SEED), Behaviour(), {}, Counter()
    world.decide, world.pause = behaviour, 0.1
    spec = specification(tmp_path, suspend_above="500ms", max_attempts="100")
    # Few places, so that some tasks are still queued; probes often, so that outages end.
    variables = world.variables | {
        "OMNI_ROUTER_MAX_RUNNING": "8", "OMNI_HEALTH_INTERVAL": "100ms", "OMNI_FAULT_HANDLER_CLOUD_CHECK_TIMEOUT": "5s",
    }
    server = serve("--spec", str(spec), **variables)
    disk: dict = {}
    for number in range(KILLS):
        life(server, dice, known, behaviour, last=False)
        server.kill()
        # The system closes the connections of a killed process, and the upstream has seen it.
        until(lambda: not world.busy(), "the end of the killed server's calls", PATIENCE)
        now = rows(tmp_path)
        check(disk, now)
        assert set(known.values()) <= now.keys(), "an answered task was lost"
        disk = now
        seen.update(state for _, state, _ in now.values())
        server = serve("--spec", str(spec), port=server.port, **variables)
    behaviour.is_out = False
    until(lambda: unfinished(server) == 0, "the end of all tasks", PATIENCE)
    assert server.terminate() == 0
    end = rows(tmp_path)
    check(disk, end)
    assert world.twice == [], "tasks were at the upstream twice at one time"
    assert {state for _, state, _ in end.values()} <= {"completed", "cancelled"}
    answers = Counter(text for text in world.answered.elements() if text != "ping" and text)
    for text, state, attempts in end.values():
        # A kill between the answer and its row costs one more call; every call beyond that is an attempt.
        assert answers[text] <= attempts or state == "cancelled"
        assert state == "cancelled" or answers[text] >= 1
    assert {"idle", "executing", "waiting"} <= seen.keys(), seen
    again = sum(count - 1 for count in answers.values())
    tells(f"resume: {KILLS} kills, {len(end)} tasks, {again} answered once more; on disk at kills: {dict(seen)}")
