"""Official scenarios of 2025-11-25, where a session begins with initialize."""

import re

from mcp_http import Endpoint, Session
from official import STATEFUL, scenario


@scenario(STATEFUL)
def server_initialize(endpoint: Endpoint) -> None:
    session = Session(endpoint, STATEFUL)
    assert session.introduction["protocolVersion"] == STATEFUL
    assert session.introduction["serverInfo"]["name"] and session.introduction["serverInfo"]["version"]
    assert {"tools", "resources", "prompts", "logging", "completions"} <= set(session.introduction["capabilities"])
    assert session.id is None or re.fullmatch(r"[\x21-\x7e]+", session.id)
    assert session.close() in range(200, 300)


@scenario(STATEFUL, required=False)
def server_session_lifecycle(endpoint: Endpoint) -> None:
    session = Session(endpoint, STATEFUL)
    assert session.id
    assert session.close() in range(200, 300)
    _, reply = session.open("tools/list", {})
    assert reply.status == 404
    reply.close()


@scenario(STATEFUL)
def logging_set_level(endpoint: Endpoint) -> None:
    assert Session(endpoint, STATEFUL).result("logging/setLevel", {"level": "info"}) == {}


@scenario(STATEFUL)
def ping(endpoint: Endpoint) -> None:
    assert Session(endpoint, STATEFUL).result("ping") == {}


@scenario(STATEFUL)
def tools_call_with_logging(endpoint: Endpoint) -> None:
    session = Session(endpoint, STATEFUL)
    assert session.result("logging/setLevel", {"level": "debug"}) == {}
    answer = session.request("tools/call", {"name": "test_tool_with_logging", "arguments": {}})
    assert answer.result["content"]
    assert [(entry["level"], entry["data"]) for entry in answer.told("notifications/message")] == [
        ("info", "Tool execution started"), ("info", "Tool processing data"), ("info", "Tool execution completed")]
    session.result("logging/setLevel", {"level": "error"})
    quiet = session.request("tools/call", {"name": "test_tool_with_logging", "arguments": {}})
    assert quiet.result["content"] and not quiet.told("notifications/message")


@scenario(STATEFUL)
def tools_call_sampling(endpoint: Endpoint) -> None:
    said = {"role": "assistant", "content": {"type": "text", "text": "This is a test response from the client"},
            "model": "test-model", "stopReason": "endTurn"}
    session = Session(endpoint, STATEFUL, answers={"sampling/createMessage": lambda params: said})
    answer = session.request("tools/call", {"name": "test_sampling", "arguments": {"prompt": "Test prompt for sampling"}})
    assert answer.result["content"][0]["text"] == "LLM response: This is a test response from the client"
    [asked] = answer.asked
    question = {"type": "text", "text": "Test prompt for sampling"}
    assert asked["params"]["messages"] == [{"role": "user", "content": question}]
    assert asked["params"]["maxTokens"] == 100


def elicited(endpoint: Endpoint, tool: str, arguments: dict, content: dict) -> tuple[dict, str]:
    """The schema that the user is asked to fill in, and the text of the result."""
    session = Session(
        endpoint, STATEFUL, answers={"elicitation/create": lambda params: {"action": "accept", "content": content}})
    answer = session.request("tools/call", {"name": tool, "arguments": arguments})
    [asked] = answer.asked
    assert asked["params"]["message"]
    return asked["params"]["requestedSchema"], answer.result["content"][0]["text"]


@scenario(STATEFUL)
def tools_call_elicitation(endpoint: Endpoint) -> None:
    schema, text = elicited(
        endpoint, "test_elicitation", {"message": "Please provide your information"},
        {"username": "testuser", "email": "test@example.com"})
    assert set(schema["required"]) == {"username", "email"}
    assert text.startswith("User response: action=accept") and "testuser" in text


