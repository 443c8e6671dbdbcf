"""Processes for the tests: started on free ports, waited for with a deadline, always stopped.

OMNI_BIN names the folder of the built programs, .build/debug of this checkout by default.
"""

import importlib.util
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

import mcp_schema
from mcp_taps import tap  # noqa: F401  a fixture

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("OMNI_BIN", ROOT / ".build" / "debug")).resolve()
HERE = Path(__file__).resolve().parent
# These need the SDK 2, which has a virtual environment of its own: .venv-mcp2.
collect_ignore = [] if importlib.util.find_spec("mcp_types") else ["mcp2"]
# Ready after well under a second; a machine under load was seen to need 5 s.
DEADLINE = 20.0
# Tests that run beside each other are dealt out by group. A file is one, because its fixtures serve all of it, and
# these files share their kept runs. Without pytest-xdist nothing of this matters.
TOGETHER = {"test_report": "runs", "test_report_formats": "runs"}
# Every test of these stands for itself and takes long: each is a group of its own.
SPREAD = {"test_clients", "test_executors", "test_generate", "test_mcp_profiles", "test_other_make"}
LONGEST = ["test_docs", "test_clients", "test_mcp_profiles", "test_other_make", "test_executors"]
# What these measure is a time or a share of the machine, or they take all of it. The README takes LiteLLM away for two
# seconds and asks meanwhile, on the usual ports that pages of the docs use as well.
ALONE = {"test_autobahn", "test_fairness", "test_floods", "test_readme", "test_times"}
# For `mock.arm`: a model that is asked and never answers.
HANG = {"on": "POST /v1/chat/completions", "hang": True}


def program(name: str) -> str:
    path = BIN / name
    if not path.exists():
        pytest.fail(f"{path} is missing: build it, or set OMNI_BIN to the folder of the programs")
    return str(path)


def free_port() -> int:
    """A port that nobody has now, out of those that no system gives to a client that connects."""
    while True:
        port = random.randrange(20_000, 32_768)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


def until(condition, what: str, deadline: float = DEADLINE):
    """Asks until the answer is something, at the latest until the deadline."""
    end = time.monotonic() + deadline
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not happen within {deadline:.0f} s")
        time.sleep(0.02)


def http(url: str, body: object | None = None) -> tuple[int, str]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def clean_environment(**variables: str) -> dict[str, str]:
    """The environment without anything that would configure the programs from outside."""
    names = ("OMNI_", "LITELLM_", "GITHUB_LITELLM_", "DIRECT_API_", "BRAINSTEM_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(names)}
    return kept | variables


class Child:
    """A process whose output goes to files, so that it never blocks on a full pipe."""

    def __init__(self, arguments: list[str], folder: Path, environment: dict[str, str] | None = None) -> None:
        self.number = len(list(folder.glob("*.err")))
        self.out = folder / f"{self.number}.out"
        self.err = folder / f"{self.number}.err"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=folder,
                env=environment if environment is not None else clean_environment(),
            )

    def first_line(self) -> str:
        def line() -> str | None:
            if self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode}: {self.err.read_text()}")
            text = self.out.read_text()
            return text.partition("\n")[0] if "\n" in text else None

        return until(line, "the ready line")

    def wait(self, deadline: float = DEADLINE) -> int:
        return self.process.wait(timeout=deadline)

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.wait()


class Server(Child):
    def __init__(self, folder: Path, port: int, data: Path, arguments: list[str], variables: dict[str, str]) -> None:
        self.port = port
        self.url = f"ws://127.0.0.1:{port}"
        environment = clean_environment(OMNI_PORT=str(port), OMNI_DATA=str(data), **variables)
        super().__init__([program("omni-server"), *arguments], folder, environment)

    def ready(self) -> "Server":
        def answers() -> bool:
            if self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode}: {self.err.read_text()}")
            try:
                return http(f"http://127.0.0.1:{self.port}/readyz")[0] == 200
            except OSError:
                return False

        until(answers, "/readyz saying 200")
        return self


