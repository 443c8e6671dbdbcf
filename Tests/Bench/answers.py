"""How many requests are answered, and with how much work: ping, loops, status."""

from contextlib import ExitStack
from statistics import median

import peers
from client import make_tasks
from figures import LOAD_HEADER, Part, load_row, pairs, percent, times
from machine import CORES, LOAD_CORE, SERVER_CORE, WORK, load, progress

OURS, MARK = "omni-server", "plain C"


def interleave(part: Part, options, contenders: dict, cores: list[int], label: str, kinds: dict) -> dict:
    """Every contender in turn, round after round; the samples of each by name."""
    samples = {name: [] for name in contenders}
    for turn in range(options.rounds):
        for name, server in contenders.items():
            progress(f"{part.name}, {label}: round {turn + 1} of {options.rounds}, {name}")
            samples[name].append(load(server, cores, options.seconds, *kinds.get(name, kinds[""])))
    part.rows += [load_row(f"{name}, {label}", found) for name, found in samples.items()]
    part.header = LOAD_HEADER
    part.samples[label] = samples
    return samples


def ping(programs, options) -> Part:
    part = Part("ping")
    found, missing = peers.every()
    with ExitStack() as stack:
        pin = [SERVER_CORE]
        folder = WORK / "runs" / "ping"
        ours = stack.enter_context(programs.server(folder, pin, 1, programs.nobody()))
        mark = peers.Peer(MARK, [peers.compile_c("answerer")], {})
        contenders = {OURS: ours, MARK: stack.enter_context(mark.serve(pin))}
        for peer in found:
            contenders[peer.name] = stack.enter_context(peer.serve(pin))
        for depth, of_mark, of_peer in ((1, 0.85, 1.5), (16, 0.40, 3.0)):
            label = f"{depth} in flight"
            kinds = {"": ["--connections", 64, "--in-flight", depth]}
            samples = interleave(part, options, contenders, [LOAD_CORE], label, kinds)
            compare(part, samples, label, of_mark, of_peer)
    for name, why in missing.items():
        part.skip(name, why)
    return part


def compare(part: Part, samples: dict, label: str, of_mark: float, of_peer: float) -> None:
    ours = samples[OURS]
    part.want(f"{label}: answers of plain C's", pairs(ours, samples[MARK]), percent, least=of_mark)
    work = pairs(samples[MARK], ours, "cpu_us")
    part.want(f"{label}: the same, by processor time an answer", work, percent)
    for variant in reversed(peers.VARIANTS):
        rates = {
            name: median(sample["rate"] for sample in found)
            for name, found in samples.items() if name.endswith(f" {variant}")
        }
        if not rates:
            continue
        best = max(rates, key=rates.get)
        bound = of_peer if variant == "real" else None
        part.want(f"{label}: over the best peer, {best}", pairs(ours, samples[best]), times, least=bound)


def loops(programs, options) -> Part:
    """On two cores that the generator shares, as a small machine would have it."""
    part = Part("loops")
    with ExitStack() as stack:
        contenders = {}
        for number in (1, 2):
            folder = WORK / "runs" / f"loops-{number}"
            server = programs.server(folder, CORES, number, programs.nobody())
            contenders[f"--loops {number}"] = stack.enter_context(server)
        for depth in (1, 16):
            label = f"{depth} in flight"
            kinds = {"": ["--connections", 64, "--in-flight", depth]}
            samples = interleave(part, options, contenders, CORES, label, kinds)
            ratio = pairs(samples["--loops 2"], samples["--loops 1"])
            part.want(f"{label}: two loops over one", ratio, times, least=1.0)
        # Where an answer costs the server more than it costs the generator, a second core is worth something.
        label = "16 in flight, with params"
        kinds = {"": ["--connections", 64, "--in-flight", 16, "--mode", "params"]}
        samples = interleave(part, options, contenders, CORES, label, kinds)
        part.want(f"{label}: two loops over one", pairs(samples["--loops 2"], samples["--loops 1"]), times, least=1.0)
    return part


def status(programs, options) -> Part:
    part = Part("status")
    with ExitStack() as stack:
        folder = WORK / "runs" / "status"
        upstream = stack.enter_context(programs.mock(folder / "mock"))
        server = stack.enter_context(programs.server(folder / "server", [SERVER_CORE], 1, upstream))
        tasks = make_tasks(server.port, 64)
        both = ["--connections", 64, "--in-flight", 16]
        kinds = {"ping": both, "get_task_status": [*both, "--mode", "status", *tasks]}
        contenders = {name: server for name in kinds}
        samples = interleave(part, options, contenders, [LOAD_CORE], "16 in flight", kinds | {"": []})
        ratio = pairs(samples["get_task_status"], samples["ping"])
        part.want("get_task_status of ping's rate", ratio, percent, least=0.5)
    return part
