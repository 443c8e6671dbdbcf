"""Keys are planted, everything goes wrong that makes programs talk, and every byte that anybody can read is searched."""

import base64
import http.server
import json
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from conftest import DEADLINE, HERE, ROOT, Mock, Server, children_of, clean_environment, free_port, program, until

KEYS = {
    "OMNI_TOKEN": "omni+Planted~Key.0001-a", "LITELLM_API_KEY": "sk-Planted+Gateway~Key-0002",
    "GITHUB_LITELLM_KEY": "ghk~Planted+Backup.Key-0003", "EXECUTOR_TOKEN": "exe~Planted+Tool.Key-0004",
}
REPORTS = ["html", "junit", "tap", "github", "markdown", "json", "badge"]


def forms(key: str) -> dict[str, bytes]:
    """How a key may stand somewhere: as it is, in hexadecimal, in URLs, and in base64 wherever it begins."""
    data = key.encode()
    found = {
        "plain": data, "hexadecimal": data.hex().encode(), "url": urllib.parse.quote(key, safe="").encode(),
        "backwards": data[::-1], "utf-16": key.encode("utf-16-le"),
    }
    for offset in range(3):
        # The characters that hold bits of what stands before or behind are left out.
        code = base64.b64encode(b"\0" * offset + data)[offset and offset + 1:-4]
        found[f"base64 at {offset}"] = code
        found[f"base64url at {offset}"] = code.replace(b"+", b"-").replace(b"/", b"_")
    return found


def leaks(data: bytes) -> list[str]:
    return [f"{name} ({form})" for name, key in KEYS.items() for form, text in forms(key).items() if text in data]


def leaks_below(folder: Path) -> list[str]:
    return [f"{path.relative_to(folder)}: {leak}" for path in sorted(folder.rglob("*")) if path.is_file()
            for leak in leaks(path.read_bytes())]


@pytest.mark.parametrize("name", KEYS)
def test_the_search_finds_what_is_there(name: str, tmp_path: Path):
    key = KEYS[name]
    for form, text in forms(key).items():
        assert leaks(b"\x00 before" + text + b"behind") != [], form
    for prefix in ["", "a", "ab", "Bearer "]:
        coded = base64.b64encode(f"{prefix}{key} and more".encode())
        assert any("base64" in leak for leak in leaks(coded)), prefix
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file.db").write_bytes(b"\0" * 5000 + key.encode())
    assert leaks_below(tmp_path) == [f"deep/file.db: {name} (plain)"]
    assert leaks("\n".join(value[:-1] for value in KEYS.values()).encode()) == []


class Parrot(http.server.BaseHTTPRequestHandler):
    """An executor that refuses its token and says it aloud, in the body, in a header and in the reason."""

    heard: list[str] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        said = self.headers.get("Authorization", "")
        self.heard.append(said)
        self.send_response(401, f"no {said}")
        body = json.dumps({"error": {"code": 401, "message": f"{said} is no token", "data": said}}).encode()
        for field, value in [("Content-Type", "application/json"), ("WWW-Authenticate", said), ("Location", said),
                             ("Content-Length", str(len(body)))]:
            self.send_header(field, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_DELETE = do_POST

    def log_message(self, *_) -> None:
        pass


def echo(key: str) -> dict:
    """What LiteLLM says of a key that it does not know."""
    text = f"Authentication Error, Invalid proxy server token passed. Received API Key = {key}, Bearer {key}"
    return {"error": {"message": text, "type": "auth_error", "param": key, "code": "401"}}


class World:
    """Everything that runs, and all that it said to those who asked."""

    def __init__(self, folder: Path, begin) -> None:
        self.folder = folder
        self.said: list[str] = []
        self.parrot = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Parrot)
        threading.Thread(target=self.parrot.serve_forever, daemon=True).start()
        script = f"import os, sys; open({str(folder / 'program')!r}, 'w').write(repr(dict(os.environ))); sys.stdin.read()"
        executors = {
            "openclaw": {"url": f"http://127.0.0.1:{self.parrot.server_port}/mcp", "token": "${EXECUTOR_TOKEN}"},
            "claude_code": {"command": sys.executable, "args": ["-c", script]},
        }
        (folder / "config.yaml").write_text(json.dumps({"mcp_servers": executors}))
        self.mock = begin(Mock, folder, "--log-level", "debug", "--api-key", KEYS["LITELLM_API_KEY"])
        variables = self.mock.variables | KEYS | {
            "OMNI_LOG_LEVEL": "debug", "SWIFT_BACKTRACE": "enable=no", "OMNI_HEALTH_INTERVAL": "1s"}
        self.server = begin(
            Server, folder, free_port(), folder / "data", ["--config", str(folder / "config.yaml")], variables).ready()

    def ask(self, connection, method: str, **params) -> dict:
        connection.send(json.dumps({"jsonrpc": "2.0", "id": len(self.said), "method": method, "params": params}))
        self.said.append(connection.recv(timeout=DEADLINE))
        return json.loads(self.said[-1])

    def get(self, target: str, token: str | None) -> int:
        request = urllib.request.Request(f"http://127.0.0.1:{self.server.port}{target}")
        if token is not None:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            answer = urllib.request.urlopen(request, timeout=DEADLINE)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            self.said += [str(answer.headers), answer.read().decode()]
            return answer.status

    def run(self, *arguments: str, token: str = KEYS["OMNI_TOKEN"]) -> int:
        """A program of the kit, as a person with the token calls it; what it prints is kept."""
        name, *rest = arguments
        done = subprocess.run(
            [program(name), *rest], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=120, check=False,
            env=clean_environment(**KEYS | {"OMNI_TOKEN": token}))
        self.said.append(done.stdout.decode())
        return done.returncode


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    with children_of() as begin:
        world = World(folder, begin)
        yield world
        world.parrot.shutdown()
        world.parrot.server_close()


