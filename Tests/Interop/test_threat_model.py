"""What docs/threat_model.md says of the way in: tokens, origins, names, paths and headers; and that page itself."""

import json
import os
import re
import resource
import socket
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from websockets.sync.client import connect

from conftest import DEADLINE, ROOT, Mock, Server, children_of, free_port, until

TOKEN = "gate~Key+of.this-test"
PAGE = ROOT / "docs" / "threat_model.md"
KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = ["Upgrade: websocket", "Connection: Upgrade", KEY, "Sec-WebSocket-Version: 13"]
# Every path that tells something; what has no token may see none of it.
GUARDED = ["/metrics", "/openrpc.json", "/mcp", "/nothing"]


def raw(port: int, data: bytes, ends: bool = True) -> bytes:
    """All that comes back for these bytes; the client has ended its side, or waits until the server ends the
    connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as peer:
        peer.sendall(data)
        if ends:
            peer.shutdown(socket.SHUT_WR)
        answer = bytearray()
        try:
            while piece := peer.recv(65536):
                answer += piece
        except ConnectionResetError:
            pass
        return bytes(answer)


def ask(port: int, target: str, *fields: str, host: str | None = "localhost", method: str = "GET") -> tuple[int, str]:
    """The status and the whole answer to one request."""
    lines = [f"{method} {target} HTTP/1.1", *([f"Host: {host}"] if host is not None else []), *fields]
    answer = raw(port, ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "surrogateescape"))
    assert answer.startswith(b"HTTP/1.1 "), (target, fields, answer)
    return int(answer[9:12]), answer.decode("latin-1")


def upgrade(port: int, *fields: str, host: str = "localhost", target: str = "/") -> int:
    return ask(port, target, *UPGRADE, *fields, host=host)[0]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A server that wants a token, one that wants none, and the mock behind them."""
    folder = tmp_path_factory.mktemp("gates")
    with children_of() as begin:
        mock = begin(Mock, folder)

        def server(name: str, **variables: str) -> Server:
            return begin(Server, folder, free_port(), folder / name, [], mock.variables | variables).ready()

        closed = server("closed", OMNI_TOKEN=TOKEN, OMNI_LOG_LEVEL="debug")
        opened = server("open", OMNI_ORIGINS="https://listed.example, http://other.example:81", OMNI_LOG_LEVEL="debug")
        yield closed, opened


@pytest.fixture
def closed(world):
    return world[0]


@pytest.fixture
def opened(world):
    return world[1]


# Tokens

def test_nothing_is_told_without_a_token(closed):
    for target in [
        *GUARDED, "/", "/?token=" + TOKEN, "/metrics?access_token=" + TOKEN, "http://localhost/metrics",
        f"http://localhost/openrpc.json?token={TOKEN}",
    ]:
        status, answer = ask(closed.port, target)
        assert status == 401 and "www-authenticate: bearer" in answer.lower(), (target, answer)
        assert "omni_" not in answer.replace("omni_token", "") or target == "/", target
    assert upgrade(closed.port) == 401
    for target in ["/healthz", "/readyz"]:
        assert ask(closed.port, target)[0] == 200


@pytest.mark.parametrize("value", [
    "", "Bearer", "Bearer ", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", f"Bearer {TOKEN.upper()}", f"Basic {TOKEN}",
    TOKEN, f"Bearer{TOKEN}", f"Bearer {TOKEN} x", f"Bearer \"{TOKEN}\"", f"Bearer {TOKEN},{TOKEN}", f"Bearer\t{TOKEN}",
    f"Bearer {TOKEN}\u00e9", "Bearer " + "x" * 4000,
])
def test_a_token_that_is_not_the_token(closed, value: str):
    assert ask(closed.port, "/metrics", f"Authorization: {value}")[0] == 401
    assert upgrade(closed.port, f"Authorization: {value}") == 401
    # Twice does not help, nor do two that are the token together.
    halves = [f"Authorization: {value}", f"Authorization: Bearer {TOKEN[:4]}", f"Authorization: {TOKEN[4:]}"]
    assert ask(closed.port, "/metrics", halves[0], halves[0])[0] == 401
    assert upgrade(closed.port, *halves) == 401


@pytest.mark.parametrize("offer", [
    "mcp", "mcp.auth.", f"mcp.auth.{TOKEN[:-1]}", f"mcp, MCP.AUTH.{TOKEN}", f"mcp, mcp.auth.{TOKEN}x", TOKEN,
])
def test_a_subprotocol_that_is_not_the_token(closed, offer: str):
    assert upgrade(closed.port, f"Sec-WebSocket-Protocol: {offer}") == 401


