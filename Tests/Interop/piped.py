"""A program that is spoken with in lines over its standard input and output, as clients of MCP launch it."""

import json
import queue
import subprocess
import threading
from pathlib import Path

from conftest import DEADLINE, Child, clean_environment, program


class Piped(Child):
    """omni-server with pipes. Its standard output may hold nothing but JSON, which is checked at the end."""

    def __init__(self, folder: Path, *arguments: str, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                 **variables: str) -> None:
        self.err = folder / f"{len(list(folder.glob('*.err')))}.err"
        with self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [program("omni-server"), *arguments], stdin=stdin, stdout=stdout, stderr=err, cwd=folder,
                env=clean_environment(**variables))
        self.lines: queue.Queue[bytes | None] = queue.Queue()
        if stdout == subprocess.PIPE:
            threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def write(self, data: bytes) -> None:
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, *messages: object) -> None:
        """One write for all of them."""
        self.write(b"".join(json.dumps(message).encode() + b"\n" for message in messages))

    def next(self, deadline: float = DEADLINE) -> object | None:
        """The next message; None at the end of the output."""
        line = self.lines.get(timeout=deadline)
        if line is None:
            return None
        assert line.endswith(b"\n"), line
        return json.loads(line)

    def ask(self, identity: int | str, method: str, **params) -> object:
        self.send({"jsonrpc": "2.0", "id": identity, "method": method, "params": params})
        return self.next()

    def initialize(self, revision: str = "2025-11-25") -> dict:
        answer = self.ask(
            0, "initialize", protocolVersion=revision, capabilities={}, clientInfo={"name": "test", "version": "1"})
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return answer["result"]

    def end(self) -> tuple[int, list]:
        """Ends the input; the exit code, and what was still said."""
        self.process.stdin.close()
        return self.wait(), self.rest()

    def rest(self) -> list:
        """What is said until the end of the output."""
        return list(iter(self.next, None))