def test_keys_that_are_said_aloud_reach_nobody(world: World):
    world.mock.arm(
        litellm=[{"on": "POST /v1/chat/completions", "status": 401, "body": echo(KEYS["LITELLM_API_KEY"]), "times": 1}])
    token = f"Bearer {KEYS['OMNI_TOKEN']}"
    with connect(world.server.url, additional_headers={"Authorization": token}, open_timeout=DEADLINE) as connection:
        failed = world.ask(connection, "create_task", description="hello")
        # It was said, and is hidden; so this test would see it.
        assert "Received API Key = ***" in json.dumps(failed), failed
        world.ask(connection, "list_tasks")
        # The gateway is away: the direct API is asked, which says its own key.
        world.mock.arm(
            litellm=[{"refuse": True}],
            direct=[{"on": "POST /v1/messages", "status": 401, "body": echo(KEYS["GITHUB_LITELLM_KEY"])}])

        def is_degraded() -> bool:
            return world.ask(connection, "system_status")["result"]["system_state"] != "normal"

        for number in range(2):
            answer = world.ask(connection, "create_task", description=f"in the outage {number}", wait=False)
            assert "result" in answer, answer
        until(is_degraded, "the outage being noticed")
        until(lambda: "Received API Key = ***" in json.dumps(world.ask(connection, "list_tasks")["result"])
              and any(call["path"] == "/v1/messages" for call in world.mock.calls("/v1/messages")), "the direct API asked")
        until(lambda: f"Bearer {KEYS['EXECUTOR_TOKEN']}" in Parrot.heard, "the executor hearing its token")
        for task in world.ask(connection, "list_tasks")["result"]["tasks"]:
            world.ask(connection, "get_task_status", task_id=task["task_id"])
            world.ask(connection, "get_task_timeline", task_id=task["task_id"])
        # What a client says of itself is not answered either.
        world.ask(connection, "nothing", authorization=token)
        world.mock.reset()
        until(lambda: not is_degraded(), "the end of the outage")
    until((world.folder / "program").exists, "the start of the program")


def test_what_is_told_to_who_asks(world: World):
    near = KEYS["OMNI_TOKEN"][:-1]
    for target in ["/", "/metrics", "/openrpc.json", "/healthz", "/readyz", "/mcp", "/nothing"]:
        for token in [KEYS["OMNI_TOKEN"], near, None]:
            world.get(target, token)
    for protocols in [["mcp", f"mcp.auth.{near}"], [f"mcp.auth.{KEYS['OMNI_TOKEN']}"]]:
        with pytest.raises(InvalidStatus) as refused:
            connect(world.server.url, subprotocols=protocols, open_timeout=DEADLINE)
        world.said.append(str(refused.value.response))
    for path in ["/_mock/journal", "/metrics", "/_mock/status"]:
        try:
            with urllib.request.urlopen(world.mock.admin + path, timeout=DEADLINE) as answer:
                world.said.append(answer.read().decode())
        except urllib.error.HTTPError as error:
            world.said.append(error.read().decode())


def test_what_the_kit_writes(world: World):
    url, reports = world.server.url, world.folder / "reports"
    reports.mkdir()
    words = [word for form in REPORTS for word in ("--report", f"{form}={reports / form}")]
    # One that passes, one that fails: the right token and a wrong one.
    code = world.run(
        "omni-conformance", "run", "--target", url, "--fixtures", str(ROOT / "Fixtures"), "--run", "ping/*", "--run",
        "handshake/*", "--traces", "all", *words)
    assert code in (0, 1), world.said[-1]
    assert {path.name for path in reports.iterdir()} == set(REPORTS)
    code = world.run("omni-conformance", "run", "--target", url, "--run", "ping/*", token=KEYS["OMNI_TOKEN"] + "x")
    assert code != 0, world.said[-1]
    code = world.run(
        "omni-conformance", "record", "--target", url, "--suite", "bot", "--output", str(reports / "bot.yaml"),
        "--exec", f"'{sys.executable}' '{HERE / 'clients' / 'bot.py'}' {{url}}")
    assert code == 0, world.said[-1]
    world.run("omni-conformance", "doctor", url)
    world.run("omni-server", "check-config", "--config", str(world.folder / "config.yaml"))


def test_no_key_is_anywhere(world: World):
    """The last: what the others made is searched, and a crash besides."""
    command = Path(f"/proc/{world.server.process.pid}/cmdline")
    if command.exists():
        world.said.append(command.read_bytes().decode())
    world.server.process.send_signal(6)
    world.server.wait()
    assert len(world.said) > 30, "the tests before this one make what it looks at"
    for said in world.said:
        assert leaks(said.encode()) == [], said
    assert leaks_below(world.folder) == []
    logs = (world.folder / f"{world.server.number}.err").read_text()
    # The log knows of each of the failures, so it had its chance.
    assert '"attempt failed"' in logs and "***" in logs
    assert (world.folder / "data").is_dir() and any((world.folder / "data").iterdir())
