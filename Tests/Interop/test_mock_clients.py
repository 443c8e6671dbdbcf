"""mock-litellm, as a client sees it that has never heard of it: the real openai package."""

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