def test_the_token_lets_in(closed):
    for field in [f"Authorization: Bearer {TOKEN}", f"authorization: bEARER {TOKEN}"]:
        assert ask(closed.port, "/openrpc.json", field)[0] == 200
        assert ask(closed.port, "/metrics", field, host="evil.example")[0] == 200, "the token says enough"
    answer = ask(closed.port, "/", *UPGRADE, f"Sec-WebSocket-Protocol: mcp, mcp.auth.{TOKEN}")
    assert answer[0] == 101 and TOKEN not in answer[1], "the token is never chosen as the subprotocol"
    assert upgrade(closed.port, f"Sec-WebSocket-Protocol: mcp.auth.{TOKEN}") == 400


# Browsers

@pytest.mark.parametrize("origin, host, status", [
    (None, "localhost", 101), ("http://localhost", "localhost", 101), ("https://listed.example", "localhost", 101),
    ("http://other.example:81", "localhost", 101), ("http://127.0.0.1:1", "127.0.0.1:1", 101),
    ("http://[::1]:7", "[::1]:7", 101), ("null", "localhost", 403), ("", "localhost", 403),
    ("file://", "localhost", 403), ("http://localhost:1", "localhost", 403), ("http://other.example", "localhost", 403),
    ("https://listed.example.evil.example", "localhost", 403), ("https://evil.example#listed.example", "localhost", 403),
    ("https://evil@listed.example", "localhost", 403), ("http://localhost@evil.example", "localhost", 403),
    ("https://LISTED.example.", "localhost", 403), ("http://evil.example", "evil.example", 403),
    ("http://localhost.evil.example", "localhost.evil.example", 403), ("http://127.1", "localhost", 403),
    ("http://0x7f.1", "0x7f.1", 403), ("http://evil.example.", "evil.example.", 403),
])
def test_where_an_upgrade_comes_from(opened, origin: str | None, host: str, status: int):
    fields = [] if origin is None else [f"Origin: {origin}"]
    assert upgrade(opened.port, *fields, host=host) == status
    if status == 403:
        # One that is allowed beside it does not help.
        assert upgrade(opened.port, *fields, "Origin: https://listed.example", host=host) == 403


@pytest.mark.parametrize("host, is_ours", [
    ("localhost", True), ("127.0.0.1:18765", True), ("[::1]", True), ("omni-server:18765", True),
    ("listed.example:9", True), ("host.docker.internal", True), ("evil.example", False), ("evil.example.", False),
    ("EVIL.example:18765", False), ("127.0.0.1.evil.example", False), ("evil%2eexample", False),
    ("localhost.evil.example:18765", False),
])
def test_a_name_that_means_this_machine_since_today(opened, host: str, is_ours: bool):
    for target in ["/metrics", "/openrpc.json", f"http://{host}/metrics"]:
        for method in ["GET", "HEAD"]:
            status, answer = ask(opened.port, target, host=host, method=method)
            assert status == (200 if is_ours else 403), (target, method, answer)
            if not is_ours and method == "GET":
                assert "OMNI_ORIGINS" in answer and "OMNI_TOKEN" in answer, "what to do is said"
    # What only tells whether the process lives is told to any.
    assert ask(opened.port, "/healthz", host=host)[0] == 200
    assert ask(opened.port, "/readyz", host=host)[0] == 200


def test_no_answer_may_be_read_by_another_page(opened, closed):
    for port in [opened.port, closed.port]:
        for target in ["/", "/healthz", "/readyz", *GUARDED]:
            for method in ["GET", "OPTIONS"]:
                fields = ["Origin: http://evil.example", "Access-Control-Request-Method: POST"]
                assert "access-control-" not in ask(port, target, *fields, method=method)[1].lower(), target


# Paths

@pytest.mark.parametrize("target", [
    "//metrics", "/./metrics", "/%6detrics", "/healthz/../metrics", "/healthz/..%2fmetrics", "/healthz;/metrics",
    "/metrics/", "/METRICS", "/metrics%00", "/healthz%2f..%2fmetrics", "/..%5cmetrics", "/metrics;x", "/\\metrics",
    "http://localhost/../metrics", "/.//metrics", "/healthz?/../metrics", "//localhost/metrics", "/../../etc/passwd",
    "/readyz/%2e%2e/metrics", "/.git/config", "/data/tasks.db",
])
def test_another_way_to_write_a_path_leads_nowhere(closed, opened, target: str):
    status, answer = ask(closed.port, target)
    assert status in (200, 400, 401) and "omni_requests" not in answer and "root:" not in answer, answer
    assert status != 200 or answer.endswith("alive\n"), answer
    status, answer = ask(opened.port, target)
    assert status in (200, 400, 404) and "omni_requests" not in answer and "root:" not in answer, answer
    assert status != 200 or answer.endswith("alive\n"), answer


