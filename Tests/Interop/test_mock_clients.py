"""mock-litellm, as a client sees it that has never heard of it: the real openai package."""

import asyncio

import openai
import pytest

from conftest import DEADLINE, Mock

COMPLETIONS = "POST /v1/chat/completions"
HELLO = {"model": "claude-3-5-haiku", "messages": [{"role": "user", "content": "hello"}]}


def client(mock: Mock, retries: int = 0) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{mock.litellm}/v1", api_key="sk-test", max_retries=retries, timeout=DEADLINE)


def calls(mock: Mock) -> int:
    return len(mock.calls("/v1/chat/completions"))


def test_plain(mock: Mock):
    completion = client(mock).chat.completions.create(**HELLO)
    assert completion.object == "chat.completion"
    assert completion.choices[0].message.content
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens
    [call] = mock.calls("/v1/chat/completions")
    assert call["body"]["messages"] == HELLO["messages"]
    assert "sk-test" not in str(call["headers"])


def test_stream(mock: Mock):
    chunks = list(client(mock).chat.completions.create(stream=True, **HELLO))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk.id for chunk in chunks}) == 1


def test_stream_with_usage(mock: Mock):
    chunks = list(
        client(mock).chat.completions.create(stream=True, stream_options={"include_usage": True}, **HELLO))
    assert chunks[-1].usage.total_tokens > 0


def test_models(mock: Mock):
    names = [model.id for model in client(mock).models.list()]
    assert "claude-3-5-haiku" in names and "claude-3-5-sonnet" in names


def test_two_500s_are_retried(mock: Mock):
    mock.arm(litellm=[{"on": COMPLETIONS, "status": 500, "times": 2}])
    completion = client(mock, retries=2).chat.completions.create(**HELLO)
    assert completion.choices[0].message.content
    assert calls(mock) == 3


def test_three_500s_are_too_many(mock: Mock):
    mock.arm(litellm=[{"on": COMPLETIONS, "status": 500, "times": 3}])
    with pytest.raises(openai.InternalServerError) as raised:
        client(mock, retries=2).chat.completions.create(**HELLO)
    assert raised.value.status_code == 500
    assert raised.value.code == "500"  # LiteLLM gives the status as a string
    assert calls(mock) == 3


def test_429_is_retried_no_sooner_than_told(mock: Mock):
    mock.arm(litellm=[{"fault": "http-429-retry-after", "on": COMPLETIONS, "times": 1}])
    completion = client(mock, retries=1).chat.completions.create(**HELLO)
    assert completion.choices[0].message.content
    first, second = mock.calls("/v1/chat/completions")
    assert second["at_ms"] - first["at_ms"] >= 990


def test_429_without_retries(mock: Mock):
    mock.arm(litellm=[{"fault": "http-429-retry-after", "on": COMPLETIONS, "times": 1}])
    with pytest.raises(openai.RateLimitError) as raised:
        client(mock).chat.completions.create(**HELLO)
    assert raised.value.response.headers["retry-after"] == "1"
    assert raised.value.code == "429"
    assert calls(mock) == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("http-400", openai.BadRequestError),
        ("http-401", openai.AuthenticationError),
        ("budget-exceeded", openai.UnprocessableEntityError),
    ],
)
def test_what_is_refused_is_not_retried(mock: Mock, fault: str, error: type[Exception]):
    mock.arm(litellm=[{"fault": fault, "on": COMPLETIONS, "times": 1}])
    with pytest.raises(error):
        client(mock, retries=2).chat.completions.create(**HELLO)
    assert calls(mock) == 1


def test_a_reset_connection_is_retried(mock: Mock):
    mock.arm(litellm=[{"fault": "reset", "on": COMPLETIONS, "times": 1}])
    completion = client(mock, retries=1).chat.completions.create(**HELLO)
    assert completion.choices[0].message.content
    assert calls(mock) == 2


def test_nobody_listens_until_reset(mock: Mock):
    mock.arm(litellm=[{"fault": "refuse"}])
    with pytest.raises(openai.APIConnectionError):
        client(mock).chat.completions.create(**HELLO)
    mock.reset()
    assert client(mock).chat.completions.create(**HELLO).choices[0].message.content


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError), (401, openai.AuthenticationError), (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError), (409, openai.ConflictError), (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError), (500, openai.InternalServerError), (502, openai.InternalServerError),
        (503, openai.InternalServerError), (529, openai.InternalServerError),
    ],
)
def test_each_status_is_its_exception(mock: Mock, status: int, error: type[openai.APIStatusError]):
    mock.arm(litellm=[{"status": status, "message": "so it was told", "times": 1}])
    with pytest.raises(error) as raised:
        client(mock).chat.completions.create(**HELLO)
    assert raised.value.status_code == status and raised.value.code == str(status)
    assert "so it was told" in raised.value.message


def test_retry_after_in_milliseconds_goes_first(mock: Mock):
    mock.arm(litellm=[
        {"on": COMPLETIONS, "status": 503, "headers": {"retry-after-ms": "700", "retry-after": "0"}, "times": 1}])
    assert client(mock, retries=1).chat.completions.create(**HELLO).choices[0].message.content
    first, second = mock.calls("/v1/chat/completions")
    assert second["at_ms"] - first["at_ms"] >= 690


@pytest.mark.parametrize(
    ("status", "headers", "asked"),
    [(500, {"x-should-retry": "false"}, 1), (400, {"x-should-retry": "true"}, 2)],
)
def test_the_server_has_the_last_word_on_retries(mock: Mock, status: int, headers: dict[str, str], asked: int):
    mock.arm(litellm=[{"on": COMPLETIONS, "status": status, "headers": headers, "times": 2}])
    with pytest.raises(openai.APIStatusError):
        client(mock, retries=1).chat.completions.create(**HELLO)
    assert calls(mock) == asked


@pytest.mark.parametrize("rule", [{"reset": "middle"}, {"truncate": 100}, {"malformed": True}], ids=str)
def test_a_stream_that_breaks_is_no_answer_and_not_retried(mock: Mock, rule: dict):
    mock.arm(litellm=[{"on": COMPLETIONS, "times": 1, **rule}])
    with pytest.raises(Exception) as raised:
        list(client(mock, retries=2).chat.completions.create(stream=True, **HELLO))
    # What breaks behind the head comes from httpx or the JSON parser as it is.
    assert raised.type.__module__.split(".")[0] in ("openai", "httpx", "json")
    assert calls(mock) == 1


def test_clients_at_the_same_time(mock: Mock):
    async def ask() -> list[str]:
        async with openai.AsyncOpenAI(
            base_url=f"{mock.litellm}/v1", api_key="sk-test", max_retries=0, timeout=DEADLINE) as asked:
            answers = await asyncio.gather(*(asked.chat.completions.create(**HELLO) for _ in range(32)))
            streamed = await asked.chat.completions.create(stream=True, **HELLO)
            pieces = [chunk.choices[0].delta.content or "" async for chunk in streamed if chunk.choices]
        return [answer.choices[0].message.content for answer in answers] + ["".join(pieces)]

    assert len(set(asyncio.run(ask()))) == 1
    assert calls(mock) == 33
