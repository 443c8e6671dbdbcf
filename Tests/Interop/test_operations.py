"""What an operator has: the figures, the log, the check of a configuration, and the files of deploy/."""

import json
import os
import plistlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import connect

from conftest import DEADLINE, HANG, ROOT, Mock, clean_environment, free_port, http, program, until

SPEC = {row["name"]: row for row in yaml.safe_load((ROOT / "Spec" / "metrics.yaml").read_text())["metrics"]}
DEPLOY = ROOT / "deploy"


class Figures:
    """One reading of /metrics."""

    def __init__(self, server, token: str | None = None) -> None:
        request = urllib.request.Request(f"http://127.0.0.1:{server.port}/metrics")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=DEADLINE) as response:
            self.type = response.headers["Content-Type"]
            self.text = response.read().decode()
        self.families = {family.name: family for family in text_string_to_metric_families(self.text)}
        self.samples = [sample for family in self.families.values() for sample in family.samples]

    def value(self, name: str, **labels: str) -> float:
        """The sum of the series that have these labels."""
        return sum(
            sample.value for sample in self.samples
            if sample.name == name and labels.items() <= sample.labels.items())


def ask(connection, number: int | str, method: str, **params) -> dict:
    connection.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))
    answer = json.loads(connection.recv(timeout=DEADLINE))
    assert answer["id"] == number
    return answer


def lines(server) -> list[dict]:
    return [json.loads(line) for line in server.err.read_text().split("\n")[:-1]]


# Figures


def test_what_is_told_is_what_the_specification_says(mock: Mock, serve):
    server = serve(**mock.variables)
    figures = Figures(server)
    assert figures.type.startswith("text/plain; version=0.0.4")
    assert {re.sub("_total$", "", name) for name in SPEC} == set(figures.families)
    for name, row in SPEC.items():
        family = figures.families[re.sub("_total$", "", name)]
        assert (family.type, family.documentation) == (row["type"], row["help"])
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(row.get("labels", [])), sample


def test_requests_and_tasks_are_counted(mock: Mock, serve):
    server = serve(**mock.variables)
    with connect(server.url, open_timeout=DEADLINE) as connection:
        for _ in range(7):
            connection.send('{"method": "ping"}')
            assert json.loads(connection.recv(timeout=DEADLINE)) == {"result": "pong"}
        for number in range(3):
            ask(connection, number, "ping")
        ids = [
            ask(connection, number, "create_task", description=f"task {number}")["result"]["task_id"]
            for number in range(4)]
        ask(connection, 1, "get_task_status", task_id=ids[0])
        ask(connection, 2, "get_task_status", task_id="no such task")
        connection.send("{")
        connection.recv(timeout=DEADLINE)
        connection.send('{"jsonrpc": "2.0", "id": 9, "method": "no_such_method_' + "x" * 1000 + '"}')
        connection.recv(timeout=DEADLINE)
        figures = Figures(server)
        count = lambda **labels: figures.value("omni_requests_total", **labels)
        assert count(method="ping", dialect="bare", outcome="ok") == 7
        assert count(method="ping", dialect="jsonrpc", outcome="ok") == 3
        assert count(method="create_task", outcome="ok") == 4
        assert count(method="get_task_status", outcome="ok") == 1
        assert count(method="get_task_status", outcome="task_not_found") == 1
        assert count(method="none", outcome="parse_error") == 1
        assert count(method="none", outcome="method_not_found") == 1
        assert "no_such_method" not in figures.text
        assert figures.value("omni_request_seconds_count", method="create_task") == 4
        assert figures.value("omni_connections_open", transport="websocket") == 1
        assert figures.value("omni_tasks", state="completed") == 4
        assert figures.value("omni_tasks_ended_total", state="completed") == 4
        assert figures.value("omni_task_seconds_count", state="completed") == 4
        assert figures.value("omni_upstream_calls_total", upstream="litellm", outcome="ok") >= 4
        assert figures.value("omni_store_commit_seconds_count") >= 8
        assert figures.value("omni_store_bytes", file="database") > 0
        assert figures.value("omni_system_state", state="normal") == 1
        assert figures.value("process_resident_memory_bytes") > 1e6
    until(lambda: Figures(server).value("omni_connections_open", transport="websocket") == 0, "the end being counted")
    assert Figures(server).value("omni_websocket_closes_total", code="1000") == 1


