"""Cases and sequences that nobody wrote by hand, against the reference server and its mock."""

import re
import shutil
from pathlib import Path

import pytest

from conftest import ROOT, program
from test_runner import count, run

TARGET = """
url: ws://127.0.0.1:${{port}}
start: {{argv: ["{server}"], ready: "http://127.0.0.1:${{port}}/readyz", within: 20s}}
environment:
  OMNI_PORT: ${{port}}
  OMNI_DATA: ${{data}}
  LITELLM_URL: ${{mock.litellm}}
  LITELLM_API_KEY: sk-test
  GITHUB_LITELLM_KEY: backup-test
  DIRECT_API_URL: ${{mock.direct}}
  BRAINSTEM_URL: ${{mock.local}}
"""


@pytest.fixture
def target(tmp_path: Path) -> list[str]:
    path = tmp_path / "target.yaml"
    path.write_text(TARGET.format(server=program("omni-server")))
    return ["--target-file", str(path), "--mock", program("mock-litellm")]


def test_generated_cases_hold(target):
    code, text = run("generate", *target, "--seed", "2")
    assert code == 0, text
    assert count(text, "passed") > 200
    assert count(text, "failed") == 0


def test_generated_cases_are_transcripts(target, tmp_path: Path):
    folder = tmp_path / "generated"
    code, text = run("generate", "--output", str(folder))
    assert code == 0, text
    code, text = run("run", *target, "--fixtures", str(folder), "--run", "envelope-grammar/*")
    assert code == 0, text
    assert count(text, "passed") > 10


def test_sequences_hold(target, tmp_path: Path):
    code, text = run("generate", *target, "--sequences", "60", "--seed", "3", "--output", str(tmp_path / "found"))
    assert code == 0, text
    assert re.search(r"^sequences: 60 of 840 steps hold", text, re.MULTILINE), text
    assert not (tmp_path / "found").exists()


def test_sequences_with_kills_hold(target, tmp_path: Path):
    code, text = run(
        "generate", *target, "--sequences", "8", "--seed", "4", "--length", "20", "--restarts", "--output",
        str(tmp_path / "found"))
    assert code == 0, text


def test_a_mistake_becomes_the_shortest_transcript(target, tmp_path: Path):
    """The model is told that finished tasks have another code: what it finds is two steps long."""
    spec = tmp_path / "Spec"
    shutil.copytree(ROOT / "Spec", spec)
    errors = spec / "errors.yaml"
    errors.write_text(errors.read_text().replace("code: 1002", "code: 1099"))
    found = tmp_path / "found"
    code, text = run(
        "generate", *target, "--sequences", "100", "--seed", "5", "--spec", str(spec), "--output", str(found))
    assert code == 1, text
    steps = (found / "sequences.yaml").read_text().count("- client:")
    assert steps == 2, text
    again = ["run", *target, "--fixtures", str(found)]
    assert run(*again, "--spec", str(spec))[0] == 1
    code, text = run(*again)
    assert code == 0, text
