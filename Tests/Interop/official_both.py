"""Official scenarios that are the same at both revisions."""

import json
import re

from mcp_http import STATELESS, Endpoint, Session
from official import STATEFUL, peer, scenario

BOTH = (STATEFUL, STATELESS)


def content(result: dict, kind: str) -> dict:
    """The first block of this kind."""
    [block, *_] = [block for block in result["content"] if block["type"] == kind]
    return block


@scenario(*BOTH)
def completion_complete(endpoint: Endpoint, revision: str) -> None:
    result = peer(endpoint, revision).result("completion/complete", {
        "ref": {"type": "ref/prompt", "name": "test_prompt_with_arguments"}, "argument": {"name": "arg1", "value": "test"}})
    assert isinstance(result["completion"]["values"], list)


@scenario(*BOTH)
def tools_list(endpoint: Endpoint, revision: str) -> None:
    client = peer(endpoint, revision)
    lists = [client.result("tools/list")["tools"] for _ in range(3)]
    for tool in lists[0]:
        assert re.fullmatch(r"[A-Za-z0-9_.-]{1,128}", tool["name"]), tool["name"]
        assert tool["description"], tool["name"]
        assert tool["inputSchema"]["type"] == "object", tool["name"]
    assert len({tool["name"] for tool in lists[0]}) == len(lists[0])
    names = [[tool["name"] for tool in tools] for tools in lists]
    assert names[0] == names[1] == names[2], "the order must not change"


@scenario(*BOTH)
def tools_call_simple_text(endpoint: Endpoint, revision: str) -> None:
    # Arguments are optional, and absent here.
    result = peer(endpoint, revision).result("tools/call", {"name": "test_simple_text"})
    assert content(result, "text")["text"] == "This is a simple text response for testing."


@scenario(*BOTH)
def tools_call_image(endpoint: Endpoint, revision: str) -> None:
    image = content(peer(endpoint, revision).result("tools/call", {"name": "test_image_content", "arguments": {}}), "image")
    assert image["mimeType"] == "image/png" and image["data"].startswith("iVBORw0KGgo")


@scenario(*BOTH)
def tools_call_audio(endpoint: Endpoint, revision: str) -> None:
    audio = content(peer(endpoint, revision).result("tools/call", {"name": "test_audio_content", "arguments": {}}), "audio")
    assert audio["mimeType"] == "audio/wav" and audio["data"].startswith("UklGR")


@scenario(*BOTH)
def tools_call_embedded_resource(endpoint: Endpoint, revision: str) -> None:
    result = peer(endpoint, revision).result("tools/call", {"name": "test_embedded_resource", "arguments": {}})
    resource = content(result, "resource")["resource"]
    assert resource == {
        "uri": "test://embedded-resource", "mimeType": "text/plain", "text": "This is an embedded resource content."}


@scenario(*BOTH)
def tools_call_mixed_content(endpoint: Endpoint, revision: str) -> None:
    result = peer(endpoint, revision).result("tools/call", {"name": "test_multiple_content_types", "arguments": {}})
    assert [block["type"] for block in result["content"]] == ["text", "image", "resource"]
    assert json.loads(content(result, "resource")["resource"]["text"]) == {"test": "data", "value": 123}


@scenario(*BOTH)
def tools_call_error(endpoint: Endpoint, revision: str) -> None:
    result = peer(endpoint, revision).result("tools/call", {"name": "test_error_handling", "arguments": {}})
    assert result["isError"] is True
    assert result["content"][0]["text"] == "This tool intentionally returns an error for testing"


@scenario(*BOTH)
def tools_call_with_progress(endpoint: Endpoint, revision: str) -> None:
    client = peer(endpoint, revision)
    params = {"name": "test_tool_with_progress", "arguments": {}}
    if isinstance(client, Session):
        answer = client.request("tools/call", params | {"_meta": {"progressToken": "progress-test-1"}})
    else:
        answer = client.request("tools/call", params, meta=client.meta(progressToken="progress-test-1"))
    assert answer.result["content"]
    told = [(update["progress"], update["total"]) for update in answer.told("notifications/progress")
            if update["progressToken"] == "progress-test-1"]
    assert told == [(0, 100), (50, 100), (100, 100)]


@scenario(*BOTH)
def resources_list(endpoint: Endpoint, revision: str) -> None:
    resources = peer(endpoint, revision).result("resources/list")["resources"]
    assert all(resource["uri"] and resource["name"] for resource in resources)
    assert {"test://static-text", "test://static-binary", "test://watched-resource"} <= {each["uri"] for each in resources}
    assert not any("{" in resource["uri"] for resource in resources), "templates do not belong here"


@scenario(*BOTH)
def resources_read_text(endpoint: Endpoint, revision: str) -> None:
    [read] = peer(endpoint, revision).result("resources/read", {"uri": "test://static-text"})["contents"]
    assert read == {
        "uri": "test://static-text", "mimeType": "text/plain", "text": "This is the content of the static text resource."}


@scenario(*BOTH)
def resources_read_binary(endpoint: Endpoint, revision: str) -> None:
    [read] = peer(endpoint, revision).result("resources/read", {"uri": "test://static-binary"})["contents"]
    assert (read["uri"], read["mimeType"]) == ("test://static-binary", "image/png")
    assert read["blob"].startswith("iVBORw0KGgo")


