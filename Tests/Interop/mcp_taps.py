"""The fixture that puts a tap before a server and holds all that went by against the official schemas."""

import json
import signal
import sys
from pathlib import Path

import pytest

import mcp_schema

PROGRAM = Path(__file__).resolve().parent / "mcp_tap.py"


class Tap:
    def __init__(self, start, folder: Path) -> None:
        self.start = start
        self.folder = folder
        self.relays = []
        self.log = folder / "mcp.jsonl"

    def port(self, port: int) -> int:
        """A port that leads to this one of the same machine."""
        from conftest import Child

        arguments = [sys.executable, str(PROGRAM), str(self.log), "tcp", "127.0.0.1", str(port)]
        self.relays.append(self.start(Child, arguments, self.folder))
        return int(self.relays[-1].first_line().removeprefix("listening on "))

    def cut(self) -> None:
        """Ends every connection there is, as a network does it; new ones are taken."""
        for relay in self.relays:
            relay.process.send_signal(signal.SIGUSR1)

    def requests(self, method: str) -> list[dict]:
        """The heads of the HTTP requests of a method."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        heads = [line["head"] for line in lines if "head" in line and line["by"] == "client"]
        return [head for head in heads if head["start"].startswith(f"{method} ")]

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