def test_what_is_said_back_of_a_path_is_text(opened):
    _, answer = ask(opened.port, "/<script>alert(1)</script>")
    assert "content-type: text/plain; charset=utf-8\r\n" in answer.lower(), answer
    for target in ["/a%0d%0aSet-Cookie:x=1", "/a%0aX-Evil:1"]:
        head = ask(opened.port, target)[1].partition("\r\n\r\n")[0]
        assert "set-cookie" not in head.lower() and "x-evil" not in head.lower(), head


# Headers

@pytest.mark.parametrize("request_bytes", [
    b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"GET /healthz HTTP/1.1\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: a, b\r\n\r\n", b"GET /healthz HTTP/1.1\r\nHost: user@a\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: a/b\r\n\r\n", b"GET /healthz HTTP/1.1\nHost: a\n\n",
    b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n", b"GET /healthz HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
    b"GET /heal\x00thz HTTP/1.1\r\nHost: a\r\n\r\n", b"GET http://user@a/healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET ftp://a/healthz HTTP/1.1\r\nHost: a\r\n\r\n", b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    b"POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\nabcd",
    b"POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
    b"POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\nab\r\n0\r\n\r\n",
    b"POST /mcp HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
])
def test_no_second_request_hides_behind_a_first(opened, request_bytes: bytes):
    # The server ends the connection, for the client does not: nothing behind it is taken for a request.
    answer = raw(opened.port, request_bytes + b"GET /healthz HTTP/1.1\r\nHost: smuggled\r\n\r\n", ends=False)
    # 501 is for what is well-formed and not spoken here (RFC 9110, 9.3.6; RFC 9112, 6.1).
    status = 501 if request_bytes.startswith(b"CONNECT") or b"identity" in request_bytes else 400
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    assert answer.count(b"HTTP/1.1 ") == 1 and b"alive" not in answer, answer
    assert ask(opened.port, "/healthz")[0] == 200


def test_what_a_client_names_is_written_into_no_header(opened):
    evil = "x\r\nX-Evil: 1\r\n\r\n<html>"
    answers = [
        ask(opened.port, "/", *UPGRADE, "Sec-WebSocket-Protocol: evil, mcp")[1],
        ask(opened.port, "/mcp", "Accept: text/event-stream", "Mcp-Session-Id: evil", "Last-Event-ID: evil")[1],
        ask(opened.port, "/mcp", "MCP-Protocol-Version: evil", "Mcp-Session-Id: evil", method="DELETE")[1],
    ]
    with connect(f"ws://127.0.0.1:{opened.port}", open_timeout=DEADLINE) as connection:
        for identity, method, params in [
            (evil, "ping", {}), (evil, evil, {}), (1, "get_task_status", {"task_id": evil}),
            (evil, "create_task", {"description": evil, "type": evil}),
            (evil, "create_task", {"description": evil, "idempotency_key": evil}),
        ]:
            connection.send(json.dumps({"jsonrpc": "2.0", "id": identity, "method": method, "params": params}))
            assert json.loads(connection.recv(timeout=DEADLINE))["id"] == identity
    for answer in answers:
        head = answer.partition("\r\n\r\n")[0].lower()
        assert "evil" not in head, head


# Logs

def test_a_log_has_no_line_of_a_client(opened):
    hostile = 'a\n{"level":"error","msg":"forged"}\r\x1b]0;title\x07\x9b31m\u2028\u202e\u2066'
    with connect(f"ws://127.0.0.1:{opened.port}", open_timeout=DEADLINE) as connection:
        for identity, method in [(hostile, "ping"), (2, hostile), ("long" * 10_000, "ping")]:
            connection.send(json.dumps({"jsonrpc": "2.0", "id": identity, "method": method, "params": {"x": hostile}}))
            connection.recv(timeout=DEADLINE)
    ask(opened.port, "/%1b%5b31m", "User-Agent: \x9b31m", "Mcp-Session-Id: \x9b31m")

    def lines() -> list[dict]:
        return [json.loads(line) for line in opened.err.read_text().split("\n")[:-1]]

    until(lambda: any(line.get("request") == hostile for line in lines()), "the line of the request")
    assert "forged" not in [line["msg"] for line in lines()]
    text = opened.err.read_text()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", text)
    assert max(map(len, text.split("\n"))) < 10_000, "an id fills no log"


# Processes and files

