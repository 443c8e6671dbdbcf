"""The same seed gives the same run: what models are asked is equal call for call, and so are the answers."""

import json
from pathlib import Path

from websockets.sync.client import connect

from conftest import DEADLINE, Mock, http

CHAT = "POST /v1/chat/completions"
# Chance decides about every call, so that retries, changes of the state and failures are among the answers.
CHANCES = {
    "litellm": [
        {"fault": "http-500", "on": CHAT, "probability": 0.4},
        {"fault": "null-content", "on": CHAT, "probability": 0.2},
        {"fault": "http-400", "on": CHAT, "probability": 0.1},
    ],
    "direct": [
        {"fault": "http-429", "on": "POST /v1/messages", "probability": 0.3},
        {"fault": "http-503", "on": "POST /v1/messages", "probability": 0.3},
    ],
}
TASKS = 16


def answers(url: str) -> list[dict]:
    """How tasks end that are given one after the other, without the ids that differ in every run."""
    ends = []
    with connect(url, open_timeout=DEADLINE) as connection:
        for number in range(TASKS):
            params = {"description": f"list {number}"}
            connection.send(json.dumps({"method": "create_task", "params": params}))
            result = json.loads(connection.recv(DEADLINE))["result"]
            del result["task_id"]
            ends.append(result)
    return ends


def calls(mock: Mock) -> dict[str, list]:
    """What each face was asked, without the times. Probes come by the clock and are left out."""
    status, text = http(f"{mock.admin}/_mock/journal")
    assert status == 200, text
    faces: dict[str, list] = {"litellm": [], "direct": []}
    for call in json.loads(text)["calls"]:
        if call["method"] == "POST" and call["face"] in faces:
            faces[call["face"]].append([call[key] for key in ("method", "path", "body")] + [call.get("fault")])
    return faces


def test_a_seed_repeats_a_run(start, serve, tmp_path: Path):
    runs = []
    for number in range(2):
        mock = start(Mock, tmp_path)
        mock.arm(**CHANCES)
        server = serve(
            data=tmp_path / f"data-{number}", **mock.variables, OMNI_SEED="7", OMNI_HEALTH_INTERVAL="1h")
        runs.append((answers(server.url), calls(mock)))
        assert server.terminate() == 0
        mock.kill()
    (first_answers, first), (second_answers, second) = runs
    assert first["litellm"] == second["litellm"]
    assert first["direct"] == second["direct"]
    assert first_answers == second_answers
    # Chance has had its say, and both upstreams theirs.
    assert any(call[-1] for call in first["litellm"]) and not all(call[-1] for call in first["litellm"])
    assert first["direct"]
