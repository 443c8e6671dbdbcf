"""Official scenarios of the extension io.modelcontextprotocol/tasks, which are pending in the suite."""

import time
from collections.abc import Callable
from datetime import datetime

from conftest import until
from mcp_http import META, STATELESS, Endpoint, Stateless
from official import refused, scenario

EXTENSION = "io.modelcontextprotocol/tasks"
ENDED = ("completed", "failed", "cancelled")
OF_A_TASK = {"taskId", "status", "result", "error", "inputRequests"}


def client_of(endpoint: Endpoint) -> Stateless:
    return Stateless(endpoint, {"elicitation": {}, "sampling": {}, "extensions": {EXTENSION: {}}})


def call(client: Stateless, tool: str, /, **arguments) -> dict:
    return client.result("tools/call", {"name": tool, "arguments": arguments})


def created(client: Stateless, tool: str, /, **arguments) -> dict:
    task = call(client, tool, **arguments)
    assert task["resultType"] == "task" and task["taskId"] and task["status"], task
    assert not {"task", "result", "error", "inputRequests", "requestState", "ttl", "pollInterval"} & set(task), task
    for moment in ("createdAt", "lastUpdatedAt"):
        datetime.fromisoformat(task[moment])
    assert task["ttlMs"] is None or (type(task["ttlMs"]) is int and task["ttlMs"] > 0)
    assert type(task["pollIntervalMs"]) is int and task["pollIntervalMs"] > 0
    return task


def get(client: Stateless, task: dict) -> dict:
    found = client.result("tasks/get", {"taskId": task["taskId"]})
    assert found["resultType"] == "complete" and found["taskId"] == task["taskId"], found
    assert "requestState" not in found
    return found


def once(client: Stateless, task: dict, condition: Callable[[dict], bool]) -> dict:
    """The task as soon as it is so."""
    return until(lambda: next(filter(condition, [get(client, task)]), None), "the change of the task")


def ended(client: Stateless, task: dict) -> dict:
    return once(client, task, lambda found: found["status"] in ENDED)


def acknowledged(client: Stateless, method: str, task: dict, **params) -> None:
    result = client.result(method, {"taskId": task["taskId"], **params})
    assert result["resultType"] == "complete" and not OF_A_TASK & set(result), result


def accept(**content) -> dict:
    return {"action": "accept", "content": content}


@scenario(STATELESS, required=False)
def tasks_lifecycle(endpoint: Endpoint) -> None:
    client = client_of(endpoint)
    greeting = call(client, "greet", name="World")
    assert greeting["resultType"] == "complete" and "taskId" not in greeting and greeting["content"]
    task = created(client, "slow_compute", seconds=1, label="lifecycle")
    assert get(client, task)["status"] == "working"
    done = ended(client, task)
    assert done["status"] == "completed" and done["result"]["content"]
    failed = ended(client, created(client, "failing_job"))
    assert failed["status"] == "completed" and failed["result"]["isError"] is True
    broken = ended(client, created(client, "protocol_error_job"))
    assert broken["status"] == "failed" and "result" not in broken
    assert type(broken["error"]["code"]) is int and broken["error"]["message"]
    long = created(client, "slow_compute", seconds=60, label="cancel")
    acknowledged(client, "tasks/cancel", long)
    assert ended(client, long)["status"] == "cancelled"
    # One that has ended can be cancelled as well: nobody has to know which came first.
    acknowledged(client, "tasks/cancel", task)
    assert get(client, task)["status"] == "completed"


@scenario(STATELESS, required=False)
def tasks_capability_negotiation(endpoint: Endpoint) -> None:
    client, without = client_of(endpoint), Stateless(endpoint, {})
    capabilities = client.result("server/discover")["capabilities"]
    assert EXTENSION in capabilities["extensions"] and "tasks" not in capabilities
    for method, more in (("tasks/get", {}), ("tasks/update", {"inputResponses": {}}), ("tasks/cancel", {})):
        answer = without.request(method, {"taskId": "gate-test", **more})
        assert EXTENSION in refused(answer, 400, -32021)["data"]["requiredCapabilities"]["extensions"]
    result = call(without, "slow_compute", seconds=0, label="none")
    assert result["resultType"] == "complete" and result["content"] and "taskId" not in result
    # The request alone says what the client can do.
    meta = without.meta(clientCapabilities={"extensions": {EXTENSION: {}}})
    task = without.result("tools/call", {"name": "slow_compute", "arguments": {"seconds": 1}}, meta=meta)
    assert task["resultType"] == "task"


@scenario(STATELESS, required=False)
def tasks_wire_fields(endpoint: Endpoint) -> None:
    client = client_of(endpoint)
    done = ended(client, created(client, "slow_compute", seconds=1, label="fields"))
    assert META + "related-task" not in done["result"].get("_meta", {})
    assert get(client, done)["status"] == "completed", "it stays for its ttl"


@scenario(STATELESS, required=False)
def tasks_request_state_removal(endpoint: Endpoint) -> None:
    client = client_of(endpoint)
    task = created(client, "slow_compute", seconds=60, label="state")
    get(client, task)
    acknowledged(client, "tasks/cancel", task)


