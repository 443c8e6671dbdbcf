"""`omni-conformance doctor` at servers that are fit, and at some that are not."""

import json
import os
import shlex
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from websockets.sync.client import connect

from conftest import HERE, Child, Mock, Server, clean_environment, free_port, program, until


class Visit:
    """One run of the doctor: its exit code, its lines, and its checks by their ids."""

    def __init__(self, folder: Path, url: str, *arguments: str, **variables: str) -> None:
        output = folder / "doctor.json"
        ended = subprocess.run(
            [program("omni-conformance"), "doctor", url, *arguments, "--output", str(output)],
            capture_output=True, text=True, timeout=120, env=clean_environment(**variables))
        assert ended.stderr == "", ended.stderr
        self.code, self.text = ended.returncode, ended.stdout
        self.document = json.loads(output.read_text())
        self.checks = {check["id"]: check for check in self.document["checks"]}
        assert self.document["exit_code"] == self.code

    def ids(self, verdict: str) -> list[str]:
        return [name for name, check in self.checks.items() if check["verdict"] == verdict]


def quick(mock: Mock) -> dict[str, str]:
    return mock.variables | {"OMNI_HEALTH_INTERVAL": "0.1s"}


@pytest.fixture
def until_asked():
    def wait(server: Server, healthy: bool = True) -> None:
        with connect(server.url) as socket:
            def told() -> bool:
                socket.send(json.dumps({"method": "system_status"}))
                upstream = json.loads(socket.recv())["result"]["litellm"]
                return "checked_at" in upstream and upstream["healthy"] == healthy

            until(told, f"LiteLLM being found {'healthy' if healthy else 'lost'}")

    return wait


def test_a_server_that_is_fit(mock: Mock, serve, tmp_path: Path, until_asked):
    server = serve(**quick(mock))
    until_asked(server)
    visit = Visit(tmp_path, server.url, "--remote", server.url, "--litellm", mock.litellm)
    assert (visit.code, visit.ids("bad")) == (0, []), visit.text
    assert visit.ids("good") == [
        "reachable", "healthy", "ready", "origin", "metrics", "dashboard", "ping", "mcp", "task", "system", "litellm",
        "remote"]
    assert visit.ids("open") == ["container", "token", "persistence"]
    assert visit.ids("elsewhere") == ["tailscale"]
    assert visit.text.endswith("healthy: 12 good, 0 bad, 3 not checked, 1 for the Mac mini itself\n")
    assert "✓ ping" in visit.text and "– survives a restart" in visit.text
    # What it has left behind is one task that says what it is.
    with sqlite3.connect(tmp_path / "data" / "omni.db") as store:
        [[description]] = store.execute("select description from tasks").fetchall()
    assert description.startswith("omni-conformance doctor: ")


def test_litellm_is_down(mock: Mock, serve, tmp_path: Path, until_asked):
    mock.arm(litellm=[{"refuse": True}])
    server = serve(**quick(mock))
    until_asked(server, healthy=False)
    visit = Visit(tmp_path, server.url, "--litellm", mock.litellm)
    assert (visit.code, visit.ids("bad")) == (1, ["system", "litellm"]), visit.text
    assert "LITELLM_URL" in visit.checks["system"]["advice"]


def test_nobody_is_there(tmp_path: Path):
    visit = Visit(tmp_path, f"ws://127.0.0.1:{free_port()}")
    assert (visit.code, visit.ids("bad")) == (3, ["reachable"]), visit.text
    assert "docker compose ps" in visit.checks["reachable"]["advice"]


def test_the_remote_way_is_closed(mock: Mock, serve, tmp_path: Path):
    server = serve(**mock.variables)
    visit = Visit(tmp_path, server.url, "--remote", f"ws://127.0.0.1:{free_port()}")
    assert (visit.code, visit.ids("bad")) == (1, ["remote"]), visit.text


@pytest.mark.parametrize("given, bad", [
    ({"MINE": "token-of-the-tests"}, []), ({"MINE": "another-token"}, ["reachable"]), ({}, ["reachable"]),
])
def test_the_token(mock: Mock, serve, tmp_path: Path, given: dict, bad: list):
    server = serve(**mock.variables, OMNI_TOKEN="token-of-the-tests")
    visit = Visit(tmp_path, server.url, *(["--token-env", "MINE"] if given else []), **given)
    assert (visit.code, visit.ids("bad")) == (len(bad), bad), visit.text
    if not bad:
        assert {"token", "metrics", "dashboard"} <= set(visit.ids("good"))
        assert visit.checks["metrics"]["seen"] == "/metrics says 200, and 401 without the token"
    assert not any(token in visit.text + json.dumps(visit.document) for token in given.values())


