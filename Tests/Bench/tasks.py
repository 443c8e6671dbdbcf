"""How soon many tasks at one time are done, each a call of a model that takes its time."""

import json
import time
from contextlib import ExitStack

from client import Client
from figures import Part, count, milliseconds
from machine import CORES, WORK, Failed, progress, until

RUNS = WORK / "runs" / "tasks"
TASKS = 500
LATENCY = "200ms"


def burst(server, number: int) -> float:
    """Creates `number` tasks on one connection, and gives the seconds until the last of them is done."""
    client = Client(server.port)
    request = json.dumps({"method": "create_task", "params": {"description": "say hello", "wait": False}}).encode()
    begun = client.ask("system_status")["tasks"]["completed"]
    start = time.monotonic()
    for _ in range(number):
        client.send(request)
    for _ in range(number):
        client.receive()

    def done() -> bool:
        tasks = client.ask("system_status")["tasks"]
        if tasks["failed"] or tasks["waiting"]:
            raise Failed(f"not all tasks went well: {tasks}")
        return tasks["completed"] == begun + number

    until(done, f"the end of {number} tasks")
    took = time.monotonic() - start
    client.close()
    return took


def tasks(programs, options) -> Part:
    part = Part("tasks")
    seconds, resident = [], []
    for turn in range(options.rounds):
        progress(f"tasks: round {turn + 1} of {options.rounds}")
        with ExitStack() as stack:
            upstream = stack.enter_context(programs.mock(RUNS / "mock", "--latency", LATENCY))
            server = stack.enter_context(programs.server(RUNS / "server", CORES, len(CORES), upstream))
            seconds.append(burst(server, TASKS))
            resident.append(server.peak())
    part.samples = {"seconds": seconds, "resident": resident}
    case = f"{TASKS} tasks at once, {LATENCY} each"
    part.want(f"{case}: until the last is done", [value * 1000 for value in seconds], milliseconds, most=2000)
    part.want(f"{case}: most resident MiB", [value / 2**20 for value in resident], count, most=200)
    return part
