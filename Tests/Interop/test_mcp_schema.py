"""The judge of MCP messages itself: what is right passes, each mistake is found, on each transport."""

import json
import subprocess
import sys

import pytest

import mcp_schema
from conftest import Child
from mcp_taps import Tap

pytestmark = pytest.mark.skipif(bool(mcp_schema.missing()), reason=str(mcp_schema.missing()))

INFO = {"name": "x", "version": "1"}
META = {mcp_schema.VERSION: mcp_schema.MODERN, "io.modelcontextprotocol/clientCapabilities": {}}


def request(id: object, method: str, **params: object) -> dict:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


def answer(id: object, **result: object) -> dict:
    return {"jsonrpc": "2.0", "id": id, "result": result}


def notification(name: str, **params: object) -> dict:
    return {"jsonrpc": "2.0", "method": f"notifications/{name}", "params": params}


def hello(version: str) -> list[tuple[str, object]]:
    return [
        ("client", request(0, "initialize", protocolVersion=version, capabilities={}, clientInfo=INFO)),
        ("server", answer(0, protocolVersion=version, capabilities={}, serverInfo=INFO)),
        ("client", {"jsonrpc": "2.0", "method": "notifications/initialized"}),
    ]


def judged(*said: tuple[str, object]) -> mcp_schema.SchemaJudge:
    judge = mcp_schema.SchemaJudge()
    for by, message in said:
        judge.line({"link": "a", "by": by, "text": message if isinstance(message, str) else json.dumps(message)})
    return judge


TOOL = {"name": "t", "inputSchema": {"type": "object"}}
LISTED = {"resultType": "complete", "ttlMs": 0, "cacheScope": "public"}


@pytest.mark.parametrize("version", mcp_schema.LEGACY)
def test_a_right_conversation_has_no_mistake(version: str):
    judge = judged(
        *hello(version), ("client", request("b", "tools/list")), ("server", answer("b", tools=[TOOL])),
        ("client", request(2, "nope")), ("server", {"jsonrpc": "2.0", "id": 2, "error": {"code": -32601, "message": "no"}}))
    assert not judge.mistakes
    assert judge.valid == {version: 7}


def test_a_right_conversation_without_initialize_has_no_mistake():
    judge = judged(
        ("client", request(1, "tools/list", _meta=META)), ("server", answer(1, tools=[TOOL], **LISTED)),
        ("client", request(1, "tools/call", name="t", _meta=META | {"progressToken": 1})),
        ("server", notification("progress", progressToken=1, progress=1)),
        ("server", answer(1, content=[], resultType="complete")),
        ("client", request(2, "tasks/get", taskId="x", _meta=META)), ("server", answer(2, resultType="complete")))
    assert not judge.mistakes
    assert judge.valid == {mcp_schema.MODERN: 7}


def test_a_right_subscription_has_no_mistake():
    judge = judged(
        LISTEN, ("server", notification("subscriptions/acknowledged", _meta=TAG, notifications={})),
        ("server", notification("resources/updated", _meta=TAG, uri="omni://system")))
    assert not judge.mistakes
    assert judge.valid == {mcp_schema.MODERN: 3}


LISTEN = ("client", request(5, "subscriptions/listen", notifications={}, _meta=META))
TAG = {mcp_schema.SUBSCRIPTION: 5}
WRONG = {
    "no json": [*hello("2025-11-25"), ("server", "log: started")],
    "no jsonrpc": [("client", {"id": 1, "method": "ping"})],
    "nothing agreed": [("client", request(1, "tools/list"))],
    "no server info": [*hello("2025-11-25")[:1], ("server", answer(0, protocolVersion="2025-11-25", capabilities={}))],
    "a version that is none": [
        *hello("2025-11-25")[:1], ("server", answer(0, protocolVersion="2030-01-01", capabilities={}, serverInfo=INFO))],
    "a tool without schema": [
        *hello("2025-06-18"), ("client", request(1, "tools/list")), ("server", answer(1, tools=[{"name": "t"}]))],
    "content of a later revision": [
        *hello("2024-11-05"), ("client", request(1, "tools/call", name="t")),
        ("server", answer(1, content=[{"type": "audio", "data": "", "mimeType": "audio/wav"}]))],
    "an answer to another id": [*hello("2025-11-25"), ("client", request(1, "ping")), ("server", answer("1"))],
    "two answers": [*hello("2025-11-25"), ("client", request(1, "ping")), ("server", answer(1)), ("server", answer(1))],
    "an id twice": [*hello("2025-11-25"), ("client", request(1, "ping")), ("client", request(1, "ping"))],
    "a batch": [*hello("2025-06-18"), ("client", [request(1, "ping")])],
    "a notification nobody knows": [*hello("2025-11-25"), ("server", {"jsonrpc": "2.0", "method": "notifications/x"})],
    "progress without a token": [*hello("2025-11-25"), ("server", notification("progress", progress=1))],
    "progress of nothing": [*hello("2025-11-25"), ("server", notification("progress", progressToken=1, progress=1))],
    "progress behind the answer": [
        *hello("2025-11-25"), ("client", request(1, "tools/call", name="t", _meta={"progressToken": 1})),
        ("server", answer(1, content=[])), ("server", notification("progress", progressToken=1, progress=1))],
    "a change before the acknowledgement": [
        LISTEN, ("server", notification("resources/updated", _meta=TAG, uri="omni://system"))],
    "a change of another subscription": [
        LISTEN, ("server", notification("subscriptions/acknowledged", _meta={mcp_schema.SUBSCRIPTION: 6}, notifications={}))],
    "a change that nobody asked for": [
        ("client", request(1, "tools/call", name="t", _meta=META)), ("server", notification("resources/list_changed"))],
    "an error without a message": [
        *hello("2025-11-25"), ("client", request(1, "ping")), ("server", {"jsonrpc": "2.0", "id": 1, "error": {"code": 1}})],
    "an error with null as its id": [
        *hello("2025-11-25"),
        ("server", {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "no"}})],
    "a task without dates": [
        *hello("2025-11-25"), ("client", request(1, "tools/call", name="t", task={})),
        ("server", answer(1, task={"taskId": "x", "status": "working", "ttl": None}))],
    "no capabilities": [("client", request(1, "tools/list", _meta={mcp_schema.VERSION: mcp_schema.MODERN}))],
    "no result type": [
        ("client", request(1, "tools/call", name="t", _meta=META)), ("server", answer(1, content=[]))],
    "no cache hints": [
        ("client", request(1, "tools/list", _meta=META)), ("server", answer(1, tools=[], resultType="complete"))],
    "no content": [
        ("client", request(1, "tools/call", name="t", _meta=META)), ("server", answer(1, resultType="complete"))],
    "an unsupported version without the supported": [
        ("client", request(1, "tools/list", _meta=META)),
        ("server", {"jsonrpc": "2.0", "id": 1, "error": {"code": -32022, "message": "no", "data": {}}})],
}


