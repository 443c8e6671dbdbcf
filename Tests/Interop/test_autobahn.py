"""The Autobahn|Testsuite judges the WebSocket of the server and that of the runner (RFC 6455).

Its sections 12 and 13 are about compression, which no endpoint offers. It needs Python 2.7, found
as pyenv installs it or as python2.7 on PATH, and is kept in .venv27.
"""

import json
import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from conftest import ROOT, Child, Server, children_of, free_port, http, program, until, with_limits

PACKAGE = "autobahntestsuite==25.10.1"
BASE = ROOT / ".venv27"
CASES = {"cases": ["*"], "exclude-cases": ["12.*", "13.*"], "exclude-agent-cases": {}}
# 16 MiB is the longest message of section 9, which comes back as long.
LIMITS = {"message_bytes": 16 << 20, "unsent_bytes": 64 << 20}
# Both sides took 40 s together on two busy cores.
DEADLINE = 300.0
EXPECTED = Counter(OK=298, INFORMATIONAL=3)

# Left to itself wstest listens on every interface, whatever its url says.
WSTEST = """
import functools, sys
from autobahntestsuite import fuzzing, wstest
fuzzing.listenWS = functools.partial(fuzzing.listenWS, interface="127.0.0.1")
sys.exit(wstest.run())
"""


def python27() -> str:
    found = []
    if pyenv := shutil.which("pyenv"):
        root = subprocess.run([pyenv, "root"], capture_output=True, text=True).stdout.strip()
        found = [str(path) for path in sorted(Path(root).glob("versions/2.7.*/bin/python"))]
    if on_path := shutil.which("python2.7"):
        found.append(on_path)
    for path in found:
        # A shim of pyenv may stand for a version that is not chosen here.
        if subprocess.run([path, "-c", "import pip"], capture_output=True).returncode == 0:
            return path
    pytest.skip("autobahn: there is no Python 2.7 with pip on this machine")


def wstest(*arguments: str) -> list[str]:
    return [python27(), "-c", WSTEST, "--webport", "0", *arguments]


@pytest.fixture(scope="module")
def suite() -> dict[str, str]:
    """The environment in which Python 2.7 finds the suite, installed if it is not yet."""
    environment = os.environ | {"PYTHONUSERBASE": str(BASE)}
    python = python27()
    stamp = BASE / PACKAGE
    if not stamp.exists():
        install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--user", PACKAGE]
        done = subprocess.run(install, capture_output=True, text=True, env=environment)
        if done.returncode != 0:
            last = (done.stderr.strip() or "pip failed").splitlines()[-1]
            pytest.skip(f"autobahn: {PACKAGE} cannot be installed: {last}")
        stamp.touch()
    return environment


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("autobahn")


@pytest.fixture(scope="module")
def judged(suite: dict[str, str], folder: Path):
    """Both judges, working at the same time; each gives the folder of its report when it is done."""
    with children_of() as start:
        spec = with_limits(folder, **LIMITS)
        server = start(Server, folder, free_port(), folder / "data", ["echo", "--spec", str(spec)], {})
        until(lambda: answers(server), "the echo server")
        target = {"agent": "omni", "url": server.url, "options": {"version": 18}}
        (folder / "fuzzingclient.json").write_text(
            json.dumps(CASES | {"outdir": "server", "servers": [target]}))
        server_side = start(
            Child, wstest("-m", "fuzzingclient", "-s", "fuzzingclient.json"), folder, suite)

        port = free_port()
        (folder / "fuzzingserver.json").write_text(
            json.dumps(CASES | {"outdir": "client", "url": f"ws://127.0.0.1:{port}"}))
        fuzzer = start(Child, wstest("-m", "fuzzingserver", "-s", "fuzzingserver.json"), folder, suite)
        until(lambda: fuzzer.process.poll() is not None or listens(port), "the fuzzing server")
        client_side = start(
            Child, [program("omni-conformance"), "echo", "--url", f"ws://127.0.0.1:{port}"], folder)

        for child in (server_side, client_side):
            code = child.wait(DEADLINE)
            assert code == 0, f"ended with {code}: {child.out.read_text()[-2000:]}{child.err.read_text()[-2000:]}"
        assert server.terminate() == 0, server.err.read_text()
    return folder


def answers(server: Server) -> bool:
    assert server.process.poll() is None, server.err.read_text()
    return listens(server.port)


def listens(port: int) -> bool:
    try:
        http(f"http://127.0.0.1:{port}/")
        return True
    except OSError:
        return False


@pytest.mark.parametrize("side", ["server", "client"])
def test_autobahn(side: str, judged: Path, tells):
    # wstest exits with 0 whatever it found, and an agent it never reached is missing here.
    cases = json.loads((judged / side / "index.json").read_text()).get("omni", {})
    behavior = Counter(case["behavior"] for case in cases.values())
    parts = [f"{behavior[name]} {name}" for name in sorted(behavior, reverse=True)]
    tells(f"autobahn {side}: " + ", ".join([f"{len(cases)} cases", *parts]))
    others = {
        number: (case["behavior"], case["behaviorClose"]) for number, case in cases.items()
        if {case["behavior"], case["behaviorClose"]} - EXPECTED.keys()
    }
    assert not others
    assert behavior == EXPECTED
    assert Counter(case["behaviorClose"] for case in cases.values()) == EXPECTED
