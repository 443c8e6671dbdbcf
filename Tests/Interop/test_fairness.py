"""Clients take turns, and so do models: neither many tasks nor slow ones hold up those of others."""

import json

import pytest
from websockets.sync.client import connect

from conftest import DEADLINE, until
from upstream import upstream

MANY = 500


@pytest.fixture
def world():
    with upstream() as world:
        yield world


def create(connection, *texts: str) -> None:
    for text in texts:
        params = {"description": text, "wait": False}
        connection.send(json.dumps({"method": "create_task", "params": params}))
    for _ in texts:
        assert json.loads(connection.recv(timeout=DEADLINE))["result"]["status"] == "idle"


def test_the_one_task_of_a_client_overtakes_the_many_of_another(world, serve):
    world.pause = 0.05
    server = serve(OMNI_ROUTER_MAX_RUNNING="2", OMNI_ROUTER_MAX_RUNNING_PER_MODEL="2", **world.variables)
    with connect(server.url) as greedy, connect(server.url) as modest:
        create(greedy, *[f"greedy {number}" for number in range(MANY)])
        before = sum(world.begun.values())
        create(modest, "modest")
        until(lambda: world.begun["modest"], "the call of the one task")
    # It is its turn as soon as one of two places is free; what is between is the time to queue it.
    assert world.order.index("modest") < before + MANY // 10


def test_a_model_that_hangs_leaves_place_for_another(world, serve):
    world.decide = lambda text: None if text.startswith("list") else (200, {})
    server = serve(OMNI_ROUTER_MAX_RUNNING="8", **world.variables)
    with connect(server.url) as connection:
        # Words that say which model is asked.
        create(connection, *[f"list {number}" for number in range(20)])
        def hanging() -> int:
            return sum(text.startswith("list") for text in world.busy())

        until(lambda: hanging() == 4, "as many calls as one model may have")
        connection.send(json.dumps({"method": "create_task", "params": {"description": "implement it"}}))
        assert json.loads(connection.recv(timeout=DEADLINE))["result"]["status"] == "completed"
        assert hanging() == 4