def test_an_outage_is_counted(mock: Mock, serve):
    server = serve(**mock.variables)
    mock.arm(litellm=[{"status": 500}])
    with connect(server.url, open_timeout=DEADLINE) as connection:
        assert ask(connection, 1, "create_task", description="x")["result"]["status"] == "completed"
    figures = Figures(server)
    assert figures.value("omni_system_state", state="degraded") == 1
    assert figures.value("omni_system_state", state="normal") == 0
    assert figures.value("omni_system_changes_total", state="degraded") == 1
    assert figures.value("omni_upstream_calls_total", upstream="litellm", outcome="ok") <= 1  # the probe of the start
    assert figures.value("omni_upstream_calls_total", upstream="litellm") >= 2
    assert figures.value("omni_upstream_calls_total", upstream="cloud", outcome="ok") >= 1
    assert figures.value("omni_upstream_healthy", upstream="litellm") == 0


def test_refusals_are_counted_and_the_token_is_needed(mock: Mock, serve):
    server = serve(**mock.variables, OMNI_TOKEN="token-of-the-figures")
    with pytest.raises(urllib.error.HTTPError) as refused:
        Figures(server)
    assert refused.value.code == 401
    with socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE) as stranger:
        stranger.sendall(b"BROKEN\r\n\r\n")
        assert b" 400 " in stranger.recv(1000)
    figures = Figures(server, "token-of-the-figures")
    assert figures.value("omni_refusals_total", status="401") == 1
    assert figures.value("omni_refusals_total", status="400") == 1
    assert not [key for key in ("token-of-the-figures", "sk-test", "backup-test") if key in figures.text]


# The log


def test_the_way_of_a_task_can_be_followed(mock: Mock, serve):
    server = serve(**mock.variables, OMNI_LOG_LEVEL="debug")
    with connect(server.url, open_timeout=DEADLINE) as connection:
        hostile = 'seven\n{"level":"error","msg":"forged"}\x1b[31m\u2028'
        made = ask(connection, hostile, "create_task", description="x")["result"]
        mock.arm(litellm=[{"status": 400, "times": 1}])
        failed = ask(connection, 8, "create_task", description="y")["result"]

    def told(task: str) -> list[str]:
        return [line["msg"] for line in lines(server) if line.get("task_id") == task]

    until(lambda: "request" in told(failed["task_id"]), "the line of the request")
    assert told(made["task_id"]) == ["task dispatched", "task completed", "request"]
    assert told(failed["task_id"]) == ["task dispatched", "attempt failed", "task failed", "request"]
    [line] = [line for line in lines(server) if line.get("request") == hostile]
    assert (line["method"], line["outcome"]) == ("create_task", "ok")
    [opened] = [line for line in lines(server) if line["msg"] == "opened"]
    assert opened["connection"] == line["connection"]
    assert "forged" not in [line["msg"] for line in lines(server)]
    # Nothing ends a line, or colours or turns round a terminal.
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", server.err.read_text())


def test_at_the_usual_level_requests_are_not_told(mock: Mock, serve):
    server = serve(**mock.variables)
    with connect(server.url, open_timeout=DEADLINE) as connection:
        ask(connection, 1, "create_task", description="x")
    assert not [line for line in lines(server) if line["msg"] in ("request", "task completed", "opened")]


# check-config


def check(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [program("omni-server"), "check-config", *arguments], cwd=folder, capture_output=True, text=True,
        timeout=60, env=clean_environment(**variables))


def test_what_a_configuration_comes_to(tmp_path: Path):
    (tmp_path / "config.yaml").write_text(
        'lite_llm_url: "http://127.0.0.1:4000"\nserver:\n  host: 0.0.0.0\n'
        'mcp_servers:\n  openclaw:\n    url: "ws://127.0.0.1:18789"\n  claude_code:\n    url: stdio\n')
    ended = check(tmp_path, GITHUB_LITELLM_KEY="sk-never-shown", OMNI_PORT="19999")
    assert ended.returncode == 0, ended.stderr
    rows = {line.split()[0]: line.split()[1:] for line in ended.stdout.splitlines() if "  " in line}
    assert rows["server.host"] == ["0.0.0.0", "config.yaml:3:9"]
    assert rows["server.port"] == ["19999", "OMNI_PORT"]
    assert rows["github_key"] == ["(set)", "GITHUB_LITELLM_KEY"]
    assert rows["brainstem.url"][-1] == "default"
    assert rows["mcp_servers.openclaw.url"] == ["ws://127.0.0.1:18789", "config.yaml:6:10"]
    warnings = [line for line in ended.stdout.splitlines() if line.startswith("warning: ")]
    assert ["OMNI_TOKEN" in warnings[0], "LITELLM_API_KEY" in warnings[1], "claude_code" in warnings[2]] == [True] * 3
    assert "sk-never-shown" not in ended.stdout + ended.stderr
    assert ended.stdout.splitlines()[-1] == "the configuration is valid, with 3 warnings"


