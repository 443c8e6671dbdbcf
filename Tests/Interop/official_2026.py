"""Official scenarios of 2026-07-28, where every request stands by itself."""

from mcp_http import META, STATELESS, Endpoint, Stateless
from official import refused, scenario

LEVELS = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]
UNKNOWN = "v999.0.0"


def call(client: Stateless, name: str, **keywords) -> dict:
    """The result of a tool; further params by name."""
    return client.result("tools/call", {"name": name, "arguments": {}, **keywords})


def accept(**content) -> dict:
    return {"action": "accept", "content": content}


def sampled(text: str) -> dict:
    return {"role": "assistant", "content": {"type": "text", "text": text}, "model": "test-model", "stopReason": "endTurn"}


ROOTS = {"roots": [{"uri": "file:///test/root", "name": "Test Root"}]}


def asked(result: dict, *methods: str) -> list[str]:
    """The keys of what is asked for, whose methods must be these in any order."""
    assert result["resultType"] == "input_required", result
    requests = result["inputRequests"]
    assert sorted(request["method"] for request in requests.values()) == sorted(methods), requests
    return list(requests)


def carried(result: dict) -> dict:
    """What of the state the retry sends back."""
    return {"requestState": result["requestState"]} if "requestState" in result else {}


# MARK: - server-stateless

def requests_without_what_they_must_say(client: Stateless) -> None:
    absent = [{}, client.meta(protocolVersion=None), client.meta(clientCapabilities=None)]
    for meta in absent:
        refused(client.request("server/discover", meta=meta), 400, -32602)
    # Who the client is, it only should say.
    assert client.request("server/discover", meta=client.meta(clientInfo=None)).status == 200


def versions(client: Stateless, supported: list[str]) -> None:
    meta = client.meta(protocolVersion=UNKNOWN)
    answer = client.request("server/discover", meta=meta, headers={"MCP-Protocol-Version": UNKNOWN})
    data = refused(answer, 400, -32022)["data"]
    assert data["supported"] and set(data["supported"]) <= set(supported)
    assert data["requested"] == UNKNOWN
    refused(client.request("server/discover", meta=meta), 400, -32020)


def removed_methods(client: Stateless) -> None:
    for method in (
        "initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe", "unknown/method",
    ):
        refused(client.request(method), 404, -32601)


def streams(client: Stateless) -> None:
    """Only notifications come before a result, and log messages only for who wants them."""
    asking = Stateless(client.endpoint, {"elicitation": {}})
    assert call(asking, "test_streaming_elicitation")["content"]
    answer = client.request("tools/call", {"name": "test_logging_tool", "arguments": {}})
    assert answer.result["content"] and not answer.told("notifications/message")


def listening(client: Stateless, wanted: dict, *tools: str) -> list[dict]:
    """What is told first, and then once for each tool that is called meanwhile."""
    number, reply = client.open("subscriptions/listen", {"notifications": wanted})
    assert reply.status == 200
    told = reply.messages()
    messages = [next(told)]
    for tool in tools:
        assert call(client, tool)["content"]
    # Of the last call at least something comes, or the wait ends with the deadline.
    messages.append(next(told))
    reply.close()
    for message in messages:
        assert message["params"]["_meta"][META + "subscriptionId"] == number, message
    return messages


def subscriptions(client: Stateless) -> None:
    for wanted, tool, method in (
        ("toolsListChanged", "test_trigger_tool_change", "notifications/tools/list_changed"),
        ("promptsListChanged", "test_trigger_prompt_change", "notifications/prompts/list_changed"),
    ):
        acknowledged, changed = listening(client, {wanted: True}, tool)
        assert acknowledged["method"] == "notifications/subscriptions/acknowledged"
        assert acknowledged["params"]["notifications"] == {wanted: True}
        assert changed["method"] == method
    # The change of the tools comes before that of the prompts, and is not told to who wants the latter only.
    _, changed = listening(
        client, {"promptsListChanged": True}, "test_trigger_tool_change", "test_trigger_prompt_change")
    assert changed["method"] == "notifications/prompts/list_changed"


@scenario(STATELESS)
def server_stateless(endpoint: Endpoint) -> None:
    client = Stateless(endpoint, {})
    requests_without_what_they_must_say(client)
    found = client.result("server/discover")
    capabilities = found["capabilities"]
    assert STATELESS in found["supportedVersions"]
    server = found["_meta"][META + "serverInfo"]
    assert server["name"] and server["version"]
    assert capabilities["tools"]["listChanged"] and capabilities["prompts"]["listChanged"]
    assert client.result("tools/list")["tools"] and client.result("prompts/list")["prompts"]
    versions(client, found["supportedVersions"])
    missing = client.request("tools/call", {"name": "test_missing_capability", "arguments": {}})
    assert refused(missing, 400, -32021)["data"]["requiredCapabilities"] == {"sampling": {}}
    assert call(Stateless(endpoint), "test_missing_capability")["content"]
    removed_methods(client)
    streams(client)
    subscriptions(client)


# MARK: - Lists and resources