def test_a_server_that_lets_everybody_in(mock: Mock, serve, tmp_path: Path):
    server = serve(**mock.variables)
    visit = Visit(tmp_path, server.url, OMNI_TOKEN="not-needed")
    assert (visit.code, visit.ids("bad")) == (1, ["token", "metrics"]), visit.text


def test_the_store_cannot_be_written(mock: Mock, serve, tmp_path: Path):
    server = serve(**mock.variables)
    somebody = sqlite3.connect(tmp_path / "data" / "omni.db", isolation_level=None)
    somebody.execute("BEGIN IMMEDIATE")
    try:
        first = Visit(tmp_path, server.url)
        # The server knows now that writing fails.
        visit = Visit(tmp_path, server.url)
    finally:
        somebody.execute("ROLLBACK")
        somebody.close()
    assert (first.code, "task" in first.ids("bad")) == (1, True), first.text
    assert (visit.code, visit.ids("bad")) == (1, ["ready", "task"]), visit.text
    assert visit.checks["ready"]["advice"] == visit.checks["task"]["advice"]
    assert "volume" in visit.checks["ready"]["advice"]


def restarting(server: Server, mock: Mock, folder: Path, data: Path) -> tuple[str, Path]:
    """A command that ends the server and starts another on its port; its process id is written down."""
    pid = folder / "pid"
    script = folder / "restart.sh"
    variables = mock.variables | {"OMNI_PORT": str(server.port), "OMNI_DATA": str(data)}
    assignments = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
    script.write_text(
        f"set -e\nkill {server.process.pid}\nwhile [ -d /proc/{server.process.pid}/fd ] && "
        f"[ \"$(ls /proc/{server.process.pid}/fd 2>/dev/null)\" ]; do sleep 0.02; done\n"
        f"{assignments} nohup {program('omni-server')} >/dev/null 2>&1 &\necho $! > {pid}\n")
    return f"sh {script}", pid


@pytest.mark.parametrize("keeps", [True, False])
def test_a_restart(mock: Mock, serve, tmp_path: Path, keeps: bool):
    server = serve(**mock.variables)
    command, pid = restarting(server, mock, tmp_path, tmp_path / ("data" if keeps else "elsewhere"))
    try:
        visit = Visit(tmp_path, server.url, "--restart", command)
    finally:
        if pid.exists():
            os.kill(int(pid.read_text()), 15)
    assert (visit.code, visit.ids("bad")) == ((0, []) if keeps else (1, ["persistence"])), visit.text
    assert ("is there after the restart" if keeps else "is gone") in visit.checks["persistence"]["seen"]


@pytest.mark.parametrize("command, seen", [("true", "it was not restarted"), ("exit 7", "exit code 7")])
def test_a_restart_that_is_none(mock: Mock, serve, tmp_path: Path, command: str, seen: str):
    server = serve(**mock.variables)
    with connect(server.url) as socket:
        def old_enough() -> bool:
            socket.send(json.dumps({"method": "system_status"}))
            return json.loads(socket.recv())["result"]["uptime_s"] > 1.5

        until(old_enough, "an uptime that no new server has")
    visit = Visit(tmp_path, server.url, "--restart", command)
    assert (visit.code, visit.ids("bad")) == (1, ["persistence"]), visit.text
    assert seen in visit.checks["persistence"]["seen"]


def test_the_orchestrator_that_is_deployed_today(start, tmp_path: Path):
    child = start(Child, [sys.executable, str(HERE / "deployed_orchestrator.py")], tmp_path)
    url = child.first_line().removeprefix("listening on ")
    visit = Visit(tmp_path, url)
    assert (visit.code, visit.ids("good")) == (1, ["reachable", "task"]), visit.text
    assert visit.ids("bad") == ["healthy", "ready", "origin", "ping", "mcp", "system"]


# The container and the tailnet, by programs that answer as the real ones are documented to.

