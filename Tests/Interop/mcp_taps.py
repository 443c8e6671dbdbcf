"""The fixture that puts a tap before a server and holds all that went by against the official schemas."""

import sys
from pathlib import Path

import pytest

import mcp_schema

PROGRAM = Path(__file__).resolve().parent / "mcp_tap.py"


class Tap:
    def __init__(self, start, folder: Path) -> None:
        self.start = start
        self.folder = folder
        self.log = folder / "mcp.jsonl"

    def port(self, port: int) -> int:
        """A port that leads to this one of the same machine."""
        from conftest import Child

        arguments = [sys.executable, str(PROGRAM), str(self.log), "tcp", "127.0.0.1", str(port)]
        return int(self.start(Child, arguments, self.folder).first_line().removeprefix("listening on "))

    def ws(self, server) -> str:
        return f"ws://127.0.0.1:{self.port(server.port)}"

    def http(self, server) -> str:
        return f"http://127.0.0.1:{self.port(server.port)}/mcp"

    def command(self, *command: str) -> list[str]:
        """The command that launches this one with the tap around it."""
        return [sys.executable, str(PROGRAM), str(self.log), "stdio", *command]

    def judge(self) -> mcp_schema.SchemaJudge:
        return mcp_schema.SchemaJudge().read(self.log)


@pytest.fixture
def tap(start, tmp_path: Path):
    """Every message that goes through it has to fit the schema of the revision that was agreed on."""
    taps = Tap(start, tmp_path)
    yield taps
    if mcp_schema.missing():
        mcp_schema.WITHOUT.append(mcp_schema.missing())
        return
    judged = taps.judge()
    mcp_schema.TOTAL.update(judged.valid)
    if judged.mistakes:
        pytest.fail("\n".join(judged.mistakes[:20]), pytrace=False)
    if not judged.valid:
        pytest.fail("no message went through the tap", pytrace=False)
