"""Processes of a measurement: started, waited for with a deadline, pinned, looked at, always stopped."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# Below the checkout, where a disk is a disk: /tmp may be memory, and then nothing is durable.
WORK = ROOT / ".build" / "bench"
CORES = sorted(os.sched_getaffinity(0))[:2]
SERVER_CORE, LOAD_CORE = CORES[0], CORES[-1]
TICK = 1 / os.sysconf("SC_CLK_TCK")
DEADLINE = 30.0


class Failed(Exception):
    """A measurement could not be made."""


def progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(condition, what: str, deadline: float = DEADLINE):
    end = time.monotonic() + deadline
    while True:
        if answer := condition():
            return answer
        if time.monotonic() > end:
            raise Failed(f"{what} did not happen within {deadline:.0f} s")
        time.sleep(0.02)


def clean_environment(**variables: str) -> dict[str, str]:
    """The environment without anything that would configure the programs from outside."""
    names = ("OMNI_", "LITELLM_", "GITHUB_LITELLM_", "DIRECT_API_", "BRAINSTEM_")
    return {name: value for name, value in os.environ.items() if not name.startswith(names)} | variables


def pinned(arguments: list, cores: list[int]) -> list[str]:
    return ["taskset", "-c", ",".join(map(str, cores)), *map(str, arguments)]


class Child:
    """A process whose output goes to files."""

    def __init__(self, arguments: list, cores: list[int], folder: Path, environment: dict | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.out, self.err = folder / "out", folder / "err"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                pinned(arguments, cores), stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=folder,
                env=environment or clean_environment(),
            )

    def alive(self) -> bool:
        if self.process.poll() is not None:
            raise Failed(f"ended with {self.process.returncode}: {self.err.read_text()[-400:].strip()}")
        return True

    def cpu(self) -> float:
        """Seconds of processor time used so far, by all threads."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * TICK

    def resident(self) -> int:
        """Bytes of memory that are there, not only asked for."""
        return self.memory("VmRSS")

    def peak(self) -> int:
        """The most that `resident` ever was."""
        return self.memory("VmHWM")

    def memory(self, name: str) -> int:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
        raise Failed(f"no {name} in /proc")

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def stop(self) -> None:
        """Without farewell: nothing of a measurement is kept, and a drain would only take time."""
        self.process.kill()
        self.process.wait()


@contextmanager
def listening(arguments: list, port: int, cores: list[int], folder: Path, environment: dict | None = None):
    """A peer that is ready as soon as its port is open."""
    child = Child(arguments, cores, folder, environment)

    def opened() -> bool:
        child.alive()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        until(opened, f"listening of {Path(str(arguments[0])).name}")
        child.port = port
        yield child
    finally:
        child.stop()


class Programs:
    """Where the programs are, and how the server is started for a measurement."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        for name in ("omni-server", "mock-litellm"):
            if not (self.folder / name).exists():
                raise Failed(f"{self.folder / name} is missing: swift build -c release, or --bin FOLDER")

    @contextmanager
    def mock(self, folder: Path, *options: str):
        """What a server needs to take a mock for the world."""
        ports = [word for name in ("", "direct-", "local-", "admin-") for word in (f"--{name}port", "0")]
        level = ["--log-level", "error"]
        child = Child([self.folder / "mock-litellm", *ports, *level, *options], CORES, folder)
        try:
            until(lambda: child.alive() and "\n" in child.out.read_text(), "the mock's ready line")
            at = json.loads(child.out.read_text())
            yield {
                "LITELLM_URL": at["litellm"], "LITELLM_API_KEY": "sk-bench", "DIRECT_API_URL": at["direct"],
                "GITHUB_LITELLM_KEY": "sk-bench", "BRAINSTEM_URL": at["local"],
            }
        finally:
            child.stop()

    @staticmethod
    def nobody() -> dict[str, str]:
        """Upstreams where nothing listens."""
        names = ("LITELLM_URL", "DIRECT_API_URL", "BRAINSTEM_URL")
        keys = {"LITELLM_API_KEY": "sk-bench", "GITHUB_LITELLM_KEY": "sk-bench"}
        return {name: f"http://127.0.0.1:{free_port()}" for name in names} | keys

    @contextmanager
    def server(self, folder: Path, cores: list[int], loops: int, upstream: dict[str, str]):
        shutil.rmtree(folder, ignore_errors=True)
        port = free_port()
        environment = clean_environment(
            OMNI_PORT=str(port), OMNI_DATA=str(folder / "data"), OMNI_MAX_QUEUED="100000000",
            OMNI_MAX_CONNECTIONS="12000", **upstream,
        )
        child = Child([self.folder / "omni-server", "--loops", str(loops)], cores, folder, environment)

        def ready() -> bool:
            child.alive()
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as response:
                    return response.status == 200
            except (urllib.error.URLError, OSError):
                return False

        try:
            until(ready, "/readyz saying 200")
            child.port = port
            yield child
        finally:
            child.stop()
            shutil.rmtree(folder / "data", ignore_errors=True)


def busy() -> float:
    """Seconds of processor time that the whole machine has used."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) * TICK  # without idle and waiting for disks


def load(server: Child, cores: list[int], seconds: float, *options, opened=None) -> dict:
    """One run of the generator, with what the server spent on it.

    With --idle among the options, `opened` is called when the idle connections are there.
    """
    arguments = pinned([WORK / "bin" / "load", server.port, "--seconds", seconds, *options], cores)
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(arguments, text=True, **pipes) as generator:
        try:
            if opened and generator.stdout.readline():
                opened()
            before, started, all_before = server.cpu(), time.monotonic(), busy()
            said, complaint = generator.communicate("go\n" if opened else None, seconds + DEADLINE)
        finally:
            generator.kill()
    used, took = server.cpu() - before, time.monotonic() - started
    others = busy() - all_before - used
    server.alive()
    if generator.returncode != 0:
        raise Failed(f"the generator says {complaint.strip() or said.strip()}"[:400])
    sample = json.loads(said)
    return sample | {
        "server_load": used / took, "cpu_us": used / max(sample["total"], 1) * 1e6,
        "others": max(0.0, others / took - sample["load"]),
    }
