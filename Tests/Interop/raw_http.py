"""A client of MCP over HTTP that says exactly what a test wants it to say, and sees all that comes back."""

import http.client
import json
from contextlib import contextmanager
from dataclasses import dataclass, field

from conftest import DEADLINE, Server

ACCEPT = "application/json, text/event-stream"
SESSION, VERSION, RESUME = "Mcp-Session-Id", "MCP-Protocol-Version", "Last-Event-ID"
STATELESS = "2026-07-28"
META = "io.modelcontextprotocol/"


@dataclass
class Reply:
    status: int
    headers: http.client.HTTPMessage
    text: str

    @property
    def json(self):
        assert self.headers["Content-Type"] == "application/json", (self.status, self.headers, self.text)
        return json.loads(self.text)

    @property
    def result(self):
        assert self.status == 200 and "result" in self.json, self.text
        return self.json["result"]

    @property
    def code(self) -> int:
        return self.json["error"]["code"]


@dataclass
class Event:
    """An event as it stands on the wire; data is None where there is no such line."""

    id: str | None = None
    data: str | None = None
    retry: str | None = None
    comments: list[str] = field(default_factory=list)

    @property
    def message(self) -> dict:
        assert self.data, self
        return json.loads(self.data)


class Stream:
    """The events of an answer, one after the other."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self.connection, self.response = connection, response
        self.status, self.headers = response.status, response.headers

    def next(self) -> Event | None:
        """The next event, comments included; None when the stream has ended in order."""
        event = Event()
        while line := self.response.readline().decode():
            assert line.endswith("\n"), line
            name, _, value = line.rstrip("\n").partition(":")
            if line == "\n":
                return event
            if not name:
                event.comments.append(value.strip())
            else:
                assert name in ("id", "data", "retry") and getattr(event, name) is None, line
                setattr(event, name, value.removeprefix(" "))
        assert event == Event(), event
        return None

    def message(self) -> dict:
        """The message of the next event that has one."""
        while event := self.next():
            if event.data:
                return event.message
        raise AssertionError("the stream has ended")

    def rest(self) -> list[Event]:
        events = []
        while event := self.next():
            events.append(event)
        return events

    def messages(self) -> list[dict]:
        return [event.message for event in self.rest() if event.data]

    def cut(self) -> None:
        """Goes away without a word."""
        self.response.close()
        self.connection.close()


class Client:
    """Sends each request on a connection of its own."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.headers: dict[str, str] = {}
        self.last = 0

    def begin(self, revision: str = "2025-11-25", capabilities: dict | None = None) -> "Client":
        """Initializes and shows the session from now on."""
        params = {
            "protocolVersion": revision, "capabilities": capabilities or {},
            "clientInfo": {"name": "raw", "version": "1"},
        }
        reply = self.ask("initialize", **params)
        assert reply.result["protocolVersion"] == revision
        self.headers[SESSION] = reply.headers[SESSION]
        if revision >= "2025-06-18":
            self.headers[VERSION] = revision
        assert self.notify("notifications/initialized").status == 202
        return self

    def message(self, method: str, **params) -> dict:
        self.last += 1
        return {"jsonrpc": "2.0", "id": self.last, "method": method, "params": params}

    def ask(self, method: str, **params) -> Reply:
        return self.post(self.message(method, **params))

    def notify(self, method: str, **params) -> Reply:
        return self.post({"jsonrpc": "2.0", "method": method, "params": params})

    def post(self, body, headers: dict[str, str | None] | None = None) -> Reply:
        return self.request("POST", body, headers)

    def request(self, method: str, body=None, headers: dict[str, str | None] | None = None) -> Reply:
        """Waits for the whole answer. A header that is None is left out."""
        with self.opened(method, body, headers) as stream:
            return Reply(stream.status, stream.headers, stream.response.read().decode())

    @contextmanager
    def opened(self, method: str, body=None, headers: dict[str, str | None] | None = None):
        """Gives the answer when its head is there."""
        connection = self.send(method, body, headers)
        try:
            yield Stream(connection, connection.getresponse())
        finally:
            connection.close()

    def send(self, method: str, body=None, headers: dict[str, str | None] | None = None):
        """Does not wait."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=DEADLINE)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        all_headers = {"Accept": ACCEPT, **self.headers}
        if body is not None:
            all_headers["Content-Type"] = "application/json"
        for name, value in (headers or {}).items():
            all_headers = {key: old for key, old in all_headers.items() if key.lower() != name.lower()}
            if value is not None:
                all_headers[name] = value
        connection.request(method, "/mcp", body, all_headers)
        return connection

    def call(self, tool: str, meta: dict | None = None, **arguments) -> dict:
        """The message of a call."""
        params = {"name": tool, "arguments": arguments}
        return self.message("tools/call", **params, **({"_meta": meta} if meta else {}))


class Stateless(Client):
    """Says with every request what there is to know."""

    def __init__(self, server: Server, capabilities: dict | None = None) -> None:
        super().__init__(server)
        self.headers[VERSION] = STATELESS
        self.meta = {META + "protocolVersion": STATELESS, META + "clientCapabilities": capabilities or {}}

    def message(self, method: str, **params) -> dict:
        meta = {**self.meta, **params.pop("_meta", {})}
        return super().message(method, **params, _meta=meta)
