"""How many tasks are stored, each on disk before it is answered."""

import json
import shutil
import subprocess
from contextlib import ExitStack

import peers
from figures import LOAD_HEADER, Part, load_row, milliseconds, pairs, percent, spread, times
from machine import CORES, DEADLINE, WORK, Failed, free_port, listening, load, progress

FOLDER = WORK / "runs" / "store"
BATCHES = (64, 1)
DEPTHS = (1, 16)
# Longer than a run: no task ends while tasks are created.
SLOW = "5s"


def bare(batch: int, seconds: float, unique: int = 1) -> dict:
    """The loop in C, on the same disk."""
    folder = fresh("commit")
    done = subprocess.run(
        [WORK / "bin" / "commit", folder / "bare.db", str(batch), str(seconds), str(unique)],
        capture_output=True, text=True, timeout=seconds + DEADLINE,
    )
    shutil.rmtree(folder)
    if done.returncode != 0:
        raise Failed(done.stderr.strip())
    return json.loads(done.stdout)


def fresh(name: str):
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def creating(depth: int) -> list:
    return ["--mode", "create", "--connections", 64, "--in-flight", depth]


def ours(programs, condition: str, depth: int, seconds: float) -> dict:
    with ExitStack() as stack:
        upstream = programs.nobody()
        if condition == "slow":
            upstream = stack.enter_context(programs.mock(FOLDER / "mock", "--latency", SLOW))
        loops = len(CORES)
        server = stack.enter_context(programs.server(FOLDER / "server", CORES, loops, upstream))
        return load(server, CORES, seconds, *creating(depth))


def python(interpreter, depth: int, seconds: float) -> dict:
    folder, port = fresh("pystore"), free_port()
    command = [interpreter, peers.SOURCES / "pystore.py", folder / "py.db", port]
    with listening(command, port, CORES, folder) as server:
        return load(server, CORES, seconds, *creating(depth))


def store(programs, options) -> Part:
    part = Part("store", header=LOAD_HEADER)
    peers.compile_c("commit", "-lsqlite3")
    runs = {f"C, {batch} a commit": (bare, batch) for batch in BATCHES}
    runs["C, 64 a commit, ids without an index"] = (lambda batch, s: bare(batch, s, unique=0), 64)
    for condition in ("slow", "gone"):
        for depth in DEPTHS:
            name = f"omni-server, upstream {condition}, {depth} in flight"
            runs[name] = (lambda d, s, condition=condition: ours(programs, condition, d, s), depth)
    try:
        interpreter = peers.python()
        for depth in DEPTHS:
            runs[f"Python, {depth} in flight"] = (lambda d, s: python(interpreter, d, s), depth)
    except peers.Skipped as why:
        part.skip("Python's websockets and sqlite3", str(why))
    samples = {name: [] for name in runs}
    for turn in range(options.rounds):
        for name, (run, argument) in runs.items():
            progress(f"store: round {turn + 1} of {options.rounds}, {name}")
            samples[name].append(run(argument, options.seconds))
    judge(part, samples)
    return part


def judge(part: Part, samples: dict) -> None:
    part.samples = samples
    mark = samples["C, 64 a commit"]
    for name, found in samples.items():
        if name.startswith("C, "):
            part.rows.append([name, spread([sample["rate"] for sample in found])] + ["–"] * 7)
        else:
            part.rows.append(load_row(name, found))
        if not name.startswith("omni-server"):
            continue
        case = name.partition(", ")[2]
        part.want(f"{case}: of C's 64 rows a commit", pairs(found, mark), percent, least=0.6)
        own = samples["C, 64 a commit, ids without an index"]
        part.want(f"{case}: of the same without an index of the ids", pairs(found, own), percent)
        theirs = samples.get(f"Python, {case.partition(', ')[2]}")
        if theirs:
            part.want(f"{case}: over Python", pairs(found, theirs), times, least=10)
        # Requests that wait in line: with 1024 in flight the line alone is 50 ms at 20 000 a second.
        waits = [sample["p99_us"] / 1000 for sample in found]
        part.want(f"{case}: p99", waits, milliseconds, most=50 if case.endswith(", 1 in flight") else None)
