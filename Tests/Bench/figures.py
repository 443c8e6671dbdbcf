"""Samples become figures, and figures become tables."""

from dataclasses import dataclass, field
from statistics import median


@dataclass
class Line:
    """One thing that is wanted; `holds` is None where nothing is, or where it was not measured."""

    what: str
    wanted: str
    got: str
    holds: bool | None = None


@dataclass
class Part:
    name: str
    lines: list[Line] = field(default_factory=list)
    header: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    samples: dict = field(default_factory=dict)

    def want(self, what: str, values: list[float], show, *, least=None, most=None) -> None:
        """The median of the rounds is held against a bound."""
        middle = median(values)
        wanted = f"≥ {show(least)}" if least is not None else f"≤ {show(most)}" if most is not None else "–"
        holds = None
        if least is not None or most is not None:
            holds = (least is None or middle >= least) and (most is None or middle <= most)
        self.lines.append(Line(what, wanted, spread(values, show), holds))

    def skip(self, what: str, why: str) -> None:
        self.lines.append(Line(what, "–", f"skipped: {why}"))


def percent(value: float) -> str:
    return f"{value * 100:.0f} %"


def times(value: float) -> str:
    return f"{value:.2f}×"


def count(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ")


def milliseconds(value: float) -> str:
    return f"{value:.2f} ms" if value < 10 else f"{value:.1f} ms"


def spread(values: list[float], show=count) -> str:
    """The median, with the smallest and the largest."""
    if len(values) == 1:
        return show(values[0])
    return f"{show(median(values))} ({show(min(values))} … {show(max(values))})"


def pairs(ours: list[dict], theirs: list[dict], key: str = "rate") -> list[float]:
    """Ratios round by round: what disturbs a round disturbs both."""
    return [a[key] / b[key] if b[key] else float("inf") for a, b in zip(ours, theirs)]


LOAD_HEADER = ["", "answers/s", "p50", "p99", "p99.9", "CPU µs/answer", "server", "generator", "others"]


def load_row(name: str, samples: list[dict]) -> list[str]:
    def middle(key: str) -> float:
        return median(sample[key] for sample in samples)

    waits = [milliseconds(middle(key) / 1000) for key in ("p50_us", "p99_us", "p999_us")]
    rates = spread([sample["rate"] for sample in samples])
    loads = [percent(middle(key)) for key in ("server_load", "load", "others")]
    return [name, rates, *waits, f"{middle('cpu_us'):.2f}", *loads]


def table(header: list[str], rows: list[list[str]], markdown: bool) -> str:
    if markdown:
        lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
        return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])
    widths = [max(len(cell) for cell in column) for column in zip(header, *rows)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in [header, *rows])


def text(part: Part, markdown: bool) -> str:
    words = {True: "yes", False: "NO", None: "–"}
    blocks = [f"### {part.name}" if markdown else f"== {part.name}"]
    if part.rows:
        blocks.append(table(part.header, part.rows, markdown))
    rows = [[line.what, line.wanted, line.got, words[line.holds]] for line in part.lines]
    blocks.append(table(["", "wanted", "got", "holds"], rows, markdown))
    return "\n\n".join(blocks) + "\n"
