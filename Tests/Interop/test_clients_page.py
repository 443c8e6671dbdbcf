"""docs/clients.md: its programs are run, and its configurations are used by a client as they stand there."""

import json
import os
import re
import subprocess
import sys
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import anyio
import httpx
import pytest
from mcp import ClientSession
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from websockets.asyncio.client import connect

from conftest import BIN, DEADLINE, ROOT, Mock, clean_environment

PAGE = (ROOT / "docs" / "clients.md").read_text()
TOKEN = "interop-4711"
USUAL = "127.0.0.1:18765"
MCP2 = ROOT / ".venv-mcp2" / "bin" / "python"


def block(mark: str) -> str:
    [text] = re.findall(rf"^```python {mark}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return text


def entries() -> dict[str, dict]:
    """Every server that the page configures, by the client and its name there."""
    found = {}
    for section in PAGE.split("\n## "):
        client = section.partition("\n")[0]
        for number, text in enumerate(re.findall(r"^\$ claude mcp add-json omni '(.*)'$", section, re.MULTILINE)):
            found[f"{client} command {number}"] = json.loads(text)
        for text in re.findall(r"^```json\n(.*?)^```$", section, re.MULTILINE | re.DOTALL):
            document = json.loads(text)
            for name, entry in (document.get("mcpServers") or document["mcp"]["servers"]).items():
                found[f"{client} {name}"] = entry
    return found


ENTRIES = entries()


def filled(value: object, port: int, data: Path, mock: Mock) -> object:
    """What a client makes of its file: variables are filled in. Ports and folders are those of the test."""
    if isinstance(value, dict):
        return {name: filled(item, port, data, mock) for name, item in value.items()}
    if isinstance(value, list):
        return [filled(item, port, data, mock) for item in value]
    value = value.replace(USUAL, f"127.0.0.1:{port}").replace("http://127.0.0.1:4000", mock.litellm)
    value = re.sub(r"^/var/lib/omni-for-\w+$", str(data), value)
    variables = {"OMNI_TOKEN": TOKEN, "LITELLM_API_KEY": "sk-test"}
    return re.sub(r"\$\{(?:env:)?(\w+)\}", lambda found: variables[found[1]], value)


@asynccontextmanager
async def web_socket(url: str, headers: dict[str, str]):
    """As the SDK does it, with headers, which its own cannot send."""
    from mcp.shared.message import SessionMessage
    from mcp.types import JSONRPCMessage

    incoming, read = anyio.create_memory_object_stream(0)
    write, outgoing = anyio.create_memory_object_stream(0)
    async with connect(url, subprotocols=["mcp"], additional_headers=headers) as connection:

        async def receive() -> None:
            async for text in connection:
                await incoming.send(SessionMessage(JSONRPCMessage.model_validate_json(text)))

        async def send() -> None:
            async for item in outgoing:
                await connection.send(item.message.model_dump_json(by_alias=True, exclude_none=True))

        async with anyio.create_task_group() as group:
            group.start_soon(receive)
            group.start_soon(send)
            yield read, write
            group.cancel_scope.cancel()


@asynccontextmanager
async def streams_of(entry: dict, tap):
    if "command" in entry:
        path = os.pathsep.join([str(BIN), os.environ["PATH"]])
        environment = clean_environment(PATH=path) | entry.get("env", {})
        command, *arguments = tap.command(entry["command"], *entry["args"])
        parameters = StdioServerParameters(command=command, args=arguments, env=environment)
        async with stdio_client(parameters) as streams:
            yield streams
    elif entry["url"].startswith("ws:"):
        async with web_socket(entry["url"], entry.get("headers", {})) as streams:
            yield streams
    else:
        async with httpx.AsyncClient(headers=entry.get("headers", {}), timeout=DEADLINE) as client:
            async with streamable_http_client(entry["url"], http_client=client) as (read, write, _):
                yield read, write


@pytest.mark.parametrize("name", ENTRIES)
def test_a_configuration_leads_to_a_task_that_is_done(name: str, mock: Mock, tap, serve, tmp_path: Path):
    entry = ENTRIES[name]
    wants_token = "OMNI_TOKEN" in json.dumps(entry)
    server = serve(**mock.variables, **({"OMNI_TOKEN": TOKEN} if wants_token else {}))
    entry = filled(entry, tap.port(server.port) if "url" in entry else server.port, tmp_path / "own", mock)
    if "--stdio" in entry.get("args", []):
        # Nothing but the entry itself, the place of the mock's other models aside, and a folder of its own.
        entry["env"] = mock.variables | {"OMNI_DATA": str(tmp_path / "own")} | entry.get("env", {})

    async def run():
        async with streams_of(entry, tap) as (read, write):
            async with ClientSession(read, write, read_timeout_seconds=timedelta(seconds=DEADLINE)) as session:
                hello = await session.initialize()
                assert hello.serverInfo.name == "omni-orchestrator"
                assert len((await session.list_tools()).tools) == 5
                result = await session.call_tool("create_task", {"description": "say hello"})
                assert result.structuredContent["status"] == "completed"

    async def in_time():
        with anyio.fail_after(2 * DEADLINE):
            await run()

    anyio.run(in_time)
    if wants_token and "url" in entry:
        unknown = httpx.post(f"http://127.0.0.1:{server.port}/mcp", json={}, timeout=DEADLINE)
        assert unknown.status_code == 401


def test_every_way_of_the_first_table_is_configured():
    said = json.dumps(ENTRIES)
    for way in ("ws://127.0.0.1:18765", "http://127.0.0.1:18765/mcp", '["bridge", "ws://127.0.0.1:18765"]', '["--stdio"]'):
        assert way in said
    assert len(ENTRIES) >= 11


@pytest.mark.parametrize("mark, wants_token", [("mcp1", False), ("mcp2", True), ("bare", True), ("bare", False)])
def test_a_program_does_what_it_says(mark: str, wants_token: bool, mock: Mock, serve):
    python = MCP2 if mark == "mcp2" else Path(sys.executable)
    if not python.exists():
        pytest.skip("the program with the SDK 2, because PyPI cannot be had here; make interop installs .venv-mcp2")
    variables = {"OMNI_TOKEN": TOKEN} if wants_token else {}
    server = serve(**mock.variables, **variables)
    program = block(mark)
    assert USUAL in program
    ended = subprocess.run(
        [str(python), "-W", "ignore::DeprecationWarning", "-c", program.replace(USUAL, f"127.0.0.1:{server.port}")],
        capture_output=True, text=True, timeout=3 * DEADLINE, env=clean_environment(**variables), check=False)
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert re.fullmatch(r"completed - .+", lines[-1]), ended.stdout
    if mark == "mcp2":
        assert lines[0] == "revision 2026-07-28"
        assert any(line.startswith("step ") for line in lines)