def test_a_configuration_that_is_wrong(tmp_path: Path):
    (tmp_path / "config.yaml").write_text("server:\n  prot: 1\n")
    ended = check(tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("omni-server: config.yaml:2:3: unknown key") and '"port"' in ended.stderr


def test_a_configuration_is_tried(mock: Mock, tmp_path: Path):
    ended = check(tmp_path, "--connect", **mock.variables)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert len([line for line in ended.stdout.splitlines() if line.endswith("  answers")]) == 3
    ended = check(tmp_path, "--connect", **mock.variables | {"LITELLM_URL": f"http://127.0.0.1:{free_port()}"})
    assert (ended.returncode, ended.stderr) == (1, "omni-server: not there: lite_llm_url\n")


# The drain


def test_a_drain_under_load_loses_nothing(mock: Mock, serve, tmp_path: Path):
    server = serve(**mock.variables)
    mock.arm(litellm=[HANG | {"times": 1}])
    answered: list[str] = []
    ends: list[object] = []

    def create(name: int) -> None:
        try:
            with connect(server.url, open_timeout=DEADLINE) as connection:
                for number in range(100_000):
                    answer = ask(connection, number, "create_task", description=f"{name}/{number}", wait=False)
                    if "error" in answer:
                        ends.append(answer["error"]["message"])
                        connection.recv(timeout=DEADLINE)
                    answered.append(answer["result"]["task_id"])
        except Exception as end:  # noqa: BLE001  whatever ends it, it has ended
            ends.append(getattr(getattr(end, "rcvd", None), "code", end))

    clients = [threading.Thread(target=create, args=(name,)) for name in range(4)]
    for client in clients:
        client.start()
    until(lambda: len(answered) > 200, "tasks being created")
    server.process.send_signal(signal.SIGTERM)
    until(lambda: "Server is shutting down" in ends, "the refusal of new work")
    assert http(f"http://127.0.0.1:{server.port}/readyz")[0] == 503
    assert http(f"http://127.0.0.1:{server.port}/healthz")[0] == 200
    assert server.wait() == 0
    for client in clients:
        client.join(DEADLINE)
    assert ends.count("Server is shutting down") == 4 and ends.count(1001) == 4, ends
    again = serve(**mock.variables)
    with connect(again.url, open_timeout=DEADLINE) as connection:
        for number, task in enumerate(answered):
            assert ask(connection, number, "get_task_status", task_id=task)["result"]["task_id"] == task


# deploy/


def used(expression: str) -> list[tuple[str, set[str]]]:
    """The series of an expression, with the labels that it asks for."""
    found = re.findall(r"\b((?:omni|process)_\w+)(?:\{([^}]*)\})?", expression)
    return [(name, set(re.findall(r'(\w+)\s*(?:=|!=|=~|!~)\s*"', labels))) for name, labels in found]


def base(name: str) -> str:
    return name if name in SPEC else re.sub("_(bucket|sum|count)$", "", name)


def assert_known(expressions: list[str]) -> int:
    count = 0
    for expression in expressions:
        for name, labels in used(expression):
            row = SPEC[base(name)]
            assert (name != base(name)) == (row["type"] == "histogram"), expression
            assert labels - {"job", "le"} <= set(row.get("labels", [])), expression
            count += 1
        for labels in re.findall(r"\bby \(([^)]*)\)", expression):
            known = {label for name, _ in used(expression) for label in SPEC[base(name)].get("labels", [])}
            assert {label.strip() for label in labels.split(",")} - {"le"} <= known, expression
    return count


def test_the_alert_rules_ask_for_series_that_are_there():
    [group] = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())["groups"]
    assert assert_known([rule["expr"] for rule in group["rules"]]) >= 10
    for rule in group["rules"]:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert {"summary", "action"} <= set(rule["annotations"])
    scrape = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text())
    assert scrape["scrape_configs"][0]["job_name"] == "omni-orchestrator"