class Mock(Child):
    def __init__(self, folder: Path, *arguments: str) -> None:
        ports = [f"--{name}port" for name in ("", "direct-", "local-", "admin-")]
        words = [word for name in ports for word in (name, "0")]
        super().__init__([program("mock-litellm"), *words, *arguments], folder)
        addresses = json.loads(self.first_line())
        self.litellm, self.direct = addresses["litellm"], addresses["direct"]
        self.local, self.admin = addresses["local"], addresses["admin"]

    @property
    def variables(self) -> dict[str, str]:
        """What a server needs to take this mock for the world."""
        return {
            "LITELLM_URL": self.litellm, "LITELLM_API_KEY": "sk-test", "GITHUB_LITELLM_KEY": "backup-test",
            "DIRECT_API_URL": self.direct, "BRAINSTEM_URL": self.local,
        }

    def arm(self, **faces: list[dict]) -> None:
        status, text = http(f"{self.admin}/_mock/arm", faces)
        assert status == 200, text

    def reset(self) -> None:
        assert http(f"{self.admin}/_mock/reset", {})[0] == 200

    def calls(self, path: str) -> list[dict]:
        status, text = http(f"{self.admin}/_mock/journal")
        assert status == 200, text
        return [call for call in json.loads(text)["calls"] if call["path"] == path]


def limit(name: str) -> int:
    """A limit of the specification; a duration in seconds."""
    [value] = re.findall(rf"\{{name: {name}, value: (\d+)s?,", (ROOT / "Spec" / "limits.yaml").read_text())
    return int(value)


def with_limits(folder: Path, **limits: int | str) -> Path:
    """A copy of the specification in which these limits have other values, for --spec."""
    copy = folder / "Spec"
    shutil.copytree(ROOT / "Spec", copy)
    text = (copy / "limits.yaml").read_text()
    for name, value in limits.items():
        text, count = re.subn(rf"(\{{name: {name}, value: )[^,]+", rf"\g<1>{value}", text)
        assert count == 1, f"there is no limit {name}"
    (copy / "limits.yaml").write_text(text)
    return copy


@contextmanager
def children_of():
    """Gives what starts a child by its class, and stops whatever is left at the end."""
    children: list[Child] = []

    def begin(kind: type[Child], *arguments, **keywords):
        child = kind.__new__(kind)
        children.append(child)  # before it runs: a start that fails half way is stopped as well
        child.__init__(*arguments, **keywords)
        return child

    try:
        yield begin
    finally:
        for child in children:
            if hasattr(child, "process"):
                child.kill()


@pytest.fixture
def start():
    with children_of() as begin:
        yield begin


@pytest.fixture
def tells(record_property):
    """Says a line that stands in the summary of the run, such as figures that CI looks for."""
    return lambda line: record_property("tells", line)


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: measures time or takes the whole machine; not beside other tests")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.stem in ALONE:
            item.add_marker("alone")
    # The ones that take longest begin first, so that none is left over at the end.
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Deals out the tests by these groups; `loadgroup` of pytest-xdist 3.8 has no effect with pytest 9.2."""
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            stem = Path(nodeid.partition("::")[0]).stem
            return nodeid if stem in SPREAD else TOGETHER.get(stem, stem)

    return Groups(config, log)


def pytest_sessionfinish(session):
    """A worker hands over what it counted."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["mcp schema"] = mcp_schema.counted()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    mcp_schema.add(*getattr(node, "workeroutput", {}).get("mcp schema", ({}, [])))


def pytest_terminal_summary(terminalreporter):
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) != "call":
                continue
            for name, line in report.user_properties:
                if name == "tells":
                    terminalreporter.write_line(line)
    skipped = {report.longrepr[2].removeprefix("Skipped: ") for report in terminalreporter.getreports("skipped")}
    for reason in sorted(skipped):
        terminalreporter.write_line(f"skipped: {reason}")
    for line in mcp_schema.summary():
        terminalreporter.write_line(line)


@pytest.fixture
def mock(start, tmp_path: Path) -> Mock:
    return start(Mock, tmp_path)


@pytest.fixture
def serve(start, tmp_path: Path):
    """Starts omni-server and waits until it is ready; the same port and data again for a restart."""

    def begin(*arguments: str, port: int | None = None, data: Path | None = None, **variables: str) -> Server:
        server = start(Server, tmp_path, port or free_port(), data or tmp_path / "data", list(arguments), variables)
        return server.ready()

    return begin


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Kept runs, made once: see reporting.py."""
    import reporting

    return reporting.make(tmp_path_factory.mktemp("reports"))