@scenario(STATELESS, required=False)
def tasks_mrtr_input(endpoint: Endpoint) -> None:
    client = client_of(endpoint)
    task = created(client, "confirm_delete", filename="a.txt")
    waiting = once(client, task, lambda found: found["status"] == "input_required")
    [request] = waiting["inputRequests"].values()
    assert request["method"] == "elicitation/create"
    acknowledged(client, "tasks/update", task, inputResponses={
        key: accept(confirm=True) for key in waiting["inputRequests"]})
    assert ended(client, task)["status"] == "completed"
    task = created(client, "multi_input")
    waiting = once(client, task, lambda found: len(found.get("inputRequests", {})) == 2)
    first, second = waiting["inputRequests"]
    acknowledged(client, "tasks/update", task, inputResponses={first: accept(name="partial-1", confirm=True)})
    left = get(client, task)
    assert left["status"] == "input_required" and list(left["inputRequests"]) == [second]
    acknowledged(client, "tasks/update", task, inputResponses={second: accept(name="partial-2", confirm=True)})
    assert ended(client, task)["status"] == "completed"


@scenario(STATELESS, required=False)
def tasks_request_headers(endpoint: Endpoint) -> None:
    client = client_of(endpoint)
    assert call(client, "greet", name="sep-2243")["content"][0]["text"] == "Hello, sep-2243!"
    task = created(client, "slow_compute", seconds=60, label="headers")
    assert get(client, task)["status"] == "working"
    greeting = {"name": "greet", "arguments": {"name": "header-mismatch"}}
    refused(client.request("tools/call", greeting, headers={"Mcp-Method": "tasks/get"}), 400, -32020)
    wrong = client.request("tasks/get", {"taskId": task["taskId"]}, headers={"Mcp-Name": "wrong-task"})
    refused(wrong, 400, -32020)
    acknowledged(client, "tasks/cancel", task)


@scenario(STATELESS, required=False)
def tasks_dispatch_and_envelope(endpoint: Endpoint) -> None:
    client = client_of(endpoint)
    refused(client.request("tasks/result", {"taskId": "any"}), 404, -32601)
    refused(client.request("tasks/list"), 404, -32601)
    hinted = client.result("tools/call", {
        "name": "greet", "arguments": {"name": "hint"}, "task": {"ttl": 60000, "pollInterval": 100}})
    assert hinted["resultType"] == "complete" and hinted["content"] and "taskId" not in hinted
    # Whoever is told of a task can read it.
    task = created(client, "slow_compute", seconds=60, label="consistency")
    get(client, task)
    acknowledged(client, "tasks/cancel", task)
    task = created(client, "confirm_delete", filename="b.txt")
    once(client, task, lambda found: found["status"] == "input_required")
    acknowledged(client, "tasks/update", task, inputResponses={"unknown-key": {"ignored": True}})
    assert get(client, task)["status"] == "input_required"
    acknowledged(client, "tasks/cancel", task)
    for method, more in (("tasks/get", {}), ("tasks/update", {"inputResponses": {}}), ("tasks/cancel", {})):
        answer = client.request(method, {"taskId": "there-is-none", **more})
        assert answer.error["code"] == -32602, method


@scenario(STATELESS, required=False)
def tasks_status_notifications(endpoint: Endpoint) -> None:
    """Who listens for a task is told how it ends; the suite skips this until it listens there."""
    client = client_of(endpoint)
    task = created(client, "slow_compute", seconds=1, label="notify")
    number, reply = client.open("subscriptions/listen", {"notifications": {"taskIds": [task["taskId"]]}})
    deadline = time.monotonic() + 20
    for message in reply.messages():
        assert message["params"]["_meta"][META + "subscriptionId"] == number
        if message["method"] == "notifications/tasks" and message["params"]["status"] == "completed":
            assert message["params"]["taskId"] == task["taskId"] and message["params"]["result"]["content"]
            break
        assert time.monotonic() < deadline
    reply.close()


@scenario(STATELESS, required=False)
def tasks_required_task_error(endpoint: Endpoint) -> None:
    answer = Stateless(endpoint, {}).request("tools/call", {"name": "failing_job", "arguments": {}})
    assert EXTENSION in refused(answer, 400, -32021)["data"]["requiredCapabilities"]["extensions"]


@scenario(STATELESS, required=False)
def tasks_mrtr_composition(endpoint: Endpoint) -> None:
    client = client_of(endpoint)
    first = call(client, "test_tool_with_task")
    assert first["resultType"] == "input_required" and "taskId" not in first
    [key] = first["inputRequests"]
    params = {"name": "test_tool_with_task", "arguments": {}, "inputResponses": {key: accept(name="Alice")}}
    if "requestState" in first:
        params["requestState"] = first["requestState"]
    task = client.result("tools/call", params)
    assert task["resultType"] == "task" and not {"requestState", "inputRequests"} & set(task)
    assert "Alice" in ended(client, task)["result"]["content"][0]["text"]
