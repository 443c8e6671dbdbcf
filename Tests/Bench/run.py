"""Measures omni-server beside its peers, in one run on one machine. docs/performance.md tells how to read it.

run.py [--bin FOLDER] [--rounds 5] [--seconds 2] [--json FILE] [--markdown] [part ...]
run.py [--markdown] --from FILE ...     prints again what --json kept; a part of a later file counts
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import answers
import durable
import endurance
import mock
import peers
import tasks
from figures import Line, Part, text
from machine import CORES, ROOT, WORK, Failed, Programs, progress

PARTS = {
    "ping": answers.ping,
    "loops": answers.loops,
    "store": durable.store,
    "status": answers.status,
    "tasks": tasks.tasks,
    "idle": endurance.idle,
    "idle-cpu": endurance.idle_cpu,
    "soak": endurance.soak,
    "mock": mock.mock,
    "streams": mock.streams,
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures omni-server beside its peers.")
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}; all without one")
    parser.add_argument("--bin", type=Path, default=ROOT / ".build" / "release", help="folder of the programs")
    parser.add_argument("--rounds", type=int, default=5, help="times that each is measured, in turn (5)")
    parser.add_argument("--seconds", type=float, default=2, help="of one measurement (2)")
    parser.add_argument("--soak-seconds", type=float, default=600, help="of the soak (600)")
    parser.add_argument("--json", type=Path, help="file for the figures and all samples")
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    parser.add_argument("--from", dest="kept", nargs="+", type=Path, help="print the figures of such files")
    options = parser.parse_args()
    if unknown := [name for name in options.parts if name not in PARTS]:
        parser.error(f"there is no part {unknown[0]}; there are {', '.join(PARTS)}")
    return options


def measure(name: str, programs: Programs, options: argparse.Namespace) -> Part:
    try:
        return PARTS[name](programs, options)
    except (Failed, OSError, subprocess.SubprocessError) as why:
        return Part(name, lines=[Line(name, "a measurement", str(why), False)])


def machine() -> str:
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    model = models[0].partition(": ")[2] if models else platform.machine()
    busy = os.getloadavg()[0]
    return f"{os.cpu_count()} cores of {model}, Linux {platform.release()}; load average {busy:.1f} at the start"


def verdict(parts: list[Part]) -> int:
    broken = [f"{part.name}: {line.what}" for part in parts for line in part.lines if line.holds is False]
    for line in broken:
        print(f"does not hold: {line}", file=sys.stderr)
    return 1 if broken else 0


def again(options: argparse.Namespace) -> int:
    found = {}
    for file in options.kept:
        told = json.loads(file.read_text())
        for part in told["parts"]:
            found[part["name"]] = Part(**part | {"lines": [Line(**line) for line in part["lines"]]})
    parts = [found[name] for name in PARTS if name in found]
    print(told["machine"], *[text(part, options.markdown) for part in parts], sep="\n\n")
    return verdict(parts)


def main() -> int:
    options = arguments()
    if options.kept:
        return again(options)
    WORK.mkdir(parents=True, exist_ok=True)
    try:
        if len(CORES) < 2:
            raise Failed("two cores are needed: one for the server, one for the generator")
        programs = Programs(options.bin)
        peers.compile_c("load")
    except Failed as why:
        print(f"run.py: {why}", file=sys.stderr)
        return 2
    told, parts = {"format": 1, "machine": machine()}, []
    print(told["machine"], end="\n\n", flush=True)
    for name in options.parts or PARTS:
        parts.append(measure(name, programs, options))
        progress("")
        print(text(parts[-1], options.markdown), flush=True)
        if options.json:
            kept = told | {"parts": [asdict(part) for part in parts]}
            options.json.write_text(json.dumps(kept, indent=1) + "\n")
    return verdict(parts)


if __name__ == "__main__":
    sys.exit(main())
