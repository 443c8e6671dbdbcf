"""The peers: built where their tools are at hand, else skipped with the reason."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from machine import HERE, ROOT, WORK, Failed, clean_environment, free_port, listening, progress

SOURCES = HERE / "peers"
BIN = WORK / "bin"
NODE_MODULES = "/usr/share/nodejs"
GO_SOURCES = "/usr/share/gocode"
VARIANTS = ("constant", "real")


class Skipped(Exception):
    """A peer cannot be had here."""


@dataclass
class Peer:
    name: str
    command: list
    environment: dict[str, str]

    def serve(self, cores: list[int]):
        port = free_port()
        folder = WORK / "runs" / self.name.replace(" ", "-")
        return listening([*self.command, port], port, cores, folder, clean_environment(**self.environment))


def run(*arguments, timeout: float = 120, **environment: str) -> None:
    try:
        done = subprocess.run(
            list(map(str, arguments)), capture_output=True, text=True, timeout=timeout,
            env=clean_environment(**environment), stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Skipped(str(error)) from None
    if done.returncode != 0:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        errors = [line for line in said if "error" in line.lower()] or said or [f"exit {done.returncode}"]
        raise Skipped(errors[0].strip()[:160])


def compile_c(name: str, *libraries: str) -> Path:
    """The generator and the yardsticks; without them nothing can be measured."""
    BIN.mkdir(parents=True, exist_ok=True)
    compiler = os.environ.get("CC") or shutil.which("cc") or "clang"
    flags = ["-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror"]
    try:
        run(compiler, *flags, SOURCES / f"{name}.c", "-o", BIN / name, *libraries)
    except Skipped as why:
        raise Failed(f"{name}.c: {why}") from None
    return BIN / name


def nio() -> list:
    if not shutil.which("swift"):
        raise Skipped("no Swift")
    scratch = WORK / "nio"
    progress("building the NIO peer, which takes minutes the first time")
    package = ["--package-path", SOURCES / "nio", "--scratch-path", scratch]
    run("swift", "build", "-c", "release", *package, timeout=1800)
    return [scratch / "release" / "nio-ping"]


def gorilla() -> list:
    if not shutil.which("go"):
        raise Skipped("no Go")
    run("go", "build", "-o", BIN / "gorilla_ping", SOURCES / "gorilla_ping.go", GO111MODULE="off", GOPATH=GO_SOURCES)
    return [BIN / "gorilla_ping"]


def node() -> list:
    if not shutil.which("node"):
        raise Skipped("no Node")
    run("node", "-e", "require('ws')", NODE_PATH=NODE_MODULES)
    return ["node", SOURCES / "ws_ping.js"]


def python() -> Path:
    """An interpreter that has websockets: this one, or that of `make bench`."""
    for found in (Path(sys.executable), ROOT / ".venv" / "bin" / "python"):
        try:
            run(found, "-c", "import websockets.asyncio.server")
            return found
        except Skipped:
            continue
    raise Skipped("no Python with websockets")


MAKERS = {
    "NIO": (nio, {}),
    "Go gorilla": (gorilla, {"GOMAXPROCS": "1"}),
    "Node ws": (node, {"NODE_PATH": NODE_MODULES}),
    "Python websockets": (lambda: [python(), SOURCES / "websockets_ping.py"], {}),
}


def every() -> tuple[list[Peer], dict[str, str]]:
    """All peers in both variants, and why the others are missing."""
    found, missing = [], {}
    for name, (make, environment) in MAKERS.items():
        try:
            command = make()
        except Skipped as why:
            missing[name] = str(why)
            continue
        found += [Peer(f"{name} {variant}", [*command, variant], environment) for variant in VARIANTS]
    return found, missing