CONTAINER = {
    "State": {"Status": "running", "Health": {"Status": "healthy"}},
    "Config": {"User": "10001", "Env": ["PATH=/usr/bin", "OMNI_DATA=/app/data"]},
    "HostConfig": {"ReadonlyRootfs": True, "NetworkMode": "omni_net", "RestartPolicy": {"Name": "unless-stopped"}},
    "NetworkSettings": {"Ports": {"18765/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18765"}]}},
    "Mounts": [{"Type": "volume", "Name": "omni-data", "Destination": "/app/data", "RW": True}],
}


def tool(folder: Path, name: str, output: str, code: int = 0) -> None:
    """A program of this name that writes this."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{output}\nEND\nexit {code}\n")
    path.chmod(0o755)


def changed(**changes) -> dict:
    container = json.loads(json.dumps(CONTAINER))
    for path, value in changes.items():
        *way, last = path.split("__")
        place = container
        for step in way:
            place = place[step]
        place[last] = value
    return container


@pytest.mark.parametrize("container, bad, seen", [
    (CONTAINER, [], "omni runs and is healthy"),
    (changed(State__Status="exited", State__ExitCode=137), ["container"], "omni is exited, exit code 137"),
    (changed(State__Health={"Status": "unhealthy"}), ["container"], "omni is unhealthy"),
    (changed(State__Health=None), ["container"], "without a health check"),
    (changed(Config__User="0:0"), ["confined"], "runs as root"),
    (changed(HostConfig__ReadonlyRootfs=False), ["confined"], "can be written"),
    (changed(Mounts=[]), ["volume"], "goes with the container"),
    (changed(HostConfig__RestartPolicy={"Name": "no"}), ["restart"], "the restart policy is no"),
    (changed(NetworkSettings__Ports={"18765/tcp": None}), ["port"], "no port of it is published"),
    (changed(NetworkSettings__Ports={"18765/tcp": [{"HostIp": "0.0.0.0", "HostPort": "1"}]}), ["port"],
     "0.0.0.0:1 is open to the network, without a token"),
    (changed(HostConfig__NetworkMode="host", NetworkSettings__Ports={}), [], "shares the network"),
])
def test_the_container(mock: Mock, serve, tmp_path: Path, container: dict, bad: list[str], seen: str):
    server = serve(**mock.variables)
    tool(tmp_path / "bin", "docker", json.dumps(container))
    visit = Visit(tmp_path, server.url, "--container", "omni", PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert (visit.code, visit.ids("bad")) == (len(bad), bad), visit.text
    assert seen in visit.text


def test_an_engine_that_cannot_be_asked(mock: Mock, serve, tmp_path: Path):
    server = serve(**mock.variables)
    tool(tmp_path / "bin", "docker", "Cannot connect to the Docker daemon", code=1)
    visit = Visit(tmp_path, server.url, "--container", "omni", PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert (visit.code, visit.ids("bad")) == (1, ["container"]), visit.text
    assert "docker context show" in visit.checks["container"]["advice"]


@pytest.mark.parametrize("served, code, verdict", [(True, 0, "good"), (False, 0, "bad"), (True, 1, "bad")])
def test_the_tailnet(mock: Mock, serve, tmp_path: Path, served: bool, code: int, verdict: str):
    server = serve(**mock.variables)
    status = {"TCP": {str(server.port if served else 1): {"TCPForward": "127.0.0.1:1"}}}
    tool(tmp_path / "bin", "tailscale", json.dumps(status), code)
    visit = Visit(tmp_path, server.url, PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert (visit.checks["tailscale"]["verdict"], visit.code) == (verdict, int(verdict == "bad")), visit.text


@pytest.mark.parametrize("arguments, message", [
    ([], "which server?"), (["tcp://a"], "scheme tcp is not"), (["ws://a", "--token-env", "NONE"], "NONE: this variable"),
    (["ws://a", "--remote", "b"], "--remote "), (["ws://a", "--restat", "x"], 'did you mean "--restart"?'),
])
def test_what_cannot_be_asked(arguments: list[str], message: str):
    ended = subprocess.run(
        [program("omni-conformance"), "doctor", *arguments], capture_output=True, text=True, timeout=60,
        env=clean_environment())
    assert (ended.returncode, ended.stdout) == (2, "")
    assert message in ended.stderr
