"""The real LiteLLM before the mock: its client library, its proxy, an omni-server behind that, and recordings of it."""

import json
import re
import subprocess
import time
from pathlib import Path

import openai
import pytest
from websockets.sync.client import connect

from conftest import DEADLINE, HERE, Child, Mock, children_of, http, program, until
from real_litellm import CANNED, KEY, PYTHON, RealLiteLLM, environment, need_litellm

UPSTREAM = "POST /v1/chat/completions"
HELLO = {"model": "claude-3-5-haiku", "messages": [{"role": "user", "content": "hello"}]}
# LiteLLM answers in 10 ms; a machine under load needs more, and nothing here is about how fast it is.
PATIENCE = 120.0


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The proxy with the direct API of a mock as its only upstream."""
    need_litellm()
    folder = tmp_path_factory.mktemp("litellm")
    with children_of() as begin:
        mock = begin(Mock, folder)
        proxy = RealLiteLLM(folder, mock.direct)
        try:
            proxy.start()
            yield mock, proxy
        finally:
            proxy.kill()


@pytest.fixture
def upstream(world) -> Mock:
    mock, _ = world
    mock.reset()
    return mock


@pytest.fixture
def proxy(world) -> RealLiteLLM:
    return world[1]


def client(url: str, retries: int = 0) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=retries, timeout=PATIENCE)


def text_of(chunks) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


# The client library


def library(folder: Path, url: str, admin: str, face: str) -> dict:
    """What the library makes of an address when a face of the mock fails in every way."""
    ended = subprocess.run(
        [str(PYTHON), str(HERE / "clients" / "litellm_library.py"), url, KEY, admin, face],
        env=environment(folder), capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


def test_the_litellm_library_cannot_tell_the_mock_from_the_real_proxy(
    upstream: Mock, proxy: RealLiteLLM, tmp_path: Path):
    mocked = library(tmp_path, upstream.litellm, upstream.admin, "litellm")
    assert len(upstream.calls("/v1/chat/completions")) == 11
    real = library(tmp_path, proxy.url, upstream.admin, "direct")
    for said in (mocked, real):
        assert said["plain"] and said["streamed"] == said["plain"]
        assert said["finish"] == "stop" and said["tokens"] > 0
    assert mocked["errors"] == real["errors"]
    assert mocked["errors"]["429"] == "RateLimitError" and mocked["errors"]["401"] == "AuthenticationError"
    # The mock itself breaks the connection; the proxy says of its upstream that it did.
    assert (mocked["reset"], real["reset"]) == ("InternalServerError", "InternalServerError")


# The proxy with the mock behind it


def test_a_completion_through_the_proxy(upstream: Mock, proxy: RealLiteLLM):
    completion = client(proxy.url).chat.completions.create(**HELLO)
    assert completion.choices[0].message.content and completion.choices[0].finish_reason == "stop"
    [call] = upstream.calls("/v1/chat/completions")
    assert call["face"] == "direct" and call["body"]["messages"] == HELLO["messages"]
    status, text = http(f"{upstream.admin}/_mock/verify", {
        "direct": {"path": "/v1/chat/completions", "count": 1, "body": {"model": "claude-3-5-haiku"}},
        "litellm": {"count": 0},
    })
    assert (status, json.loads(text)) == (200, {"verified": True})


def test_a_stream_through_the_proxy(upstream: Mock, proxy: RealLiteLLM):
    chunks = list(client(proxy.url).chat.completions.create(stream=True, **HELLO))
    plain = client(proxy.url).chat.completions.create(**HELLO)
    assert text_of(chunks) == plain.choices[0].message.content
    assert chunks[-1].choices[0].finish_reason == "stop"


@pytest.mark.parametrize(
    ("rule", "error", "status"),
    [
        ({"status": 400}, openai.BadRequestError, 400),
        ({"status": 401}, openai.AuthenticationError, 401),
        ({"status": 403}, openai.PermissionDeniedError, 403),
        ({"status": 404}, openai.NotFoundError, 404),
        ({"status": 422}, openai.UnprocessableEntityError, 422),
        ({"status": 429, "retry_after": 7}, openai.RateLimitError, 429),
        ({"status": 500}, openai.InternalServerError, 500),
        ({"status": 503}, openai.InternalServerError, 503),
        ({"reset": True}, openai.InternalServerError, 500),
        ({"malformed": True}, openai.InternalServerError, 500),
        ({"truncate": 20}, openai.InternalServerError, 500),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else None,
)
def test_a_fault_of_the_mock_is_seen_through_the_proxy(
    upstream: Mock, proxy: RealLiteLLM, rule: dict, error: type[openai.APIStatusError], status: int):
    upstream.arm(direct=[{"on": UPSTREAM, "times": 1, **rule}])
    with pytest.raises(error) as raised:
        client(proxy.url).chat.completions.create(**HELLO)
    assert raised.value.status_code == status
    assert len(upstream.calls("/v1/chat/completions")) == 1
    if "retry_after" in rule:
        # LiteLLM hides the header of its upstream behind a prefix.
        assert raised.value.response.headers["llm_provider-retry-after"] == "7"
    assert client(proxy.url).chat.completions.create(**HELLO).choices[0].message.content


def test_a_stream_that_breaks_is_an_error_in_the_stream(upstream: Mock, proxy: RealLiteLLM):
    upstream.arm(direct=[{"on": UPSTREAM, "reset": True, "times": 1}, {"on": UPSTREAM, "truncate": 200, "times": 1}])
    with pytest.raises(openai.APIError):
        list(client(proxy.url).chat.completions.create(stream=True, **HELLO))
    with pytest.raises(openai.APIError):
        list(client(proxy.url).chat.completions.create(stream=True, **HELLO))


def test_a_client_that_retries_gets_its_answer_through_the_proxy(upstream: Mock, proxy: RealLiteLLM):
    upstream.arm(direct=[{"on": UPSTREAM, "status": 500, "times": 2}])
    assert client(proxy.url, retries=2).chat.completions.create(**HELLO).choices[0].message.content
    assert len(upstream.calls("/v1/chat/completions")) == 3


# Recordings of the proxy


def questions(url: str) -> list:
    """The same questions to a proxy or its replay; what comes, in a form that can be compared."""
    asked = client(url)
    answers = [
        asked.chat.completions.create(model="canned", messages=HELLO["messages"]).model_dump(),
        asked.chat.completions.create(**HELLO).model_dump(),
        [chunk.model_dump() for chunk in asked.chat.completions.create(stream=True, **HELLO)],
        [chunk.model_dump() for chunk in
         asked.chat.completions.create(stream=True, model="canned", messages=HELLO["messages"])],
    ]
    for model in ("nobody-knows-it", "claude-3-5-sonnet"):
        with pytest.raises(openai.APIStatusError) as raised:
            asked.chat.completions.create(model=model, messages=HELLO["messages"])
        answers.append((raised.value.status_code, raised.value.body))
    answers.append([model.id for model in asked.models.list()])
    return answers


def test_what_is_recorded_of_the_real_litellm_is_replayed(
    upstream: Mock, proxy: RealLiteLLM, start, tmp_path: Path, tells):
    upstream.arm(direct=[
        {"on": UPSTREAM, "after": 2, "status": 429, "retry_after": 3, "times": 1},
        {"on": UPSTREAM, "after": 1, "tokens_per_second": 20, "times": 1},
    ])
    file = tmp_path / "calls.yaml"
    recorder = start(Child, [
        program("mock-litellm"), "record", "--upstream", proxy.url, "--output", str(file), "--port", "0"], tmp_path)
    recorded = questions(json.loads(recorder.first_line())["record"])
    # A client that has seen [DONE] may be ahead of the end of its stream.
    until(lambda: file.read_text().count("- request:") == len(recorded), "the recording", PATIENCE)
    recorder.kill()
    text = file.read_text()
    assert KEY not in text and "sk-upstream" not in text
    assert recorded[0]["choices"][0]["message"]["content"] == CANNED
    assert recorded[5][0] == 429
    proxyless = start(Replaying, tmp_path, file)
    began = time.monotonic()
    replayed = questions(proxyless.litellm)
    took = time.monotonic() - began
    assert replayed == recorded
    assert took >= max(float(ms) for ms in re.findall(r'"after_ms":([\d.]+)', text)) / 1000
    assert proxyless.calls("/v1/chat/completions")[0]["status"] == 200
    with pytest.raises(openai.NotFoundError) as raised:
        client(proxyless.litellm).chat.completions.create(model="canned", messages=[])
    assert raised.value.type == "not_recorded"
    tells(f"real litellm: {text.count('- request:')} exchanges recorded and replayed")


class Replaying(Mock):
    def __init__(self, folder: Path, recording: Path) -> None:
        super().__init__(folder, "--replay", str(recording))


# An orchestrator behind the proxy


def ask(server, method: str, **params) -> dict:
    with connect(server.url, open_timeout=DEADLINE) as socket:
        socket.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
        answer = json.loads(socket.recv(timeout=PATIENCE))
    assert "result" in answer, answer
    return answer["result"]


def test_the_server_survives_the_death_of_the_proxy(upstream: Mock, proxy: RealLiteLLM, serve, tells):
    # A probe of a busy LiteLLM takes longer than the usual second, and must not count as a failure here.
    server = serve(**upstream.variables | {
        "LITELLM_URL": proxy.url, "LITELLM_API_KEY": KEY, "OMNI_HEALTH_INTERVAL": "0.2s",
        "OMNI_LITE_LLM_TIMEOUT": "60s"})

    def state() -> str:
        return ask(server, "system_status")["system_state"]

    def until_state(wanted: str) -> None:
        until(lambda: state() == wanted, f"the state {wanted}", PATIENCE)

    def completed() -> str:
        """Who completed a task."""
        task = ask(server, "create_task", description="say hello")
        assert task["status"] == "completed" and task["result"], task
        return ask(server, "get_task_status", task_id=task["task_id"])["executor"]

    assert completed() == "litellm"
    assert len(upstream.calls("/v1/chat/completions")) >= 1 and upstream.calls("/v1/messages") == []
    proxy.kill()
    assert completed() == "direct"
    assert state() == "degraded"
    assert len(upstream.calls("/v1/messages")) >= 1
    proxy.start()
    until_state("normal")
    assert completed() == "litellm"
    tells("real litellm: killed, replaced by the direct API, and taken back")
