"""The list that the scenarios of the official MCP conformance suite stand in, retold in our own words.

https://github.com/modelcontextprotocol/conformance, src/scenarios/server: what is sent and what is checked there
is sent and checked here, under the same names. Required is what the suite runs by default at a revision; the others
are newer, or still pending there.
"""

from collections.abc import Callable
from dataclasses import dataclass

from mcp_http import STATELESS, Endpoint, Session, Stateless

STATEFUL = "2025-11-25"


@dataclass(frozen=True)
class Scenario:
    name: str
    revision: str
    is_required: bool
    judge: Callable

    @property
    def id(self) -> str:
        return f"{self.revision}-{self.name}"


SCENARIOS: list[Scenario] = []


def scenario(*revisions: str, required: bool = True):
    """The scenario that has the function's name; it is given the endpoint, and the revision where it is for both."""

    def enter(judge: Callable) -> Callable:
        name = judge.__name__.replace("_", "-")
        for revision in revisions:
            bound = judge if len(revisions) == 1 else (lambda endpoint, revision=revision: judge(endpoint, revision))
            SCENARIOS.append(Scenario(name, revision, required, bound))
        return judge

    return enter


def peer(endpoint: Endpoint, revision: str) -> Session | Stateless:
    """A client with all capabilities."""
    return Stateless(endpoint) if revision == STATELESS else Session(endpoint, revision)


def refused(answer, status: int, code: int) -> dict:
    """The error, which must have this status and code."""
    assert (answer.status, answer.error["code"]) == (status, code), f"HTTP {answer.status}: {answer.body}"
    return answer.error
