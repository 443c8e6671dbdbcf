"""A small client of MCP over Streamable HTTP, of our own: it sends what a test says, also what no SDK would send."""

import http.client
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import mcp_schema
from conftest import DEADLINE

META = "io.modelcontextprotocol/"
STATELESS = "2026-07-28"
CLIENT = {"name": "official-scenarios", "version": "1.0.0"}
EVERYTHING = {"sampling": {}, "elicitation": {}, "roots": {"listChanged": True}}
# Where the name stands that Mcp-Name repeats.
NAMES = {
    "tools/call": "name", "prompts/get": "name", "resources/read": "uri",
    "tasks/get": "taskId", "tasks/update": "taskId", "tasks/cancel": "taskId",
}


def held(version: str, asked: str, params: dict, message: dict) -> dict:
    """The message of a server, which has to fit the official schema where that is here."""
    if mcp_schema.missing():
        return message
    schema = mcp_schema.revision(version)
    if "method" in message:
        definition, _ = schema.message("server", "Request" if "id" in message else "Notification", message["method"])
        mistake = schema.mistake(definition, message)
    elif "result" in message:
        mistake = schema.mistake(schema.result("client", asked, params, message["result"]), message["result"])
    else:
        names = mcp_schema.ERRORS.get(version, {})
        standard = "JSONRPCErrorResponse" if "JSONRPCErrorResponse" in schema.definitions else "JSONRPCError"
        mistake = schema.mistake(names.get(message["error"]["code"], standard), message)
    assert mistake is None, f"{version}, {asked}: {mistake}"
    mcp_schema.TOTAL[version] += 1
    return message


@dataclass
class Event:
    """One event of a stream; `data` is None where the field was absent."""

    id: str | None = None
    retry: str | None = None
    data: str | None = None

    @property
    def message(self) -> dict | None:
        return json.loads(self.data) if self.data else None