@scenario(STATELESS)
def sep_2164_resource_not_found(endpoint: Endpoint) -> None:
    client = Stateless(endpoint)
    uri = "test://nonexistent-resource-for-conformance-testing"
    error = client.request("resources/read", {"uri": uri}).error
    assert error["code"] == -32602 and error["data"]["uri"] == uri
    first = client.result("resources/list")["resources"][0]["uri"]
    assert client.result("resources/read", {"uri": first})["contents"]


@scenario(STATELESS)
def caching(endpoint: Endpoint) -> None:
    client = Stateless(endpoint)
    first = client.result("resources/list")["resources"][0]["uri"]
    for method, params in (
        ("tools/list", {}), ("prompts/list", {}), ("resources/list", {}), ("resources/templates/list", {}),
        ("resources/read", {"uri": first}), ("server/discover", {}),
    ):
        result = client.result(method, params)
        assert type(result["ttlMs"]) is int and result["ttlMs"] >= 0, method
        assert result["cacheScope"] in ("public", "private"), method


# MARK: - Results that ask for input

@scenario(STATELESS)
def input_required_result_basic_elicitation(endpoint: Endpoint) -> None:
    client, tool = Stateless(endpoint), "test_input_required_result_elicitation"
    first = call(client, tool)
    assert asked(first, "elicitation/create") == ["user_name"]
    result = call(client, tool, inputResponses={"user_name": accept(name="Alice")}, **carried(first))
    assert (result["resultType"], result["content"][0]["text"]) == ("complete", "Hello, Alice!")


@scenario(STATELESS)
def input_required_result_basic_sampling(endpoint: Endpoint) -> None:
    client, tool = Stateless(endpoint), "test_input_required_result_sampling"
    first = call(client, tool)
    [key] = asked(first, "sampling/createMessage")
    answer = sampled("The capital of France is Paris.")
    result = call(client, tool, inputResponses={key: answer}, **carried(first))
    assert result["resultType"] == "complete" and "Paris" in result["content"][0]["text"]


@scenario(STATELESS)
def input_required_result_basic_list_roots(endpoint: Endpoint) -> None:
    client, tool = Stateless(endpoint), "test_input_required_result_list_roots"
    first = call(client, tool)
    [key] = asked(first, "roots/list")
    result = call(client, tool, inputResponses={key: ROOTS}, **carried(first))
    assert result["resultType"] == "complete" and "file:///test/root" in result["content"][0]["text"]


@scenario(STATELESS)
def input_required_result_request_state(endpoint: Endpoint) -> None:
    client, tool = Stateless(endpoint), "test_input_required_result_request_state"
    first = call(client, tool)
    [key] = asked(first, "elicitation/create")
    assert first["requestState"] and isinstance(first["requestState"], str)
    result = call(client, tool, inputResponses={key: accept(ok=True)}, requestState=first["requestState"])
    assert result["resultType"] == "complete" and "state-ok" in result["content"][0]["text"]


@scenario(STATELESS)
def input_required_result_multiple_input_requests(endpoint: Endpoint) -> None:
    client, tool = Stateless(endpoint), "test_input_required_result_multiple_inputs"
    first = call(client, tool)
    asked(first, "elicitation/create", "sampling/createMessage", "roots/list")
    assert first["requestState"]
    answers = {
        "elicitation/create": accept(name="Alice"), "sampling/createMessage": sampled("Hello there!"), "roots/list": ROOTS}
    responses = {key: answers[request["method"]] for key, request in first["inputRequests"].items()}
    result = call(client, tool, inputResponses=responses, **carried(first))
    assert result["resultType"] == "complete" and "Alice" in result["content"][0]["text"]


@scenario(STATELESS)
def input_required_result_multi_round(endpoint: Endpoint) -> None:
    client, tool = Stateless(endpoint), "test_input_required_result_multi_round"
    first = call(client, tool)
    [key] = asked(first, "elicitation/create")
    second = call(client, tool, inputResponses={key: accept(name="Alice")}, requestState=first["requestState"])
    [key] = asked(second, "elicitation/create")
    assert second["requestState"] != first["requestState"]
    third = call(client, tool, inputResponses={key: accept(color="blue")}, requestState=second["requestState"])
    assert third["resultType"] == "complete"
    assert "Alice" in third["content"][0]["text"] and "blue" in third["content"][0]["text"]


@scenario(STATELESS)
def input_required_result_missing_input_response(endpoint: Endpoint) -> None:
    result = call(
        Stateless(endpoint), "test_input_required_result_elicitation", inputResponses={"wrong_key": accept(data="wrong")})
    asked(result, "elicitation/create")


@scenario(STATELESS)
def input_required_result_non_tool_request(endpoint: Endpoint) -> None:
    client, prompt = Stateless(endpoint), {"name": "test_input_required_result_prompt"}
    first = client.result("prompts/get", prompt)
    [key] = asked(first, "elicitation/create")
    responses = {"inputResponses": {key: accept(context="test context")}}
    result = client.result("prompts/get", prompt | responses | carried(first))
    assert result["resultType"] == "complete" and "test context" in result["messages"][0]["content"]["text"]


