"""What the litellm client library makes of LiteLLM, real or not: one JSON object of results.

Arguments: the base URL, the key, the admin URL of the mock, and the face of it that is made to fail.
"""

import json
import sys
import urllib.request

import litellm

base, key, admin, face = sys.argv[1:]
litellm.telemetry = False
litellm.num_retries = 0
ASKED = {
    "model": "openai/claude-3-5-haiku", "api_base": f"{base}/v1", "api_key": key, "timeout": 60, "max_retries": 0,
    "messages": [{"role": "user", "content": "hello"}],
}


def arm(**rule) -> None:
    rules = {face: [{"on": "POST /v1/chat/completions", "times": 1, **rule}]}
    urllib.request.urlopen(f"{admin}/_mock/arm", json.dumps(rules).encode(), timeout=60).read()


def raised(**rule) -> str:
    arm(**rule)
    try:
        litellm.completion(**ASKED)
    except Exception as error:
        return type(error).__name__
    return "nothing"


plain = litellm.completion(**ASKED)
streamed = list(litellm.completion(stream=True, **ASKED))
print(json.dumps({
    "plain": plain.choices[0].message.content,
    "finish": plain.choices[0].finish_reason,
    "tokens": plain.usage.total_tokens,
    "streamed": "".join(chunk.choices[0].delta.content or "" for chunk in streamed),
    "errors": {str(status): raised(status=status) for status in (400, 401, 403, 404, 422, 429, 500, 503)},
    "reset": raised(reset=True),
}))
