"""omni-conformance client over Streamable HTTP and stdio: a good client passes, broken ones trip."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import HERE, ROOT, Child, clean_environment, program, until

BOT = f"{sys.executable} {HERE / 'clients' / 'mcp_bot.py'}"
PATIENCE = 300

# A client of Streamable HTTP in raw requests, with one thing wrong at a time.
RAW = """
import json, sys, urllib.request
url, fault = sys.argv[1:]
headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
def post(message, **more):
    request = urllib.request.Request(url, json.dumps({"jsonrpc": "2.0", **message}).encode(), {**headers, **more})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.headers.get("mcp-session-id"), answer.read()
if fault == "accept": headers["accept"] = "application/json"
if fault == "type": headers["content-type"] = "text/plain"
hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
session, _ = post({"id": 1, "method": "initialize", "params": hello})
if fault != "session": headers["mcp-session-id"] = session
if fault != "version": headers["mcp-protocol-version"] = "2025-11-25"
post({"method": "notifications/initialized"})
post({"id": 2, "method": "tools/list"})
post({"id": 3, "method": "ping"})
urllib.request.urlopen(urllib.request.Request(url, headers=headers, method="DELETE"), timeout=10)
"""

FAULTS = {
    "accept": "the Accept of a POST does not list text/event-stream",
    "type": "the Content-Type of a POST is text/plain, application/json is expected",
    "session": "a POST of a session came without its Mcp-Session-Id",
    "version": "MCP-Protocol-Version is missing, and 2025-11-25 was agreed on",
}


def judge(transport: str, command: str, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [program("omni-conformance"), "client", "--transport", transport, "--exec", command, *arguments],
        cwd=ROOT, env=clean_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=PATIENCE, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize("transport, passed", [("ws", 5), ("http", 6), ("stdio", 5)])
def test_the_mcp_client_is_good_over_every_transport(transport: str, passed: int):
    place = "{command}" if transport == "stdio" else "{url}"
    code, text = judge(transport, f"{BOT} {place}", "--run", "client-mcp/*")
    assert code == 0 and f"{passed} passed, 0 failed, 0 set-up errors" in text, text


@pytest.mark.parametrize("fault", [None, *FAULTS])
def test_what_streamable_http_asks_of_a_client(fault: str | None, tmp_path: Path):
    client = tmp_path / "raw.py"
    client.write_text(RAW)
    code, text = judge("http", f"{sys.executable} {client} {{url}} {fault}", "--run", "client-mcp/streamable-http")
    if fault is None:
        assert code == 0 and "1 passed" in text, text
    else:
        assert code == 1 and FAULTS[fault] in text and "client.streamable-http" in text, text


def test_over_stdio_the_command_is_needed():
    code, text = judge("stdio", "bot {url}")
    assert code == 2 and 'there is no {command} in "bot {url}"' in text, text


def test_a_client_file_names_the_transport(tmp_path: Path):
    file = tmp_path / "client.yaml"
    file.write_text(f"exec: {BOT} {{command}}\ntransport: stdio\n")
    done = subprocess.run(
        [program("omni-conformance"), "client", "--client-file", str(file), "--run", "client-mcp/server-ping"],
        env=clean_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("transport", ["http", "stdio"])
def test_a_client_that_comes_by_itself(transport: str, start, tmp_path: Path):
    child = start(
        Child,
        [program("omni-conformance"), "client", "--transport", transport, "--port", "0", "--within", "60s",
         "--run", "client-mcp/server-ping"], tmp_path)
    opening = "waiting for a client "
    line = until(
        lambda: next((line for line in child.out.read_text().splitlines() if line.startswith(opening)), None), opening)
    words = line.removeprefix(opening).removeprefix("that starts ").removeprefix("at ").split(" ")
    assert re.fullmatch(r"(http|ws)://127\.0\.0\.1:\d+(/mcp)?", words[-1])
    subprocess.run([*BOT.split(" "), *words], env=clean_environment(), timeout=PATIENCE, check=False)
    assert child.wait(PATIENCE) == 0, child.out.read_text()


def test_the_relay_says_where_it_could_not_connect():
    done = subprocess.run(
        [program("omni-conformance"), "relay", "ws://127.0.0.1:1"], env=clean_environment(), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3 and done.stdout == "" and "ws://127.0.0.1:1: " in done.stderr, done.stderr
