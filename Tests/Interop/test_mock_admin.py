"""The admin API of mock-litellm: verification as a test of another program uses it, and metrics as Prometheus reads them."""

import json
import urllib.error
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from conftest import DEADLINE, Mock, http

CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]}


def chat(mock: Mock, **more) -> int:
    request = urllib.request.Request(
        f"{mock.litellm}/v1/chat/completions", json.dumps(CHAT | more).encode(),
        {"content-type": "application/json", "authorization": "Bearer sk-test"})
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE) as response:
            response.read()
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


def metrics(mock: Mock) -> dict[str, dict[tuple, float]]:
    with urllib.request.urlopen(f"{mock.admin}/metrics", timeout=DEADLINE) as response:
        assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        text = response.read().decode()
    found: dict[str, dict[tuple, float]] = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation and family.type in ("counter", "gauge", "histogram")
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def labels(**values: str) -> tuple:
    return tuple(sorted(values.items()))


def test_the_metrics_are_what_prometheus_reads(mock: Mock):
    mock.arm(litellm=[{"fault": "http-500", "times": 2}, {"status": 418, "after": 100, "times": 4}])
    assert [chat(mock), chat(mock), chat(mock), chat(mock, stream=True)] == [500, 500, 200, 200]
    for path in ("/odd/1", "/odd/2", "/odd/3"):
        assert http(f"{mock.litellm}{path}")[0] == 404
    found = metrics(mock)
    path = "/v1/chat/completions"
    requests = found["mock_litellm_requests_total"]
    assert requests[labels(face="litellm", path=path, status="500", fault="http-500")] == 2
    assert requests[labels(face="litellm", path=path, status="200", fault="none")] == 2
    assert requests[labels(face="litellm", path="other", status="404", fault="none")] == 3
    assert len(requests) == 3
    assert found["mock_litellm_faults_armed_total"][labels(face="litellm", fault="status-418")] == 1
    assert found["mock_litellm_faults_met_total"] == {labels(face="litellm", fault="http-500"): 2}
    assert found["mock_litellm_faults_pending"][labels(face="litellm")] == 4
    assert found["mock_litellm_streams_open"][labels(face="litellm")] == 0
    assert found["mock_litellm_connections_open"][labels(port="admin")] >= 1
    buckets = {
        float(dict(key)["le"]): value for key, value in found["mock_litellm_request_seconds_bucket"].items()}
    counts = [buckets[bound] for bound in sorted(buckets)]
    assert counts == sorted(counts) and counts[-1] == 7
    assert found["mock_litellm_request_seconds_count"][labels(face="litellm")] == 7
    assert found["mock_litellm_request_seconds_sum"][labels(face="litellm")] > 0


def test_what_was_asked_is_verified(mock: Mock):
    mock.arm(litellm=[{"status": 503, "times": 1}])
    assert [chat(mock), chat(mock, user="😀")] == [503, 200]
    call = {"path": "/v1/chat/completions", "body": {"model": {"$regex": "^gpt"}}}
    assert http(f"{mock.admin}/_mock/verify", {"litellm": {**call, "count": {"atLeast": 2}}}) == (
        200, '{"verified":true}')
    assert http(f"{mock.admin}/_mock/verify", {"order": [{"litellm": {"body": {"user": "😀"}}}]})[0] == 200
    status, text = http(f"{mock.admin}/_mock/verify", {"litellm": {**call, "count": 1}, "direct": {"count": 0}})
    answer = json.loads(text)
    assert status == 409 and answer["verified"] is False
    [difference] = answer["differences"]
    assert difference == {"at": "litellm /v1/chat/completions count", "expected": "1", "seen": "2"}
    assert [call["status"] for call in answer["calls"]] == [503, 200]