@scenario(STATEFUL)
def elicitation_sep1034_defaults(endpoint: Endpoint) -> None:
    schema, text = elicited(
        endpoint, "test_elicitation_sep1034_defaults", {},
        {"name": "Jane Smith", "age": 25, "score": 88.0, "status": "inactive", "verified": False})
    fields = {name: (field["type"], field["default"]) for name, field in schema["properties"].items()}
    assert fields == {
        "name": ("string", "John Doe"), "age": ("integer", 30), "score": ("number", 95.5),
        "status": ("string", "active"), "verified": ("boolean", True)}
    assert "active" in schema["properties"]["status"]["enum"]
    assert text.startswith("Elicitation completed: action=accept, content={") and "Jane Smith" in text


@scenario(STATEFUL)
def elicitation_sep1330_enums(endpoint: Endpoint) -> None:
    schema, text = elicited(
        endpoint, "test_elicitation_sep1330_enums", {},
        {"untitledSingle": "option1", "titledSingle": "value1", "legacyEnum": "opt1",
         "untitledMulti": ["option1", "option2"], "titledMulti": ["value1", "value2"]})
    fields = schema["properties"]

    def titled(choices: list[dict]) -> bool:
        return bool(choices) and all(isinstance(each["const"], str) and isinstance(each["title"], str) for each in choices)

    single = fields["untitledSingle"]
    assert single["type"] == "string" and single["enum"] and "oneOf" not in single and "enumNames" not in single
    single = fields["titledSingle"]
    assert single["type"] == "string" and titled(single["oneOf"]) and "enum" not in single
    legacy = fields["legacyEnum"]
    assert legacy["type"] == "string" and len(legacy["enum"]) == len(legacy["enumNames"]) > 0
    multi = fields["untitledMulti"]
    assert multi["type"] == "array" and multi["items"]["type"] == "string"
    assert multi["items"]["enum"] and "anyOf" not in multi["items"]
    multi = fields["titledMulti"]
    assert multi["type"] == "array" and titled(multi["items"]["anyOf"]) and "enum" not in multi["items"]
    assert text.startswith("Elicitation completed: action=accept")


@scenario(STATEFUL)
def resources_subscribe(endpoint: Endpoint) -> None:
    assert Session(endpoint, STATEFUL).result("resources/subscribe", {"uri": "test://watched-resource"}) == {}


@scenario(STATEFUL)
def resources_unsubscribe(endpoint: Endpoint) -> None:
    session = Session(endpoint, STATEFUL)
    assert session.result("resources/subscribe", {"uri": "test://watched-resource"}) == {}
    assert session.result("resources/unsubscribe", {"uri": "test://watched-resource"}) == {}


@scenario(STATEFUL, required=False)
def server_sse_polling(endpoint: Endpoint) -> None:
    """The stream begins with an event to resume from, ends before the answer, and goes on where it is resumed."""
    session = Session(endpoint, STATEFUL)
    number, reply = session.open("tools/call", {"name": "test_reconnection", "arguments": {}})
    assert reply.status == 200 and reply.is_stream
    events = list(reply.events())
    reply.close()
    assert events[0].id and events[0].data == "", events
    assert any(event.retry for event in events), "retry says when to come back"
    assert not any(event.data for event in events), "the answer comes after the stream has ended"
    last = [event.id for event in events if event.id][-1]
    resumed = endpoint.send("GET", None, session.headers | {"Accept": "text/event-stream", "Last-Event-ID": last})
    assert resumed.status == 200 and resumed.is_stream
    for event in resumed.events():
        if event.data:
            assert event.message["id"] == number and event.message["result"]["content"]
            resumed.close()
            return
    raise AssertionError("the answer did not come")


@scenario(STATEFUL, required=False)
def server_protocol_version_header(endpoint: Endpoint) -> None:
    session = Session(endpoint, STATEFUL)
    for version in ("invalid-protocol-version", "2000-01-01", "2099-01-01"):
        for more in ({}, {"Mcp-Session-Id": session.id}):
            message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
            reply = endpoint.post(message, {"MCP-Protocol-Version": version} | more)
            assert reply.status == 400, f"{version} with {more}: {reply.status}"
            reply.close()