@scenario(*BOTH)
def resources_templates_read(endpoint: Endpoint, revision: str) -> None:
    client = peer(endpoint, revision)
    templates = client.result("resources/templates/list")["resourceTemplates"]
    assert "test://template/{id}/data" in [template["uriTemplate"] for template in templates]
    [read] = client.result("resources/read", {"uri": "test://template/123/data"})["contents"]
    assert (read["uri"], read["mimeType"]) == ("test://template/123/data", "application/json")
    assert json.loads(read["text"]) == {"id": "123", "templateTest": True, "data": "Data for ID: 123"}


@scenario(*BOTH)
def prompts_list(endpoint: Endpoint, revision: str) -> None:
    prompts = peer(endpoint, revision).result("prompts/list")["prompts"]
    assert all(prompt["name"] and prompt["description"] for prompt in prompts)
    [told] = [prompt for prompt in prompts if prompt["name"] == "test_prompt_with_arguments"]
    assert [(argument["name"], argument["required"]) for argument in told["arguments"]] == [("arg1", True), ("arg2", True)]


@scenario(*BOTH)
def prompts_get_simple(endpoint: Endpoint, revision: str) -> None:
    result = peer(endpoint, revision).result("prompts/get", {"name": "test_simple_prompt"})
    text = {"type": "text", "text": "This is a simple prompt for testing."}
    assert result["messages"] == [{"role": "user", "content": text}]


@scenario(*BOTH)
def prompts_get_with_args(endpoint: Endpoint, revision: str) -> None:
    result = peer(endpoint, revision).result("prompts/get", {
        "name": "test_prompt_with_arguments", "arguments": {"arg1": "testValue1", "arg2": "testValue2"}})
    assert result["messages"][0]["content"]["text"] == "Prompt with arguments: arg1='testValue1', arg2='testValue2'"


@scenario(*BOTH)
def prompts_get_embedded_resource(endpoint: Endpoint, revision: str) -> None:
    result = peer(endpoint, revision).result("prompts/get", {
        "name": "test_prompt_with_embedded_resource", "arguments": {"resourceUri": "test://example-resource"}})
    first, second = [message["content"] for message in result["messages"]]
    assert first["type"] == "resource" and first["resource"]["uri"] == "test://example-resource"
    assert first["resource"]["text"] == "Embedded resource content for testing."
    assert second == {"type": "text", "text": "Please process the embedded resource above."}


@scenario(*BOTH)
def prompts_get_with_image(endpoint: Endpoint, revision: str) -> None:
    result = peer(endpoint, revision).result("prompts/get", {"name": "test_prompt_with_image"})
    [image] = [message["content"] for message in result["messages"] if message["content"]["type"] == "image"]
    assert image["mimeType"] == "image/png" and image["data"]


@scenario(*BOTH)
def server_sse_multiple_streams(endpoint: Endpoint, revision: str) -> None:
    """Three requests are open at once, and each is answered on its own stream."""
    client = peer(endpoint, revision)
    streams = [client.open("tools/list", {}) for _ in range(3)]
    for number, reply in reversed(streams):
        assert reply.status == 200
        assert client.finish(number, reply).result["tools"]


@scenario(*BOTH)
def dns_rebinding_protection(endpoint: Endpoint, revision: str) -> None:
    def probe(host: str, method: str, params: dict, more: dict | None = None, id: int | None = 1):
        message = {"jsonrpc": "2.0", "method": method, "params": params} | ({} if id is None else {"id": id})
        headers = {"Host": host, "Origin": f"http://{host}", "MCP-Protocol-Version": revision, "Mcp-Method": method}
        reply = endpoint.post(message, headers | (more or {}))
        reply.response.read()
        reply.close()
        return reply

    if revision == STATELESS:
        method, params = "server/discover", {"_meta": peer(endpoint, revision).meta()}
    else:
        method, params = "initialize", {
            "protocolVersion": revision, "capabilities": {}, "clientInfo": {"name": "rebinding", "version": "1"}}
    for host in ("evil.example.com", f"evil.example.com:{endpoint.port}"):
        assert 400 <= probe(host, method, params).status < 500
    for host in (f"127.0.0.1:{endpoint.port}", f"localhost:{endpoint.port}"):
        allowed = probe(host, method, params)
        assert allowed.status == 200, f"{host}: {allowed.status}"
        if revision != STATELESS:
            session = {"Mcp-Session-Id": allowed.headers["mcp-session-id"]}
            assert probe(host, "notifications/initialized", {}, session, id=None).status == 202


@scenario(*BOTH, required=False)
def json_schema_2020_12(endpoint: Endpoint, revision: str) -> None:
    """The input schema is shown with all keywords it was written with."""
    tools = peer(endpoint, revision).result("tools/list")["tools"]
    [schema] = [tool["inputSchema"] for tool in tools if tool["name"] == "json_schema_2020_12_tool"]
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$defs"]["address"]["$anchor"] == "addressDef"
    assert schema["additionalProperties"] is False
    assert schema["allOf"][0]["anyOf"]
    assert {"if", "then", "else"} <= set(schema)


@scenario(*BOTH, required=False)
def json_rpc_batch_rejection(endpoint: Endpoint, revision: str) -> None:
    client = peer(endpoint, revision)
    if isinstance(client, Session):
        headers, method, params = client.headers, "ping", {}
    else:
        method, params = "tools/list", {"_meta": client.meta()}
        headers = {"MCP-Protocol-Version": revision, "Mcp-Method": method}
    reply = endpoint.post([{"jsonrpc": "2.0", "id": id, "method": method, "params": params} for id in (901, 902)], headers)
    [message] = reply.messages()
    assert 400 <= reply.status < 500 and isinstance(message["error"]["code"], int), (reply.status, message)
