"""Programs that judge MCP servers: amagi-mcp-probe and mcp-conform, over HTTP and standard streams."""

import json
import os
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from conftest import clean_environment
from places import place, world  # noqa: F401  fixtures

BESIDE = Path(sys.executable).parent
TOOLS = {f"tool {name}" for name in ("create_task", "get_task_status", "list_tasks", "cancel_task", "system_status")}


def run(where, *command: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        command, capture_output=True, text=True, timeout=180, check=False,
        env=where.environment or clean_environment(), stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("revision", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
@pytest.mark.parametrize("transport", ["http", "stdio"])
def test_amagi_mcp_probe(transport: str, revision: str, place, tmp_path: Path, tells):
    where = place(transport)
    arguments = tmp_path / "arguments.json"
    # For the others it makes up arguments, and takes the error about a task that is not there for an answer.
    known = {"create_task": {"description": "say hello", "wait": True}, "list_tasks": [{}, {"state": "completed"}]}
    arguments.write_text(json.dumps(known))
    report = tmp_path / "probe.xml"
    target = ["--url", where.url] if where.url else ["--", *where.command]
    ended = run(
        where, str(BESIDE / "amagi-mcp-probe"), "--junit", str(report), "--args", str(arguments),
        "--protocol-version", revision, "--allow-destructive", *target)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    cases = list(ElementTree.parse(report).getroot().iter("testcase"))
    names = {case.get("name") for case in cases}
    assert TOOLS <= names, ended.stdout
    failed = [case.get("name") for case in cases if case.find("failure") is not None or case.find("error") is not None]
    assert not failed, ended.stdout
    tells(f"amagi-mcp-probe {transport} {revision}: {len(cases)} cases, 0 failed")


@pytest.mark.parametrize("transport", ["http", "stdio"])
def test_mcp_conform(transport: str, place, tells):
    where = place(transport)
    # It puts the path behind the address itself.
    target = ["--url", where.url.removesuffix("/mcp")] if where.url else ["--command", shlex.join(where.command)]
    ended = run(
        where, str(BESIDE / "python"), "-m", "mcp_probe", "server", "--transport", transport, *target, "--format", "json")
    report = json.loads(ended.stdout)
    assert ended.returncode == 0 and report["ok"], ended.stdout
    tells(f"mcp-conform {transport}: {report['passed']} checks, 0 failed")
