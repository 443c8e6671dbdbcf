"""The files that a new deployment begins with: config.yaml.example, .env.example, and what docs/deploy.md shows."""

import json
import re
import subprocess
from pathlib import Path

import yaml

from conftest import ROOT, clean_environment, program

CONFIG = (ROOT / "config.yaml.example").read_text()
# A line that is switched off is a key behind "# "; prose begins otherwise.
SWITCHED_OFF = re.compile(r"^( *)# ( *[a-z_]+:(?: .*)?)$", re.MULTILINE)
KEYS = yaml.safe_load((ROOT / "Spec" / "configuration.yaml").read_text())["keys"]
VARIABLES = {"LITELLM_API_KEY": "sk-a", "GITHUB_LITELLM_KEY": "sk-b", "OMNI_TOKEN": "c"}
# What compose itself does with its file, and the server never sees.
OF_COMPOSE = {"OMNI_PUBLISH", "OMNI_MEMORY", "OMNI_CPUS"}


def check_config(folder: Path, text: str, **variables: str) -> list[list[str]]:
    """Key, value and origin, as the server reads the file."""
    (folder / "config.yaml").write_text(text)
    ended = subprocess.run(
        [program("omni-server"), "check-config"], cwd=folder, capture_output=True, text=True, timeout=60,
        env=clean_environment(**variables))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "\nthe configuration is valid" in ended.stdout
    rows = [re.split(r" {2,}", line.strip()) for line in ended.stdout.splitlines()]
    return [row for row in rows if len(row) > 1]


def test_the_example_is_what_the_server_does_anyway(tmp_path: Path):
    shown = {row[0]: row for row in check_config(tmp_path, CONFIG)}
    defaults = {row[0]: row for row in check_config(tmp_path, "{}")}
    for key in (entry["key"] for entry in KEYS):
        assert shown.get(key, [])[:2] == defaults.get(key, [])[:2], key
    assert sum("config.yaml" in row[-1] for row in shown.values()) > 20


def test_all_that_is_switched_off_in_it_can_be_switched_on(tmp_path: Path):
    text, number = SWITCHED_OFF.subn(r"\1\2", CONFIG)
    assert number > 12
    rows = {row[0]: row for row in check_config(tmp_path, text, **VARIABLES)}
    assert rows["mcp_servers.claude_code.fallback"][1] == "wait"
    # Nothing that the server knows is missing, but for what few need.
    rare = {"calls.seed", "logging.format", "logging.file"}
    stars = re.compile(r"^mcp_servers\.\w+\.")
    given = {stars.sub("mcp_servers.*.", row[0]) for row in rows.values() if "config.yaml" in row[-1]}
    given |= {key for key in ("lite_llm_key", "github_key", "server.token") if rows[key][1] == "(set)"}
    executors = {entry["key"] for entry in KEYS if entry["key"].startswith("mcp_servers.")}
    assert {entry["key"] for entry in KEYS} - given - rare - executors == set()


def compose_variables(text: str) -> set[str]:
    """Those it replaces, and those without a value, which it passes on."""
    found = set(re.findall(r"\$\{(\w+)", text))
    for service in yaml.safe_load(text)["services"].values():
        environment = service.get("environment") or {}
        found |= {name for name, value in environment.items() if value is None}
    return found


def test_the_variables_are_those_of_the_compose_file():
    compose = compose_variables((ROOT / "docker-compose.yml").read_text())
    example = re.findall(r"^(?:# )?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert sorted(example) == sorted(compose), "each once"
    known = {name for entry in KEYS for name in entry.get("env", [])}
    assert set(example) - OF_COMPOSE <= known


def test_no_secret_stands_in_the_example():
    for line in (ROOT / ".env.example").read_text().splitlines():
        if re.match(r"[A-Z_]+(KEY|TOKEN)=", line):
            assert line.endswith("="), line


def test_the_policy_of_the_tailnet_can_be_read():
    text = (ROOT / "docs" / "deploy.md").read_text()
    [policy] = re.findall(r"^```jsonc\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    # HuJSON: comments, and commas at the end.
    plain = re.sub(r",(\s*[\]}])", r"\1", re.sub(r"^\s*//.*$", "", policy, flags=re.MULTILINE))
    assert {"grants", "tagOwners"} <= set(json.loads(plain))
