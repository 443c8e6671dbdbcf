"""Every server scenario of the official MCP conformance suite, as official.py and the files beside it retell them.

The suite itself is a program of npm; these are judges of our own of the same behaviour, one for each scenario.
OFFICIAL_URL names another server to judge, such as http://127.0.0.1:3000/mcp.
"""

import os

import pytest

import official_2025
import official_2026
import official_both
import official_tasks
from conftest import Mock, Server, children_of, free_port
from mcp_http import STATELESS, Endpoint
from official import SCENARIOS, STATEFUL, Scenario

# What the suite requires at each revision; it would not be noticed otherwise if one were lost here.
REQUIRED = {STATEFUL: 30, STATELESS: 37}
MODULES = (official_2025, official_2026, official_both, official_tasks)

failures: dict[str, BaseException | None] = {}


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    if url := os.environ.get("OFFICIAL_URL"):
        yield Endpoint(url)
        return
    folder = tmp_path_factory.mktemp("official")
    with children_of() as start:
        mock = start(Mock, folder)
        server = start(Server, folder, free_port(), folder / "data", ["--conformance-fixtures"], mock.variables)
        yield Endpoint(f"http://127.0.0.1:{server.ready().port}/mcp")


def judge(scenario: Scenario, endpoint: Endpoint) -> BaseException | None:
    """What is wrong, found once."""
    if scenario.id not in failures:
        try:
            scenario.judge(endpoint)
            failures[scenario.id] = None
        except Exception as error:
            failures[scenario.id] = error
    return failures[scenario.id]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.id)
def test_official(scenario: Scenario, endpoint: Endpoint):
    if error := judge(scenario, endpoint):
        raise error


@pytest.mark.parametrize("revision", REQUIRED)
def test_required(revision: str, endpoint: Endpoint, tells):
    """The same ones, counted."""
    required = [scenario for scenario in SCENARIOS if scenario.revision == revision and scenario.is_required]
    others = [scenario for scenario in SCENARIOS if scenario.revision == revision and not scenario.is_required]
    passed, more = ([judge(scenario, endpoint) for scenario in each].count(None) for each in (required, others))
    tells(f"official scenarios {revision}: {passed} of {len(required)}")
    tells(f"official scenarios {revision}, newer or pending: {more} of {len(others)}")
    assert len(required) == REQUIRED[revision]
    assert passed == len(required)
