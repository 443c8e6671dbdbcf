"""omni-conformance client: good clients have nothing to fear, and each broken one trips over a case."""

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from conftest import HERE, ROOT, Child, clean_environment, program, until

# A whole run takes 5 s; a machine under load was seen to need 30 s.
RUN_DEADLINE = 300.0

# What each broken client trips over: the case, the line of its step, and what is said of it.
BROKEN = {
    "asks_forever": ("client-errors/task-not-found", "quiet", "get_task_status was asked again after"),
    "bad_utf8": ("client-answers/create-task", "await-request", "not UTF-8"),
    "floods": ("client-faults/held", "holds", "257 requests wait for their answers, limit 256"),
    "hangs_on_duplicates": ("client-faults/duplicate", "goes-on", "the client hangs"),
    "ignores_errors": ("client-errors/refused-task", "quiet", "get_task_status was asked after"),
    "knows_all_members": ("client-answers/unknown-members", "goes-on", "the client did not end in order"),
    "no_close": ("client-wire/close", "closed", "without a close frame"),
    "no_fragments": ("client-wire/fragments", "goes-on", "the client did not end in order"),
    "no_pong": ("client-wire/ping", "pong", "no pong of the same bytes within"),
    "number_for_text": ("client-answers/ping", "goes-on", "the client hangs"),
    "same_id": ("client-faults/slow", "pong", "another request of this id waits for its answer"),
    "storms": ("client-handshake/unauthorized", "connects", "11 handshakes within 1s, at most 10 are expected"),
    "unmasked": ("client-answers/ping", "await-request", "unmasked frame from a client"),
    "wrong_params": ("client-answers/create-task", "await-request", "do not fit its schema"),
    "wrong_version": ("client-answers/ping", "await-request", 'jsonrpc: "1.0"'),
}


def judge(client: Path, *arguments: str) -> tuple[int, str]:
    return judge_command(f"{sys.executable} {client} {{url}}", *arguments)


def judge_command(command: str, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [program("omni-conformance"), "client", "--exec", command, *arguments],
        cwd=ROOT, env=clean_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=RUN_DEADLINE, check=False)
    return done.returncode, done.stdout


def counts(text: str) -> tuple[int, int]:
    """How many passed and how many were not applicable; nothing else may be there."""
    found = re.search(r"(\d+) passed, 0 failed, 0 set-up errors, (\d+) not applicable", text)
    assert found, text
    return int(found[1]), int(found[2])


def test_a_bare_bot_is_good():
    code, text = judge(HERE / "clients" / "bare_bot.py")
    assert code == 0, text
    # What is only for JSON-RPC and MCP says nothing about it.
    passed, others = counts(text)
    assert passed >= 40 and others <= 20, text


def test_a_json_rpc_bot_is_good():
    code, text = judge(HERE / "clients" / "jsonrpc_bot.py")
    assert code == 0, text
    passed, others = counts(text)
    # What is for MCP, and for another transport.
    assert passed >= 50 and others <= 7, text


def test_the_mcp_client_is_good():
    """It takes a second to start, so it meets a choice of the cases."""
    choice = ["client-mcp/*", "client-answers/*task", "client-errors/task-not-found", "client-faults/*id*"]
    code, text = judge(
        HERE / "clients" / "mcp_bot.py", *(word for case in choice for word in ("--run", case)), "--verbose")
    assert code == 0, text
    passed, others = counts(text)
    # One case is of Streamable HTTP.
    assert passed >= 10 and others == 1, text
    # Known of it: it takes "0" for 0, which is no more than a remark.
    assert re.search(r"^NOTE +client-faults/id-of-another-type ", text, re.MULTILINE), text


def test_the_runner_itself_is_a_good_client():
    """Cases that play both ways, between the two sides of one program: the command of the docs."""
    code, text = judge_command(
        f"{program('omni-conformance')} run --target {{url}} --run {{case}}", "--profile", "reference")
    assert code == 0 and counts(text)[0] >= 90, text


def test_the_case_in_the_docs_can_be_played(tmp_path):
    text = (ROOT / "docs" / "judging-clients.md").read_text()
    (tmp_path / "client").mkdir()
    (tmp_path / "client" / "case.yaml").write_text(re.search(r"^```yaml\n(.*?)^```$", text, re.M | re.S)[1])
    code, text = judge(HERE / "clients" / "jsonrpc_bot.py", "--fixtures", str(tmp_path))
    assert code == 0 and counts(text) == (1, 0), text


def test_each_broken_client_trips_over_its_case(tells):
    folder = HERE / "broken_clients"
    assert {file.stem for file in folder.glob("*.py")} - {"wire"} == set(BROKEN)

    def trips(name: str) -> str | None:
        case, step, message = BROKEN[name]
        code, text = judge(folder / f"{name}.py", "--run", case)
        place = re.search(r"^      line (\d+): ", text, re.MULTILINE)
        file = re.search(rf"^FAIL +{case} +(Fixtures/client/\S+):\d+", text, re.MULTILINE)
        if code != 1 or message not in text or not place or not file:
            return f"{name}: exit code {code}\n{text}"
        line = (ROOT / file[1]).read_text().splitlines()[int(place[1]) - 1]
        return None if line.startswith(f"  - {step}: ") else f"{name}: {file[1]}:{place[1]} is {line}"

    # Most of the time they hang.
    with ThreadPoolExecutor(8) as pool:
        problems = [problem for problem in pool.map(trips, BROKEN) if problem]
    assert not problems, "\n".join(problems)
    tells(f"broken clients: {len(BROKEN)} caught, 0 missed")


def test_a_client_that_comes_by_itself(start, tmp_path: Path):
    """It connects again and again, as a service does, and no process is started for it."""
    output = tmp_path / "results.json"
    child = start(
        Child,
        [program("omni-conformance"), "client", "--port", "0", "--run", "client-answers/ping", "--run",
         "client-wire/close", "--output", str(output)], tmp_path)
    child.first_line()
    url = re.search(r"ws://\S+", until_line(child, "waiting for a client"))[0]
    for _ in range(2):
        subprocess.run([sys.executable, HERE / "clients" / "bare_bot.py", url], timeout=60, check=False)
    assert child.wait() == 0, child.out.read_text()
    verdicts = {case["id"]: case["verdict"] for case in json.loads(output.read_text())["cases"]}
    assert verdicts == {"client-answers/ping": "pass", "client-wire/close": "pass"}


def until_line(child: Child, opening: str) -> str:
    return until(
        lambda: next((line for line in child.out.read_text().splitlines() if line.startswith(opening)), None),
        f"a line that begins with {opening}")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--exec", "exit 7"), 3, "ended with exit code 7 and had not connected"),
        (("--port", "0", "--within", "50ms"), 3, "no client has connected within 50ms"),
        ((), 2, "which client is to be checked?"),
        (("--exec", "true", "--port", "0"), 2, "--exec excludes --client-file and --port"),
        (("--exec", "true", "--run", "ping/bare-pong"), 4, "nothing selected"),
    ],
    ids=["ends", "never-comes", "which", "both", "nothing"],
)
def test_exit_codes(arguments: tuple[str, ...], code: int, message: str):
    done = subprocess.run(
        [program("omni-conformance"), "client", *arguments], env=clean_environment(), text=True, timeout=60,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == code, done.stdout
    assert message in done.stdout
