"""The completion scripts, asked as the shells ask them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import BIN, clean_environment, program

PATH = os.pathsep.join([str(BIN), os.environ["PATH"]])


def script(shell: str) -> str:
    return subprocess.check_output([program("omni-conformance"), "completions", shell], text=True, timeout=60)


def run(command: list[str], text: str) -> str:
    ended = subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=120, env=clean_environment(PATH=PATH))
    assert ended.returncode == 0 and ended.stderr == "", ended.stderr
    return ended.stdout


def bash(*words: str) -> list[str]:
    line = " ".join(f"'{word}'" for word in words)
    asked = f"COMP_WORDS=(omni-conformance {line}); COMP_CWORD={len(words)}; _omni_conformance\n"
    return run(["bash", "--norc"], script("bash") + asked + 'printf "%s\\n" "${COMPREPLY[@]}"\n').split()


COMMANDS = subprocess.run(
    [str(BIN / "omni-conformance"), "--help"], capture_output=True, text=True, timeout=60).stdout


@pytest.mark.parametrize("words, among", [
    (("ru",), ["run"]), (("doc",), ["doctor", "docs"]), (("run", "--tar"), ["--target", "--target-file"]),
    (("run", "--level", "m"), ["must", "may"]), (("list", "--profile", ""), ["reference", "deployed", "client"]),
    (("docs", "--format", "o"), ["openrpc"]), (("completions", ""), ["bash", "zsh", "fish"]),
    (("explain", "ping/"), ["ping/empty-object"]), (("run", "--run", "limits/one"), ["limits/one-byte-more"]),
    (("client", "--run", "client-faults/d"), ["client-faults/duplicate"]),
    (("help", "li"), ["list", "lint"]), (("report", "--format", "j"), ["json", "junit"]),
])
def test_bash_completes(words: tuple, among: list):
    offered = bash(*words)
    assert set(among) <= set(offered), offered
    assert all(word.startswith(words[-1]) for word in offered)


def test_every_command_and_flag_is_offered():
    names = [line.split()[0] for line in COMMANDS.splitlines() if line.startswith("  ") and "  " in line.strip()]
    assert len(names) > 15
    assert set(names) <= set(bash(""))
    for name in names:
        shown = subprocess.check_output([program("omni-conformance"), name, "--help"], text=True, timeout=60)
        flags = [line.split()[0] for line in shown.splitlines() if line.startswith("  --")]
        assert shown == subprocess.check_output([program("omni-conformance"), "help", name], text=True, timeout=60)
        assert "examples:\n" in shown and set(flags) == set(bash(name, "--")), name


@pytest.mark.parametrize("shell, check", [
    ("zsh", 'autoload -U compinit; compinit -u -D\n{script}\nwhence -w _omni_conformance\n'),
    ("fish", '{script}\ncomplete -C "omni-conformance ru"\ncomplete -C "omni-conformance run --lev"\n'),
])
def test_other_shells_take_the_script(shell: str, check: str, tmp_path: Path, tells):
    text = script(shell)
    assert "_omni_conformance" in text or "complete -c omni-conformance" in text
    if not shutil.which(shell):
        # The scripts are made of the same list as that for bash, which is tested above.
        tells(f"completions: no {shell} here, its script was not run")
        return
    said = run([shell], check.replace("{script}", text))
    assert ("function" in said) if shell == "zsh" else ("run" in said and "--level" in said), said