# How long something is so, and the alerts that follow.
ALERTS = [
    ('omni_system_state{job="omni-orchestrator",state="degraded"}', "1x15", "5m", []),
    ('omni_system_state{job="omni-orchestrator",state="degraded"}', "1x15", "11m", ["OmniDegraded"]),
    ('omni_system_state{job="omni-orchestrator",state="brainstem"}', "1x15", "2m", ["OmniBrainstem"]),
    ('up{job="omni-orchestrator"}', "0x15", "3m", ["OmniDown"]),
    ('omni_store_failures_total{job="omni-orchestrator"}', "0+1x15", "3m", ["OmniStoreFails"]),
    ('omni_upstream_calls_total{upstream="litellm",outcome="timeout"}', "0+9x30", "25m", ["OmniUpstreamFails"]),
    ('omni_upstream_calls_total{upstream="litellm",outcome="ok"}', "0+9x30", "25m", []),
]


def test_prometheus_takes_the_alert_rules_and_they_fire(tmp_path: Path):
    tool = shutil.which("promtool", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if tool is None:
        pytest.skip("promtool cannot be had here")
    rules = DEPLOY / "prometheus" / "alerts.yaml"
    names = [rule["alert"] for rule in yaml.safe_load(rules.read_text())["groups"][0]["rules"]]
    tests = [
        {
            "interval": "1m", "input_series": [{"series": series, "values": values}],
            "alert_rule_test": [{"eval_time": at, "alertname": name, "exp_alerts": []} for name in names
                                if name not in expected],
        } for series, values, at, expected in ALERTS]
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump({"rule_files": [str(rules)], "tests": tests}))
    quiet = subprocess.run([tool, "test", "rules", tmp_path / "tests.yaml"], capture_output=True, text=True, timeout=60)
    assert quiet.returncode == 0, quiet.stdout + quiet.stderr
    for series, values, at, expected in ALERTS:
        for name in expected:
            test = {
                "interval": "1m", "input_series": [{"series": series, "values": values}],
                "alert_rule_test": [{"eval_time": at, "alertname": name, "exp_alerts": []}]}
            (tmp_path / "tests.yaml").write_text(yaml.safe_dump({"rule_files": [str(rules)], "tests": [test]}))
            fires = subprocess.run(
                [tool, "test", "rules", tmp_path / "tests.yaml"], capture_output=True, text=True, timeout=60)
            assert fires.returncode == 1 and f"alertname: {name}" in fires.stdout + fires.stderr, fires.stderr


def test_the_grafana_dashboard_shows_every_series():
    board = json.loads((DEPLOY / "grafana" / "omni.json").read_text())
    expressions = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    assert_known(expressions)
    shown = {base(name) for expression in expressions for name, _ in used(expression)}
    assert set(SPEC) - shown == {"omni_build_info", "omni_connections_total"}
    places = [panel["gridPos"] for panel in board["panels"]]
    cells = [(x, y) for p in places for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])]
    assert len(cells) == len(set(cells)), "panels lie upon each other"


def test_the_unit_of_systemd(tmp_path: Path):
    unit = (DEPLOY / "systemd" / "omni-server.service").read_text()
    drain = int(re.search(r"name: drain_time, value: (\d+)s", (ROOT / "Spec" / "limits.yaml").read_text()).group(1))
    assert int(re.search(r"^TimeoutStopSec=(\d+)s$", unit, re.MULTILINE).group(1)) > drain
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    # The programs are where they were built.
    here = tmp_path / "omni-server.service"
    here.write_text(unit.replace("/usr/local/bin/omni-server", program("omni-server")))
    ended = subprocess.run([analyze, "verify", here], capture_output=True, text=True, timeout=60)
    about_us = [line for line in (ended.stdout + ended.stderr).splitlines() if "omni-server" in line]
    assert (ended.returncode, about_us) == (0, []), ended.stderr


def test_the_property_list_of_launchd():
    [path] = (DEPLOY / "launchd").glob("*.plist")
    job = plistlib.loads(path.read_bytes())
    assert f"{job['Label']}.plist" == path.name
    assert job["ProgramArguments"][1:] == ["--config", "/usr/local/etc/omni-orchestrator/config.yaml"]
    assert job["KeepAlive"] == {"SuccessfulExit": False} and job["ExitTimeOut"] > 10 and job["Umask"] == 0o77
