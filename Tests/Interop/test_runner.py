"""omni-conformance, as somebody uses it: exit codes, counts, and failures that can be followed."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT, clean_environment, free_port, program

# A whole run of all transcripts against the reference server, on a slow machine.
RUN_DEADLINE = 300.0
DEFECTS = {
    "defects/empty-array",
    "defects/scalar",
    "defects/params-as-array",
    "defects/description-as-number",
    "defects/jsonrpc-ping",
}


def run(*arguments: str) -> tuple[int, str]:
    """The exit code and everything that was printed."""
    done = subprocess.run(
        [program("omni-conformance"), *arguments], cwd=ROOT, env=clean_environment(), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=RUN_DEADLINE, check=False)
    return done.returncode, done.stdout


def results(text: str, verdict: str) -> set[str]:
    return set(re.findall(rf"^\s*{verdict}\s+(\S+/\S+)", text, re.MULTILINE | re.IGNORECASE))


def count(text: str, what: str) -> int:
    found = re.findall(rf"(\d+) {what}", text)
    assert found, text
    return int(found[-1])


def test_demo_is_green():
    code, text = run("demo")
    assert code == 0, text
    assert count(text, "passed") > 0
    assert not results(text, "FAIL")


def test_one_case_passes(serve):
    code, text = run("run", "--target", serve().url, "--run", "ping/bare-pong")
    assert code == 0, text
    assert count(text, "passed") == 1


def test_a_wrong_error_code_is_found(serve, tmp_path: Path):
    spec = tmp_path / "Spec"
    shutil.copytree(ROOT / "Spec", spec)
    errors = spec / "errors.yaml"
    text = errors.read_text()
    assert text.count("code: 1001") == 1
    errors.write_text(text.replace("code: 1001", "code: 1099"))
    server = serve("--spec", str(spec))

    code, text = run("run", "--target", server.url, "--run", "status/unknown-task")
    assert code == 1, text
    assert results(text, "FAIL") == {"status/unknown-task"}
    place = re.search(r"Fixtures/server/status\.yaml:(\d+)", text)
    assert place, text
    lines = (ROOT / "Fixtures/server/status.yaml").read_text().splitlines()
    assert 1 <= int(place[1]) <= len(lines)
    assert re.search(r"^\s*- .*1001|^\s*- .*task_not_found", text, re.MULTILINE), text
    assert re.search(r"^\s*\+ .*1099", text, re.MULTILINE), text
    rerun = re.search(r"omni-conformance run .*--run status/unknown-task.*", text)
    assert rerun, text
    again, text = run(*rerun[0].strip().split()[1:])
    assert again == 1, text


def test_a_target_that_is_not_there_is_3():
    code, text = run("run", "--target", f"ws://127.0.0.1:{free_port()}", "--run", "ping/bare-pong")
    assert code == 3, text


def test_nothing_selected_is_4(serve):
    code, text = run("run", "--target", serve().url, "--run", "nothing-like-this")
    assert code == 4, text
    assert "nothing-like-this" in text


@pytest.mark.parametrize(
    "step",
    ["- client: [1\n", "- clint: {method: ping}\n", "- server: {result: {$typo: string}}\n"],
    ids=["no-yaml", "unknown-step", "unknown-matcher"],
)
def test_a_broken_fixture_is_2(serve, tmp_path: Path, step: str):
    folder = tmp_path / "Fixtures" / "server"
    folder.mkdir(parents=True)
    good = "format: 1\nsuite: broken\ndialect: bare\ncases:\n- id: one\n  title: It is broken.\n  covers: [method:ping]\n  steps:\n"
    (folder / "broken.yaml").write_text(f"{good}  {step}")
    code, text = run("run", "--target", serve().url, "--fixtures", str(tmp_path / "Fixtures"))
    assert code == 2, text
    place = re.search(r"broken\.yaml:(\d+):(\d+)", text)
    assert place, text
    # A list that is never closed is noticed behind its line.
    assert int(place[1]) in (9, 10) and int(place[2]) >= 1
    assert re.search(r"^[\s|]*\^", text, re.MULTILINE), text


def test_an_unknown_option_is_2():
    code, _ = run("run", "--no-such-option")
    assert code == 2


def test_results_are_written(serve, tmp_path: Path):
    output = tmp_path / "results.json"
    code, text = run(
        "run", "--target", serve().url, "--run", "ping/bare-pong", "--output", str(output), "--seed", "7")
    assert code == 0, text
    assert "ping/bare-pong" in output.read_text()
