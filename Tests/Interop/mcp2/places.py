"""A server for the clients of this folder, with the tap between."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from conftest import clean_environment, program
from upstream import Upstream, upstream

# Of this description no model ever makes an answer.
NEVER = "never ends"


@dataclass
class Place:
    """Where a client finds the server: an address, or a command with the environment that it needs."""

    world: Upstream
    url: str | None = None
    command: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)


@pytest.fixture
def world():
    with upstream() as world:
        world.decide = lambda text: None if text.startswith(NEVER) else (200, {})
        yield world


@pytest.fixture
def place(world, serve, tap, tmp_path: Path):
    def begin(transport: str) -> Place:
        if transport == "http":
            return Place(world, url=tap.http(serve(**world.variables)))
        if transport == "ws":
            return Place(world, url=tap.ws(serve(**world.variables)))
        if transport == "bridge":
            command = tap.command(program("omni-server"), "bridge", serve(**world.variables).url)
            return Place(world, command=command, environment=clean_environment())
        environment = clean_environment(OMNI_DATA=str(tmp_path / "data"), **world.variables)
        return Place(world, command=tap.command(program("omni-server"), "--stdio"), environment=environment)

    return begin
