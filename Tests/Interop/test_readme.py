"""The commands of the README, run as a new user would: all shell blocks in order, in one shell."""

import os
import re
import subprocess
import sys
from pathlib import Path

from conftest import BIN, ROOT


def blocks() -> list[str]:
    text = (ROOT / "README.md").read_text()
    return re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_every_command_works(tmp_path):
    commands = blocks()
    assert len(commands) >= 6
    # What runs in the background ends with the shell, whatever happens.
    script = "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n" + "\n".join(commands)
    path = os.pathsep.join([str(BIN), str(Path(sys.executable).parent), os.environ["PATH"]])
    log = tmp_path / "shell.log"
    # A file, not a pipe: a pipe would stay open as long as any of the background programs.
    with log.open("wb") as output:
        code = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, env={**os.environ, "PATH": path}, stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.STDOUT, timeout=300,
        ).returncode
    text = log.read_text()
    assert code == 0, text
    assert "healthy: http://127.0.0.1:18765/healthz" in text
    assert "\npong\n" in text
    assert "completed - " in text
    assert "'system_state': 'degraded'" in text
    assert re.search(r"^[1-9]\d+ passed, 0 failed, 0 set-up errors, [1-9]\d* not applicable", text, re.MULTILINE)
    assert re.search(r"^[1-9]\d+ passed, 0 failed, 0 set-up errors, 0 not applicable", text, re.MULTILINE)
    assert (tmp_path / "results.json").exists()
    assert (tmp_path / "data" / "omni.db").exists()


def test_the_two_commands_are_what_the_makefile_offers():
    text = (ROOT / "README.md").read_text()
    makefile = (ROOT / "Makefile").read_text()
    for command in re.findall(r"make (\w+)", text):
        assert re.search(rf"^{command}:", makefile, re.MULTILINE), command
