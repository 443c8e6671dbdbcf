"""The pages of docs/: their commands are run or at least understood, their YAML is what it says it is."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import BIN, HERE, ROOT, clean_environment, program, until, http

PAGES = sorted((ROOT / "docs").glob("*.md")) + [ROOT / "README.md"]
FENCE = re.compile(r"^```(\w*) ?(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Pages whose shell blocks are run from the first to the last, beside a server on its usual port. The README
# has a test of its own, and the blocks of fuzzing.md build the kit anew and take minutes.
RUN = [
    "authoring.md", "ci.md", "deploy.md", "failures.md", "generate.md", "judging-mcp-servers.md", "mock.md", "mcp.md",
    "mock-recording.md", "operations.md", "prove.md", "reports.md", "subscriptions.md",
]
# What takes long is run shorter.
SHORTER = {"--sequences 1000": "--sequences 20", "omni-conformance prove": "omni-conformance prove --run 'ping/*'"}


def blocks(page: Path, language: str, mark: str = "") -> list[str]:
    return [text for form, more, text in FENCE.findall(page.read_text()) if (form, more) == (language, mark)]


def checker(*arguments: str | Path) -> None:
    command = [str(Path(sys.executable).parent / "check-jsonschema"), *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def conformance(folder: Path, *arguments: str, deadline: float = 120) -> subprocess.CompletedProcess:
    return subprocess.run(
        [program("omni-conformance"), *arguments], cwd=folder, capture_output=True, text=True, timeout=deadline,
        env=clean_environment())


# Commands


def commands() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        text = page.read_text()
        shown = [block for form, _, block in FENCE.findall(text) if form in ("sh", "")]
        lines = "\n".join(shown).replace("\\\n", " ").splitlines()
        lines += [code for code in re.findall(r"`([^`]+)`", FENCE.sub("", text))]
        for line in lines:
            for part in re.findall(r"(?:^|[|&;(] *)(omni-conformance [^|;&#)]*)", line.strip()):
                found.append((page.name, part.strip()))
    return sorted(set(found))


def test_every_command_that_is_shown_is_understood(tmp_path):
    shown = commands()
    assert len(shown) > 30
    helps: dict[str, str] = {}
    for page, line in shown:
        words = shlex.split(line.replace("…", ""))[1:]
        if words[0].startswith("--") or words[0] in ("help", "COMMAND"):
            continue
        if words[0] not in helps:
            ended = conformance(tmp_path, words[0], "--help")
            assert ended.returncode == 0, f"{page}: {line}: {ended.stderr}"
            helps[words[0]] = ended.stdout
        for flag in [word.partition("=")[0] for word in words if word.startswith("--")]:
            assert re.search(rf"^  {flag}\b", helps[words[0]], re.MULTILINE), f"{page}: {line}: no flag {flag}"


def test_every_page_with_shell_blocks_is_run():
    shown = {page.name for page in PAGES if blocks(page, "sh")}
    assert shown == {*RUN, "README.md", "fuzzing.md"}


def test_the_pages_that_are_named_are_there():
    for page in PAGES:
        for name in re.findall(r"`((?:docs|Spec|Fixtures|Tests)/[a-z0-9_./-]+\.\w+)`", page.read_text()):
            assert (ROOT / name).exists(), f"{page.name} names {name}"


@pytest.fixture
def usual(tmp_path: Path):
    """The server and the mock on their usual ports, as the pages take them for granted."""
    from conftest import Child, Mock, Server, children_of

    with children_of() as begin:
        folder = tmp_path / "usual"
        folder.mkdir()
        mock = begin(Mock, folder)
        begin(Server, folder, 18765, folder / "data", [], mock.variables).ready()
        yield tmp_path


@pytest.mark.parametrize("name", RUN)
def test_shell_blocks_run(name: str, usual: Path):
    page = ROOT / "docs" / name
    folder = usual / "work"
    folder.mkdir()
    # Files that a page shows by `Write NAME:` are there, and an older run to compare with.
    for file, text in re.findall(r"Write `([\w./-]+)`:\n\n```yaml\n(.*?)^```$", page.read_text(), re.M | re.S):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text)
    (folder / "target.yaml").write_text(target_file())
    old = ["run", "--target", "ws://127.0.0.1:18765", "--run", "ping/*", "--output", "old.json"]
    assert conformance(folder, *old).returncode == 0
    shell = "\n".join(blocks(page, "sh"))
    for long, short in SHORTER.items():
        shell = shell.replace(long, short)
    script = "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n" + shell
    path = os.pathsep.join([str(BIN), str(Path(sys.executable).parent), os.environ["PATH"]])
    ended = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=clean_environment(PATH=path), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
    assert ended.returncode == 0, ended.stdout
    assert ended.stdout.strip(), "nothing was said"


def target_file() -> str:
    """The one of the README."""
    [text] = re.findall(r"^cat > target.yaml <<'YAML'\n(.*?)^YAML$", (ROOT / "README.md").read_text(), re.M | re.S)
    return text


# Transcripts

HEAD = "format: 1\nsuite: {}\ndialect: jsonrpc\ncases:\n"


def examples(page: Path) -> list[str]:
    """The transcripts of a page; cases alone get a file around them."""
    found = []
    for number, text in enumerate(blocks(page, "yaml")):
        if "suite:" in text:
            found.append(text)
        elif text.startswith("- id:"):
            found.append(HEAD.format(f"example-{number}") + text)
    return found


@pytest.mark.parametrize("page", [page for page in PAGES if examples(page)], ids=lambda page: page.name)
def test_transcripts_are_read_without_a_remark(page: Path, tmp_path: Path):
    for number, text in enumerate(examples(page)):
        (tmp_path / f"{number}.yaml").write_text(text)
    ended = conformance(tmp_path, "lint", "--strict", ".")
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout
    ended = conformance(tmp_path, "fmt", "--check", ".")
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout
    checker("--schemafile", ROOT / "Spec" / "schema" / "transcript.schema.json", *tmp_path.glob("*.yaml"))


def test_the_examples_for_authors_hold(tmp_path: Path):
    fixtures = tmp_path / "fixtures"
    fixtures.mkdir()
    texts = examples(ROOT / "docs" / "authoring.md")
    assert len(texts) >= 8
    for number, text in enumerate(texts):
        (fixtures / f"{number}.yaml").write_text(text)
    (tmp_path / "target.yaml").write_text(target_file().replace("[omni-server]", f"[{program('omni-server')}]"))
    ended = conformance(
        tmp_path, "run", "--target-file", "target.yaml", "--mock", program("mock-litellm"), "--fixtures", "fixtures")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert re.search(r"^[1-9]\d passed, 0 failed, 0 set-up errors, 0 not applicable", ended.stdout, re.M), ended.stdout
    bot = f"{sys.executable} {HERE / 'clients' / 'jsonrpc_bot.py'} {{url}}"
    ended = conformance(tmp_path, "client", "--exec", bot, "--fixtures", "fixtures", "--run", "both-sides/*")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "1 passed, 0 failed" in ended.stdout


def test_mistakes_are_told_as_the_page_says(tmp_path: Path):
    text = (ROOT / "docs" / "authoring.md").read_text()
    pairs = re.findall(r"^```yaml wrong\n(.*?)^```\n\n```text\n(.*?)^```$", text, re.M | re.S)
    assert len(pairs) >= 4
    for wrong, told in pairs:
        (tmp_path / "wrong.yaml").write_text(wrong)
        ended = conformance(tmp_path, "lint", "--strict", "wrong.yaml")
        assert ended.returncode in (1, 2)
        assert ended.stdout.rpartition("lint: ")[0] == told


# CI


@pytest.mark.parametrize("mark, schema", [("github", "vendor.github-workflows"), ("gitlab", "vendor.gitlab-ci")])
def test_ci_files_are_valid(mark: str, schema: str, tmp_path: Path):
    found = blocks(ROOT / "docs" / "ci.md", "yaml", mark)
    assert found
    for number, text in enumerate(found):
        (tmp_path / f"{number}.yml").write_text(text)
    checker("--builtin-schema", schema, *tmp_path.glob("*.yml"))


def test_the_action_is_valid():
    checker("--builtin-schema", "vendor.github-actions", ROOT / "action.yml")


def scripts() -> dict[str, str]:
    """The steps of action.yml by their names."""
    import yaml

    steps = yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"]
    return {step["name"]: step["run"] for step in steps if "run" in step}


def defaults() -> dict[str, str]:
    import yaml

    action = yaml.safe_load((ROOT / "action.yml").read_text())
    [step] = [step for step in action["runs"]["steps"] if step.get("name") == "Check the endpoint"]
    variables = {}
    for name, value in step["env"].items():
        key = re.fullmatch(r"\$\{\{ inputs\.([\w-]+) \}\}", value)[1]
        variables[name] = action["inputs"][key].get("default", "")
    return variables


@pytest.mark.parametrize("given, code", [
    ({"TARGET": "ws://127.0.0.1:18765"}, 0),
    ({"TARGET_FILE": "target.yaml", "ARGUMENTS": "--run 'ping/*' --run \"create/u*\""}, 0),
    ({"TARGET": "ws://127.0.0.1:1"}, 3), ({}, 2),
])
def test_the_action_does_what_it_says(given: dict, code: int, usual: Path):
    folder = usual / "work"
    folder.mkdir()
    (folder / "target.yaml").write_text(target_file())
    variables = defaults() | {"ARGUMENTS": "--run 'ping/*'"} | given
    variables |= {"GITHUB_STEP_SUMMARY": str(folder / "summary.md"), "GITHUB_ACTIONS": "true"}
    path = os.pathsep.join([str(BIN), os.environ["PATH"]])
    ended = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", scripts()["Check the endpoint"]], cwd=folder,
        env=clean_environment(PATH=path, **variables), capture_output=True, text=True, timeout=120)
    assert ended.returncode == code, ended.stdout + ended.stderr
    if code == 0:
        reports = folder / "conformance"
        assert sorted(file.name for file in reports.iterdir()) == ["junit.xml", "report.html", "results.json"]
        assert "passed" in (folder / "summary.md").read_text()


def test_no_input_reaches_a_shell_as_source():
    assert all("${{" not in script for script in scripts().values())