@scenario(STATELESS)
def input_required_result_result_type(endpoint: Endpoint) -> None:
    assert call(Stateless(endpoint), "test_input_required_result_elicitation")["resultType"] == "input_required"


@scenario(STATELESS)
def input_required_result_unsupported_methods(endpoint: Endpoint) -> None:
    for method in ("tools/list", "prompts/list"):
        assert Stateless(endpoint).result(method)["resultType"] == "complete"


@scenario(STATELESS)
def input_required_result_tampered_state(endpoint: Endpoint) -> None:
    client, tool = Stateless(endpoint), "test_input_required_result_tampered_state"
    first = call(client, tool)
    [key] = asked(first, "elicitation/create")
    state = first["requestState"]
    middle = len(state) // 2
    for changed in (state + "-TAMPERED", state[1:], state[:middle] + chr(ord(state[middle]) ^ 1) + state[middle + 1:]):
        answer = client.request("tools/call", {
            "name": tool, "arguments": {}, "inputResponses": {key: accept(ok=True)}, "requestState": changed})
        assert answer.error["code"] == -32602, changed
    other = client.request("tools/call", {
        "name": "test_input_required_result_request_state", "arguments": {},
        "inputResponses": {key: accept(ok=True)}, "requestState": state})
    assert other.error["code"] == -32602, "state of another tool"
    assert call(client, tool, inputResponses={key: accept(ok=True)}, requestState=state)["resultType"] == "complete"


@scenario(STATELESS)
def input_required_result_capability_check(endpoint: Endpoint) -> None:
    asked(call(Stateless(endpoint, {"sampling": {}}), "test_input_required_result_capabilities"), "sampling/createMessage")


@scenario(STATELESS)
def input_required_result_ignore_extra_params(endpoint: Endpoint) -> None:
    result = call(Stateless(endpoint), "test_input_required_result_elicitation", inputResponses={
        "user_name": accept(name="Alice"), "unknown_extra_key": accept(foo="bar"), "another_unexpected": accept(baz=123)})
    assert result["resultType"] == "complete"


@scenario(STATELESS)
def input_required_result_validate_input(endpoint: Endpoint) -> None:
    client = Stateless(endpoint)
    for responses in ({"user_name": 12345}, None):
        answer = client.request("tools/call", {
            "name": "test_input_required_result_elicitation", "arguments": {}, "inputResponses": responses})
        # To be asked again is as good as an error.
        if answer.body.get("result", {}).get("resultType") != "input_required":
            assert answer.error["code"] == -32602


# MARK: - Newer, or pending in the suite

@scenario(STATELESS, required=False)
def per_request_loglevel(endpoint: Endpoint) -> None:
    client = Stateless(endpoint)
    tool = {"name": "test_logging_tool", "arguments": {}}

    def levels(level: str) -> list[str]:
        answer = client.request("tools/call", tool, meta=client.meta(logLevel=level))
        assert answer.result["content"]
        return [entry["level"] for entry in answer.told("notifications/message")]

    assert levels("debug") == ["debug", "info", "warning", "error"]
    assert levels("error") == ["error"]
    assert levels("emergency") == []
    assert client.request("tools/call", tool, meta=client.meta(logLevel="banana")).error["code"] == -32602
    # A request beside one that wants everything gets nothing.
    number, loud = client.open("tools/call", tool, meta=client.meta(logLevel="debug"))
    beside = client.request("tools/call", {"name": "test_tool_fast", "arguments": {}})
    assert beside.result["content"] and not beside.notifications
    assert client.finish(number, loud).told("notifications/message")


@scenario(STATELESS, required=False)
def http_stream_cancellation(endpoint: Endpoint) -> None:
    """A stream that the client closes is the end of its request, and nothing else."""
    client = Stateless(endpoint)
    slow = {"name": "test_tool_slow", "arguments": {"durationMs": 10000}}
    for _ in range(6):
        _, reply = client.open("tools/call", slow, meta=client.meta(progressToken="slow"))
        assert reply.status == 200 and reply.is_stream
        assert next(reply.messages())["method"] == "notifications/progress"
        reply.close()
        assert call(client, "test_tool_fast")["content"]


@scenario(STATELESS, required=False)
def http_header_validation(endpoint: Endpoint) -> None:
    client = Stateless(endpoint)
    tool = {"name": "test_simple_text", "arguments": {}}
    for method, params, headers in (
        ("tools/list", {}, {"Mcp-Method": "prompts/list"}),
        ("tools/list", {}, {"Mcp-Method": "TOOLS/LIST"}),
        ("tools/call", tool, {"Mcp-Name": "wrong_tool_name"}),
    ):
        refused(client.request(method, params, headers=headers), 400, -32020)
    for method, params, headers in (
        ("tools/list", {}, {"Mcp-Method": None, "mcp-method": "tools/list"}),
        ("tools/list", {}, {"Mcp-Method": None, "MCP-METHOD": "tools/list"}),
        ("tools/call", tool, {"Mcp-Name": "  test_simple_text  "}),
    ):
        assert client.request(method, params, headers=headers).result