@pytest.mark.parametrize("said", WRONG.values(), ids=WRONG.keys())
def test_a_mistake_is_found(said: list):
    judge = judged(*said)
    assert len(judge.mistakes) == 1
    assert judge.mistakes[0].startswith(f"{said[-1][0]}: ")


# The taps, before a server that says one thing wrong: a tool has no schema.

SERVER = f"""
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        result = {answer(0, protocolVersion="2025-11-25", capabilities={}, serverInfo=INFO)["result"]!r}
        if message["method"] == "tools/list":
            result = dict(tools=[dict(name="t")])
        print(json.dumps(dict(jsonrpc="2.0", id=message["id"], result=result)), flush=True)
"""
HTTP_SERVER = """
import http.server, io, subprocess, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *arguments):
        pass
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        said = subprocess.run([sys.executable, "-c", sys.argv[1]], input=body, stdout=subprocess.PIPE).stdout
        self.send_response(200 if said else 202)
        self.send_header("mcp-session-id", "s1")
        if b"tools" not in said:
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)
            return
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for piece in (b"id: 1\\r\\ndata: ", said.strip(), b"\\r\\n\\r\\n"):
            self.wfile.write(b"%x\\r\\n%s\\r\\n" % (len(piece), piece))
        self.wfile.write(b"0\\r\\n\\r\\n")
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


def said() -> list[dict]:
    return [message for by, message in hello("2025-11-25") if by == "client"] + [request(1, "tools/list")]


def check_the_mistake(judge: mcp_schema.SchemaJudge) -> None:
    [mistake] = judge.mistakes
    assert "ListToolsResult.tools[0]: 'inputSchema' is a required property" in mistake
    assert judge.valid == {"2025-11-25": 4}


def test_the_tap_of_standard_input_and_output(start, tmp_path):
    tap = Tap(start, tmp_path)
    with subprocess.Popen(
        tap.command(sys.executable, "-c", SERVER), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        for message in said():
            print(json.dumps(message), file=process.stdin, flush=True)
            if "id" in message:
                assert json.loads(process.stdout.readline())["id"] == message["id"]
        process.stdin.close()
        assert process.wait(timeout=60) == 0
    check_the_mistake(tap.judge())


def test_the_tap_of_http(start, tmp_path):
    import http.client

    tap = Tap(start, tmp_path)
    server = start(Child, [sys.executable, "-c", HTTP_SERVER, SERVER], tmp_path)
    connection = http.client.HTTPConnection("127.0.0.1", tap.port(int(server.first_line())), timeout=60)
    for message in said():
        headers = {"mcp-session-id": "s1"} if message["method"] != "initialize" else {}
        connection.request("POST", "/mcp", json.dumps(message), headers)
        body = connection.getresponse().read()
    assert body.startswith(b"id: 1\r\ndata: {")
    check_the_mistake(tap.judge())


def test_the_tap_of_websockets(start, tmp_path):
    import threading

    from websockets.sync.client import connect
    from websockets.sync.server import serve

    def handle(connection):
        for text in connection:
            ended = subprocess.run([sys.executable, "-c", SERVER], input=text, capture_output=True, text=True, check=True)
            if ended.stdout:
                connection.send(ended.stdout.strip())

    with serve(handle, "127.0.0.1", 0, compression=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        tap = Tap(start, tmp_path)
        with connect(f"ws://127.0.0.1:{tap.port(server.socket.getsockname()[1])}") as client:
            for message in said():
                client.send(json.dumps(message))
                if "id" in message:
                    client.recv(timeout=60)
        server.shutdown()
        thread.join()
    check_the_mistake(tap.judge())
