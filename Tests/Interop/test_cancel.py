"""A cancelled task leaves nothing behind at the upstream, whatever it was doing; a client that leaves cancels nothing."""

import json

import pytest
from websockets.sync.client import connect

from conftest import DEADLINE, until
from upstream import upstream

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n"


@pytest.fixture
def world():
    with upstream() as world:
        yield world


def ask(connection, method: str, **params):
    connection.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
    answer = json.loads(connection.recv(timeout=DEADLINE))
    return answer.get("result") or answer["error"]


def create(connection, text: str) -> str:
    return ask(connection, "create_task", description=text, wait=False)["task_id"]


def state(connection, task: str) -> str:
    return ask(connection, "get_task_status", task_id=task)["state"]


@pytest.mark.parametrize("beginning", [b"", HEAD[:10], HEAD, HEAD + b'{"choices": ['], ids=["silent", "line", "head", "body"])
def test_the_call_of_a_cancelled_task_is_closed(world, serve, beginning):
    world.decide, world.beginning = (lambda text: None), beginning
    server = serve(**world.variables)
    with connect(server.url) as connection:
        task = create(connection, "hang")
        until(lambda: world.open["hang"] == 1, "the call")
        assert ask(connection, "cancel_task", task_id=task)["state"] == "cancelled"
        until(lambda: world.open["hang"] == 0, "the end of the call's connection")
        assert state(connection, task) == "cancelled"
        # Nothing comes after it: the next task finds the server at work.
        world.decide = lambda text: (200, {})
        assert ask(connection, "create_task", description="next")["status"] == "completed"
    assert world.begun["hang"] == 1


def test_the_call_of_a_task_is_kept_when_its_client_leaves(world, serve):
    world.decide = lambda text: None
    server = serve(**world.variables)
    with connect(server.url) as connection:
        connection.send(json.dumps({"method": "create_task", "params": {"description": "hang"}}))
        until(lambda: world.open["hang"] == 1, "the call")
    with connect(server.url) as connection:
        [task] = ask(connection, "list_tasks")["tasks"]
        assert task["state"] == "executing" and world.open["hang"] == 1
        ask(connection, "cancel_task", task_id=task["task_id"])
        until(lambda: world.open["hang"] == 0, "the end of the call's connection")


def test_a_queued_task_that_is_cancelled_is_never_called(world, serve):
    world.decide = lambda text: None if text == "hang" else (200, {})
    server = serve(OMNI_ROUTER_MAX_RUNNING="1", **world.variables)
    with connect(server.url) as connection:
        first = create(connection, "hang")
        until(lambda: world.open["hang"] == 1, "the call")
        second, third = create(connection, "second"), create(connection, "third")
        assert ask(connection, "cancel_task", task_id=second)["state"] == "cancelled"
        ask(connection, "cancel_task", task_id=first)
        until(lambda: state(connection, third) == "completed", "the end of the third")
    assert world.begun["second"] == 0 and world.begun["third"] == 1


def test_a_waiting_task_that_is_cancelled_is_never_called_again(world, serve):
    world.decide = lambda text: (429, {"retry-after": "11"}) if text == "later" else (200, {})
    server = serve(**world.variables)
    with connect(server.url) as connection:
        task = create(connection, "later")
        until(lambda: state(connection, task) == "waiting", "the suspension")
        ask(connection, "cancel_task", task_id=task)
        assert state(connection, task) == "cancelled"
        assert ask(connection, "cancel_task", task_id=task)["data"]["state"] == "cancelled"
    assert world.begun["later"] == 1


def test_a_task_that_is_cancelled_between_two_tries_is_not_tried_again(world, serve):
    # The next try comes after 9 s, which is not waited for: the drain ends at once, since nothing runs.
    world.decide = lambda text: (429, {"retry-after": "9"})
    server = serve(**world.variables)
    with connect(server.url) as connection:
        task = create(connection, "pause")
        until(lambda: world.begun["pause"] == 1 and world.open["pause"] == 0, "the first try")
        assert state(connection, task) == "executing"
        ask(connection, "cancel_task", task_id=task)
        assert state(connection, task) == "cancelled"
        world.decide = lambda text: (200, {})
        assert ask(connection, "create_task", description="next")["status"] == "completed"
    assert server.terminate() == 0
    assert world.begun["pause"] == 1
