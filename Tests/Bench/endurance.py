"""What stays and what grows: many idle connections, an idle server, a long time."""

import random
import resource
import time
from contextlib import ExitStack

from client import HELLO, Client
from figures import LOAD_HEADER, Part, count, load_row, pairs, percent, times
from machine import CORES, LOAD_CORE, SERVER_CORE, WORK, Child, load, progress, until

RUNS = WORK / "runs"
IDLE = 10_000
QUIET_SECONDS = 10
# A connection that nobody closed is gone after the server's ping and its deadline; kept connections
# to the upstream are gone sooner.
SETTLE_SECONDS = 60


def idle(programs, options) -> Part:
    """A fresh server each round, so that no memory is counted that an earlier round left warm."""
    part = Part("idle", header=LOAD_HEADER)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < IDLE + 1000:
        part.skip(f"{IDLE} idle connections", f"ulimit -n allows {hard} descriptors")
        return part
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, IDLE + 1000), hard))
    alone, among, bytes_each = [], [], []
    for turn in range(options.rounds):
        progress(f"idle: round {turn + 1} of {options.rounds}")
        with programs.server(RUNS / "idle", [SERVER_CORE], 1, programs.nobody()) as server:
            one = ["--connections", 1]
            alone.append(load(server, [LOAD_CORE], options.seconds, *one))
            residents = [server.resident()]
            among.append(
                load(server, [LOAD_CORE], options.seconds, *one, "--idle", IDLE,
                     opened=lambda: residents.append(server.resident())))
            bytes_each.append((residents[1] - residents[0]) / IDLE)
    part.samples = {"alone": alone, "among": among, "bytes": bytes_each}
    part.rows = [load_row("one connection alone", alone), load_row(f"beside {IDLE} idle ones", among)]
    part.want(f"resident bytes of each of {IDLE} idle connections", bytes_each, count, most=1023)
    part.want("p99 of one connection beside them, over alone", pairs(among, alone, "p99_us"), times, most=2)
    return part


def idle_cpu(programs, options) -> Part:
    """The kernel counts in ticks of 10 ms; one is allowed."""
    part = Part("idle-cpu")
    used = []
    with ExitStack() as stack:
        upstream = stack.enter_context(programs.mock(RUNS / "idle-cpu" / "mock"))
        server = stack.enter_context(programs.server(RUNS / "idle-cpu" / "server", CORES, 2, upstream))
        connections = [Client(server.port) for _ in range(100)]
        for _ in range(2):
            before = server.cpu()
            progress(f"idle-cpu: {QUIET_SECONDS} s of nothing")
            time.sleep(QUIET_SECONDS)
            used.append((server.cpu() - before) * 1000)
        for connection in connections:
            connection.reset()
    part.samples = {"milliseconds": used}
    what = f"processor time in {QUIET_SECONDS} s with {len(connections)} idle connections"
    part.want(what, used, lambda value: f"{value:.0f} ms", most=10)
    return part


def leave_clean(port: int) -> None:
    client = Client(port)
    client.ask("ping")
    client.close()


def leave_by_reset(port: int) -> None:
    client = Client(port)
    client.ask("ping")
    client.reset()


def leave_in_handshake(port: int) -> None:
    client = Client(port, upgrade=False)
    client.socket.sendall(HELLO[: random.randrange(1, len(HELLO) - 1)])
    random.choice((client.reset, client.socket.close))()


def leave_a_task_behind(port: int) -> None:
    client = Client(port)
    client.send(b'{"method":"create_task","params":{"description":"say hello","wait":true}}')
    random.choice((client.reset, client.socket.close))()


LEAVING = (leave_clean, leave_by_reset, leave_in_handshake, leave_a_task_behind)


def churn(server: Child, seconds: float, what: str) -> tuple[int, list[int]]:
    """The number of connections, and the memory at the end of every tenth of the time."""
    start, number, memory = time.monotonic(), 0, []
    while (passed := time.monotonic() - start) < seconds:
        random.choice(LEAVING)(server.port)
        number += 1
        if passed > seconds / 10 * (len(memory) + 1):
            memory.append(server.resident())
            progress(f"soak: {what}, {seconds - passed:.0f} s left, {number} connections")
    return number, memory


def settled(server: Child) -> tuple[int, int]:
    """Descriptors and memory when all is over: tasks, connections, and what is kept for reuse."""
    client = Client(server.port)

    def done() -> bool:
        tasks = client.ask("system_status")["tasks"]
        return not any(tasks[state] for state in ("idle", "dispatching", "executing", "waiting"))

    until(done, "the end of all tasks", 300)
    client.close()
    progress(f"soak: settling for {SETTLE_SECONDS} s")
    time.sleep(SETTLE_SECONDS)
    return server.descriptors(), server.resident()


def soak(programs, options) -> Part:
    part = Part("soak")
    seconds = options.soak_seconds
    with ExitStack() as stack:
        upstream = stack.enter_context(programs.mock(RUNS / "soak" / "mock"))
        server = stack.enter_context(programs.server(RUNS / "soak" / "server", CORES, 2, upstream))
        # Pools, caches and the allocator get warm by the same things.
        churn(server, max(10, seconds / 5), "warming up")
        files, memory = settled(server)
        number, course = churn(server, seconds, "connections come and go")
        files_after, memory_after = settled(server)
    part.samples = {
        "connections": number, "descriptors": [files, files_after],
        "resident": [memory, *course, memory_after],
    }
    case = f"{count(number)} connections in {seconds:.0f} s"
    part.want(f"{case}: descriptors more than before", [files_after - files], count, most=0)
    part.want(f"{case}: memory over before", [memory_after / memory], percent, most=1.05)
    return part
