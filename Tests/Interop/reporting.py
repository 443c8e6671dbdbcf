"""Runs against an orchestrator that is right and one that is wrong, with their reports."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from conftest import HERE, ROOT, Child, Mock, Server, children_of, clean_environment, free_port, program

RUN_DEADLINE = 120.0
FORMATS = ["html", "junit", "tap", "github", "markdown", "json", "badge"]
# What faulty_proxy.py makes wrong, as these cases show it.
FAILING = {"ping/empty-object", "ping/params-are-ignored", "status/unknown-task", "envelope/unknown-method"}
SELECTION = [
    word for pattern in ("ping/*", "status/*", "create/*", "envelope/unknown-method") for word in ("--run", pattern)]

# As `coverage --format json` writes it, wider than a phone.
COLUMNS = ["answered", *(f"error_{number}" for number in range(20))]
COVERAGE = {
    "format": 1,
    "sections": [{
        "name": "methods", "title": "Methods and their errors", "rows": ["ping", "get_task_status"], "columns": COLUMNS,
        "cells": [
            {"id": "a", "row": "ping", "column": "answered", "mark": "covered", "cases": sorted(FAILING)},
            {"id": "b", "row": "ping", "column": "error_1", "mark": "excluded", "cases": [], "reason": "no client can"},
            {"id": "c", "row": "get_task_status", "column": "error_2", "mark": "missing", "cases": [], "remedy": "write one"},
        ],
    }],
}


@dataclass
class Runs:
    folder: Path
    # What the faulty run printed where GitHub listens.
    printed: str

    def document(self, name: str) -> dict:
        return json.loads((self.folder / f"{name}.json").read_text())

    def report(self, name: str) -> str:
        return (self.folder / f"bad.{name}").read_text()


def run(*arguments: str, **variables: str) -> tuple[int, str]:
    """The exit code and everything that was printed."""
    done = subprocess.run(
        [program("omni-conformance"), *arguments], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=RUN_DEADLINE, check=False,
        env={name: value for name, value in clean_environment().items() if not name.startswith("GITHUB_")} | variables)
    return done.returncode, done.stdout


def make(folder: Path) -> Runs:
    with children_of() as start:
        mock = start(Mock, folder)
        server = start(Server, folder, free_port(), folder / "data", [], mock.variables).ready()
        proxy = start(Child, [sys.executable, str(HERE / "faulty_proxy.py"), server.url], folder)
        url = proxy.first_line().removeprefix("listening on ")

        def play(target: str, name: str, expected: int, *more: str, **variables: str) -> str:
            code, text = run(
                "run", "--target", target, *SELECTION, "--seed", "7", "--output", str(folder / f"{name}.json"),
                *more, **variables)
            assert code == expected, text
            return text

        play(server.url, "good", 0)
        play(server.url, "traced", 0, "--traces", "all")
        play(f"ws://127.0.0.1:{free_port()}", "unreachable", 3)
        (folder / "coverage.json").write_text(json.dumps(COVERAGE))
        reports = [word for name in FORMATS for word in ("--report", f"{name}={folder / f'bad.{name}'}")]
        printed = play(
            url, "bad", 1, *reports, "--compare", str(folder / "good.json"), "--coverage",
            str(folder / "coverage.json"), GITHUB_ACTIONS="true")
        page = folder / "good.html"
        code, text = run("report", "--from", str(folder / "traced.json"), "--output", str(page))
        assert code == 0, text
    return Runs(folder, printed)