def test_a_crash_leaves_no_memory_behind(mock: Mock, serve, tmp_path: Path):
    limits = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (limits[1], limits[1]))
    try:
        server = serve(**mock.variables, OMNI_TOKEN=TOKEN, SWIFT_BACKTRACE="enable=no")
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, limits)
    status = Path(f"/proc/{server.process.pid}/limits")
    if status.exists():
        [line] = [line for line in status.read_text().splitlines() if line.startswith("Max core file size")]
        assert int(line.split()[4]) <= 1, line
        assert TOKEN.encode() not in Path(f"/proc/{server.process.pid}/cmdline").read_bytes()
    server.process.send_signal(6)
    assert server.wait() == -6
    assert not [path for path in tmp_path.rglob("core*") if path.is_file()]


def test_the_files_of_the_store_are_for_their_owner_only(mock: Mock, serve, tmp_path: Path):
    before = os.umask(0)
    try:
        server = serve(**mock.variables)
    finally:
        os.umask(before)
    with connect(server.url, open_timeout=DEADLINE) as connection:
        connection.send('{"jsonrpc":"2.0","id":1,"method":"create_task","params":{"description":"private"}}')
        assert "result" in json.loads(connection.recv(timeout=DEADLINE))
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in (tmp_path / "data").iterdir()}
    assert {"omni.db", "omni.db-wal", "omni.db-shm", "omni.db.lock"} <= set(modes), modes
    assert set(modes.values()) == {"0o600"}, modes


def test_a_variable_that_holds_a_key_is_given_to_no_program(mock: Mock, serve, tmp_path: Path):
    target = tmp_path / "environment"
    # It ends at once and is started again: what is read here must be whole at any time.
    script = (
        f"import os; name = {str(target)!r}; own = name + str(os.getpid())\n"
        "with open(own, 'w') as file: file.write(repr(dict(os.environ)))\n"
        "os.replace(own, name)"
    )
    executors = {
        "openclaw": {"command": sys.executable, "args": ["-c", script]},
        "claude_code": {"url": "ws://127.0.0.1:9/", "token": "${OWN_NAME}"},
    }
    (tmp_path / "config.yaml").write_text(json.dumps({"mcp_servers": executors}))
    serve("--config", str(tmp_path / "config.yaml"), **mock.variables, OWN_NAME="executor-key-1", OMNI_TOKEN=TOKEN,
          COPY_OF_IT=TOKEN, PLAIN="plain-value")
    until(target.exists, "the start of the program")
    text = target.read_text()
    assert "plain-value" in text
    for key in ["executor-key-1", TOKEN, "sk-test", "backup-test"]:
        assert key not in text


# Upstreams

@contextmanager
def redirecting(status: int, to: str):
    """An upstream that sends everybody elsewhere; gives its URL and what it heard of keys."""
    heard: list[str] = []

    class Redirect(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            heard.append(self.headers["Authorization"])
            self.send_response(status)
            self.send_header("Location", to)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            self.send_error(200)

        def log_message(self, *arguments) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Redirect)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", heard
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("status", [302, 307])
def test_a_redirect_takes_no_key_along(mock: Mock, serve, status: int):
    with socket.socket() as elsewhere:
        elsewhere.bind(("127.0.0.1", 0))
        elsewhere.listen()
        there = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/v1/chat/completions"
        with redirecting(status, there) as (url, heard):
            server = serve(**mock.variables | {"LITELLM_URL": url})
            with connect(server.url, open_timeout=DEADLINE) as connection:
                request = {"jsonrpc": "2.0", "id": 1, "method": "create_task", "params": {"description": "hello"}}
                connection.send(json.dumps(request))
                answer = json.loads(connection.recv(timeout=DEADLINE))
            assert answer["id"] == 1 and "Bearer sk-test" in heard, answer
            # The call is over, and a connection would be waiting to be taken.
            elsewhere.setblocking(False)
            with pytest.raises(BlockingIOError):
                elsewhere.accept()


# The page

def test_every_line_of_the_page_names_a_test_that_is_there():
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ") and "`" in line.rpartition(" | ")[2]]
    assert len(rows) >= 25
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split(" | ")]
        assert len(cells) == 3 and all(cells), row
        named = re.findall(r"`([\w/.+]+)::([^`]+)`", cells[2])
        assert named, f"no test in {row}"
        for file, name in named:
            path = ROOT / "Tests" / file
            assert path.exists(), f"{file} of {row}"
            pattern = rf"\bdef {name}\(" if file.endswith(".py") else rf"\bfunc {name}\("
            assert re.search(pattern, path.read_text()), f"{file}::{name} is not there"
