"""Endpoints that are not ours: the cases find what is wrong with them, and nothing else.

`other_orchestrator` was written from the specification alone and is right: what it fails is a false
alarm. `deployed_orchestrator` is wrong in ways that are known.
"""

import json
import os
import re
import sys
from pathlib import Path

import pytest

from conftest import HERE, Child, program
from test_runner import DEFECTS, count, results, run

OTHER = HERE / "other_orchestrator"

# What of the deployed one is known to be wrong, in words that a failure has to say.
WORDS = {
    "defects/empty-array": "closes it without an answer",
    "defects/scalar": "closes it without an answer",
    "defects/params-as-array": "closes it without an answer",
    "defects/description-as-number": "makes a task of it that fails",
    "defects/jsonrpc-ping": "leaves id and version out",
}


@pytest.mark.parametrize("manner", ["plain", "odd"])
def test_another_make_passes_every_must(monkeypatch, tmp_path: Path, manner: str):
    monkeypatch.setenv("OTHER_MANNER", manner)
    # `python3` of the target file is the one that has the packages.
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    output = tmp_path / "results.json"
    code, text = run(
        "run", "--target-file", str(OTHER / "target.yaml"), "--mock", program("mock-litellm"), "--level", "must",
        "--output", str(output))
    assert code == 0, text
    cases = [case for case in json.loads(output.read_text())["cases"] if case["level"] == "must"]
    assert len(cases) > 200
    assert {case["verdict"] for case in cases} == {"pass"}


@pytest.fixture(params=["failed", "completed", "suspended"])
def deployed(request, start, tmp_path: Path) -> str:
    arguments = [sys.executable, str(HERE / "deployed_orchestrator.py"), "0", "--outcome", request.param]
    return start(Child, arguments, tmp_path).first_line().removeprefix("listening on ")


def test_the_defects_of_the_deployed_one_are_named(deployed: str):
    code, text = run("run", "--profile", "deployed", "--target", deployed)
    assert code == 1, text
    assert results(text, "FAIL") == DEFECTS == set(WORDS)
    assert count(text, "passed") == 13
    for name, words in WORDS.items():
        block = text.partition(f"FAIL  {name} ")[2].partition("\n\n")[0]
        assert words in block, text


def test_known_defects_are_expected_until_they_are_gone(deployed: str, serve, tmp_path: Path):
    known = tmp_path / "known.yaml"
    judge = ["run", "--profile", "deployed"]
    code, text = run(*judge, "--target", deployed, "--write-baseline", str(known))
    assert code == 1, text
    assert set(re.findall(r'^- case: "(\S+)#\d+"$', known.read_text(), re.MULTILINE)) == DEFECTS

    code, text = run(*judge, "--target", deployed, "--known-failing", str(known))
    assert code == 0, text
    assert results(text, "EXPECTED FAILURE") == DEFECTS
    assert count(text, "expected failures") == len(DEFECTS)

    # A server without the defects makes the list stale.
    code, text = run(*judge, "--target", serve().url, "--known-failing", str(known))
    assert code == 1, text
    assert results(text, "UNEXPECTED PASS") == DEFECTS