class Reply:
    """An answer whose body is read as it comes."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self.connection = connection
        self.response = connection.getresponse()
        self.status = self.response.status
        self.headers = self.response.headers
        self.is_stream = (self.headers.get_content_type() == "text/event-stream")

    def events(self) -> Iterator[Event]:
        event = Event()
        for line in self.response:
            text = line.decode().rstrip("\r\n")
            if not text:
                if event != Event():
                    yield event
                event = Event()
                continue
            name, _, value = text.partition(":")
            value = value.removeprefix(" ")
            if name == "id":
                event.id = value
            elif name == "retry":
                event.retry = value
            elif name == "data":
                event.data = value if event.data is None else f"{event.data}\n{value}"

    def messages(self) -> Iterator[dict]:
        if self.is_stream:
            yield from (event.message for event in self.events() if event.data)
            return
        text = self.response.read().decode()
        if text:
            yield json.loads(text)

    def close(self) -> None:
        self.response.close()
        self.connection.close()


@dataclass
class Answer:
    """The whole of an answer: the response, and what came before it."""

    status: int
    headers: object
    body: dict | None = None
    notifications: list[dict] = field(default_factory=list)
    # Requests of the server, in order.
    asked: list[dict] = field(default_factory=list)

    @property
    def result(self) -> dict:
        assert self.body is not None, f"HTTP {self.status} without a JSON-RPC response"
        assert "result" in self.body, f"HTTP {self.status}: {self.body}"
        return self.body["result"]

    @property
    def error(self) -> dict:
        assert self.body is not None, f"HTTP {self.status} without a JSON-RPC response"
        assert "error" in self.body, f"an error is expected: {self.body}"
        return self.body["error"]

    def told(self, method: str) -> list[dict]:
        return [message["params"] for message in self.notifications if message["method"] == method]


class Endpoint:
    """The URL, and requests to it with any headers."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host, self.port, self.path = parts.hostname, parts.port, parts.path
        self.authority = parts.netloc

    def send(self, verb: str, body: object | None, headers: dict[str, str]) -> Reply:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=DEADLINE)
        data = b"" if body is None else json.dumps(body).encode()
        connection.putrequest(verb, self.path, skip_host="Host" in headers, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        if verb == "POST":
            connection.putheader("Content-Length", str(len(data)))
        connection.endheaders(data if verb == "POST" else None)
        return Reply(connection)

    def post(self, body: object, headers: dict[str, str] | None = None) -> Reply:
        accept = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        return self.send("POST", body, accept | (headers or {}))


class Session:
    """A session of a revision that begins with initialize; answers what the server asks with `answers`."""

    def __init__(
        self, endpoint: Endpoint, revision: str, capabilities: dict | None = None,
        answers: dict[str, Callable[[dict], dict]] | None = None,
    ) -> None:
        self.endpoint, self.answers = endpoint, answers or {}
        self.ids = itertools.count(1)
        self.revision = revision
        # By the ids of requests that were sent.
        self.sent: dict[int, tuple[str, dict]] = {}
        self.headers: dict[str, str] = {}
        if capabilities is None:
            capabilities = {"sampling": {}, "elicitation": {}, "roots": {}}
        introduced = self.request(
            "initialize", {"protocolVersion": revision, "capabilities": capabilities, "clientInfo": CLIENT})
        self.introduction = introduced.result
        self.id = introduced.headers.get("mcp-session-id")
        self.headers = {"MCP-Protocol-Version": self.introduction["protocolVersion"]}
        if self.id:
            self.headers["Mcp-Session-Id"] = self.id
        assert self.notify("notifications/initialized") in (200, 202)

    def notify(self, method: str) -> int:
        return self.say({"jsonrpc": "2.0", "method": method})

    def say(self, message: dict) -> int:
        reply = self.endpoint.post(message, self.headers)
        reply.response.read()
        reply.close()
        return reply.status

    def open(self, method: str, params: dict | None = None, id: int | None = None) -> tuple[int, Reply]:
        number = next(self.ids) if id is None else id
        message = {"jsonrpc": "2.0", "id": number, "method": method}
        if params is not None:
            message["params"] = params
        self.sent[number] = (method, params or {})
        return number, self.endpoint.post(message, self.headers)

    def request(self, method: str, params: dict | None = None) -> Answer:
        number, reply = self.open(method, params)
        return self.finish(number, reply)

    def finish(self, number: int, reply: Reply) -> Answer:
        answer = Answer(reply.status, reply.headers)
        for message in reply.messages():
            held(self.revision, *self.sent[number], message)
            if "method" not in message:
                assert message.get("id") == number, message
                answer.body = message
                break
            if "id" not in message:
                answer.notifications.append(message)
                continue
            answer.asked.append(message)
            assert message["method"] in self.answers, f"nobody answers {message}"
            result = self.answers[message["method"]](message.get("params", {}))
            assert self.say({"jsonrpc": "2.0", "id": message["id"], "result": result}) == 202
        reply.close()
        return answer

    def result(self, method: str, params: dict | None = None) -> dict:
        return self.request(method, params).result

    def close(self) -> int:
        reply = self.endpoint.send("DELETE", None, self.headers)
        reply.close()
        return reply.status


class Stateless:
    """Requests of 2026-07-28: each says by itself which revision it is and what the client can do."""

    def __init__(self, endpoint: Endpoint, capabilities: dict | None = None) -> None:
        self.endpoint = endpoint
        self.capabilities = EVERYTHING if capabilities is None else capabilities
        self.ids = itertools.count(1)
        # By the ids of requests that were sent.
        self.sent: dict[int, tuple[str, dict]] = {}

    def meta(self, **more: object) -> dict:
        """`more` by its last part, such as logLevel; progressToken stands by itself."""
        meta = {
            META + "protocolVersion": STATELESS, META + "clientInfo": CLIENT,
            META + "clientCapabilities": self.capabilities,
        }
        for name, value in more.items():
            key = name if name == "progressToken" else META + name
            if value is None:
                meta.pop(key)
            else:
                meta[key] = value
        return meta

    def open(
        self, method: str, params: dict | None = None, meta: dict | None = None, headers: dict[str, str | None] | None = None,
    ) -> tuple[int, Reply]:
        """`meta` instead of the right one, {} for none; a header of None is left out."""
        params = dict(params or {})
        meta = self.meta() if meta is None else meta
        if meta:
            params["_meta"] = meta
        sent = {"MCP-Protocol-Version": STATELESS, "Mcp-Method": method}
        if NAMES.get(method) in params:
            sent["Mcp-Name"] = params[NAMES[method]]
        sent |= headers or {}
        number = next(self.ids)
        self.sent[number] = (method, params)
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        return number, self.endpoint.post(message, {name: value for name, value in sent.items() if value is not None})

    def request(self, method: str, params: dict | None = None, **keywords) -> Answer:
        number, reply = self.open(method, params, **keywords)
        return self.finish(number, reply)

    def finish(self, number: int, reply: Reply) -> Answer:
        answer = Answer(reply.status, reply.headers)
        for message in reply.messages():
            held(STATELESS, *self.sent[number], message)
            if "method" not in message:
                # Every response of this revision names its request, errors included.
                assert message.get("id") == number, message
                answer.body = message
                break
            assert "id" not in message, f"the server must not send requests: {message}"
            answer.notifications.append(message)
        reply.close()
        return answer

    def result(self, method: str, params: dict | None = None, **keywords) -> dict:
        answer = self.request(method, params, **keywords)
        assert "resultType" in answer.result, answer.result
        return answer.result
