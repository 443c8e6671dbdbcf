"""How fast mock-litellm answers, and whether many streams keep their pace: mock, streams."""

import json
import subprocess
import urllib.request
from contextlib import contextmanager

import peers
from figures import Part, count, milliseconds, percent, spread
from machine import DEADLINE, LOAD_CORE, SERVER_CORE, WORK, Child, Failed, pinned, progress, until

CONNECTIONS = 64
STREAMS, TOKENS, RATE = 1000, 250, 50


@contextmanager
def running(programs, folder, *options):
    """A mock on one core, with its port and the address of its admin API."""
    ports = [word for name in ("", "direct-", "local-", "admin-") for word in (f"--{name}port", "0")]
    arguments = [programs.folder / "mock-litellm", *ports, "--log-level", "error", *options]
    child = Child(arguments, [SERVER_CORE], folder)
    try:
        until(lambda: child.alive() and "\n" in child.out.read_text(), "the mock's ready line")
        at = json.loads(child.out.read_text())
        child.port, child.admin = at["litellm"].rpartition(":")[2], at["admin"]
        yield child
    finally:
        child.stop()


def ask(child, *words, wait: float) -> dict:
    """One run of the generator, with the processor time that the mock spent on it."""
    program = peers.compile_c("httpload")
    before = child.cpu()
    done = subprocess.run(
        pinned([program, child.port, *words], [LOAD_CORE]), capture_output=True, text=True, timeout=wait + DEADLINE
    )
    if done.returncode != 0:
        raise Failed(f"the generator says {done.stderr.strip()}"[:400])
    found = json.loads(done.stdout)
    used = child.cpu() - before
    return found | {"cpu_us": used / found["answers"] * 1e6, "server_load": used / found["seconds"]}


def row(name: str, samples: list[dict]) -> list[str]:
    waits = [spread([sample[key] / 1000 for sample in samples], milliseconds) for key in ("p50_us", "p99_us", "max_us")]
    loads = [spread([sample[key] for sample in samples], percent) for key in ("server_load", "load")]
    return [name, spread([sample["rate"] for sample in samples]), *waits, *loads]


def mock(programs, options) -> Part:
    part = Part("mock", header=["", "answers/s", "p50", "p99", "longest", "mock", "generator"])
    with running(programs, WORK / "runs" / "mock") as child:
        samples = []
        for turn in range(options.rounds):
            progress(f"mock: round {turn + 1} of {options.rounds}")
            samples.append(ask(child, "plain", CONNECTIONS, options.seconds, wait=options.seconds))
    part.rows.append(row(f"completions, {CONNECTIONS} connections", samples))
    part.samples["plain"] = samples
    part.want("completions a second on one core", [sample["rate"] for sample in samples], count, least=20_000)
    return part


def streams(programs, options) -> Part:
    part = Part("streams", header=["", "streams/s", "late, p50", "late, p99", "latest", "mock", "generator"])
    with running(programs, WORK / "runs" / "streams", "--tokens-per-second", str(RATE)) as child:
        rule = {"litellm": [{"completion": {"tokens": TOKENS}}]}
        request = urllib.request.Request(f"{child.admin}/_mock/arm", json.dumps(rule).encode(), method="POST")
        urllib.request.urlopen(request, timeout=DEADLINE).close()
        samples = []
        for turn in range(options.rounds):
            progress(f"streams: round {turn + 1} of {options.rounds}")
            samples.append(ask(child, "streams", STREAMS, TOKENS, RATE, wait=TOKENS / RATE))
    part.rows.append(row(f"{STREAMS} streams of {TOKENS} tokens, {RATE} a second each", samples))
    part.samples["streams"] = samples
    late = [sample["p99_us"] / 1000 for sample in samples]
    part.want("how late the last token comes, p99", late, milliseconds, most=250)
    return part
