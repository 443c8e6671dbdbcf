"""The transcripts of MCP hold for the server of this kit, over everything that carries messages."""

import pytest

from test_runner import count, results, run

# Fewer than this are played only where most of them were taken for not applicable.
FEWEST = 130


@pytest.mark.parametrize("transport", ["ws", "http", "stdio"])
@pytest.mark.parametrize("profile", ["mcp-2025-11-25", "mcp-2026-07-28"])
def test_the_profile_holds(profile: str, transport: str, tells):
    code, text = run("demo", "--profile", profile, "--transport", transport)
    assert code == 0, text
    assert count(text, "passed") >= FEWEST, text
    assert not results(text, "FAIL")
    # What a server does not declare is not asked for, so a capability that gets lost would pass.
    assert "does not offer" not in text and "does not declare" not in text and "needs MCP" not in text, text
    assert f"requirements of set {profile} that hold" in text
    tells(f"profile {profile} over {transport}: {count(text, 'passed')} cases hold")
