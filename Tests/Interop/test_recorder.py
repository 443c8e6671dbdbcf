"""omni-conformance record and import: what real clients say is recorded, and passes when it is played."""

import asyncio
import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import websockets

from conftest import DEADLINE, HERE, ROOT, Child, Mock, clean_environment, free_port, program, until

CLIENTS = {"bot": HERE / "clients" / "bot.py", "mcp-client": HERE / "clients" / "mcp_client.py"}


def run(*arguments: str, **variables: str) -> tuple[int, str]:
    done = subprocess.run(
        [program("omni-conformance"), *arguments], env=clean_environment(**variables), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False)
    return done.returncode, done.stdout


def record(url: str, client: str, folder: Path, **variables: str) -> str:
    """The transcript of what a client said to the server."""
    file = folder / f"{client}.yaml"
    code, text = run(
        "record", "--target", url, "--suite", client, "--output", str(file),
        "--exec", f"'{sys.executable}' '{CLIENTS[client]}' {{url}}", **variables)
    assert code == 0, text
    return file.read_text()


def folder_of(path: Path) -> Path:
    folder = path / "recorded"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("client", CLIENTS)
def test_a_recorded_session_passes_against_a_new_server(client: str, mock: Mock, serve, tmp_path: Path):
    folder = folder_of(tmp_path)
    record(serve(**mock.variables).url, client, folder)
    other = serve(data=tmp_path / "other", **mock.variables)
    code, text = run("run", "--target", other.url, "--fixtures", str(folder))
    assert code == 0, text
    assert "1 passed, 0 failed" in text


@pytest.mark.parametrize("client", CLIENTS)
def test_a_recorded_session_is_played_to_the_client(client: str, mock: Mock, serve, tmp_path: Path):
    folder = folder_of(tmp_path)
    record(serve(**mock.variables).url, client, folder)
    command = f"'{sys.executable}' '{CLIENTS[client]}' {{url}}"
    code, text = run("client", "--fixtures", str(folder), "--exec", command)
    assert code == 0, text
    assert "1 passed, 0 failed" in text
    # The other client says something else, at the first line.
    other = next(path for name, path in CLIENTS.items() if name != client)
    code, text = run("client", "--fixtures", str(folder), "--exec", f"'{sys.executable}' '{other}' {{url}}")
    assert code == 1, text
    assert f"FAIL  {client}/session-1" in text


def test_a_polling_loop_is_one_step_and_ids_are_captured(mock: Mock, serve, tmp_path: Path):
    text = record(serve(**mock.variables).url, "bot", folder_of(tmp_path))
    assert text.count("- poll: {every: ") == 1 or text.count("- poll:\n") == 1
    assert "{$type: uuid, $as: task}" in text and "{task_id: {$ref: task}}" in text
    assert "$spec: task_not_cancellable" in text and "$spec: parse_error.text" in text
    assert "- method:get_task_status" in text


def test_all_that_the_runner_says_is_recorded_and_passes(serve, start, tmp_path: Path):
    """Everything a client may say, wrong frames and refused handshakes too."""
    url, port, folder = serve().url, free_port(), folder_of(tmp_path)
    file = folder / "all.yaml"
    arguments = ["record", "--target", url, "--listen", str(port), "--output", str(file)]
    recorder = start(Child, [program("omni-conformance"), *arguments], tmp_path)
    recorder.first_line()
    # One at a time, or sessions side by side would be one case; those about limits are megabytes long.
    flags = ["--jobs", "1", "--skip", "limits/*", "--seed", "1"]
    code, text = run("run", "--target", f"ws://127.0.0.1:{port}", *flags)
    assert code == 0, text
    _, direct = run("run", "--target", url, *flags)
    assert re.findall(r"\d+ passed.* not applicable", direct) == re.findall(r"\d+ passed.* not applicable", text)
    assert recorder.wait() == 0
    code, text = run("run", "--target", url, "--fixtures", str(folder))
    assert code == 0, text
    assert int(re.findall(r"(\d+) passed", text)[-1]) > 100


def test_a_wrong_server_does_not_pass(mock: Mock, serve, tmp_path: Path):
    folder = folder_of(tmp_path)
    record(serve(**mock.variables).url, "bot", folder)
    spec = tmp_path / "Spec"
    shutil.copytree(ROOT / "Spec", spec)
    errors = (spec / "errors.yaml").read_text()
    (spec / "errors.yaml").write_text(errors.replace("code: 1002", "code: 1098"))
    wrong = serve("--spec", str(spec), data=tmp_path / "other", **mock.variables)
    code, text = run("run", "--target", wrong.url, "--fixtures", str(folder))
    assert code == 1, text
    assert "- error/code: {$spec: task_not_cancellable}" in text and "+ error/code: 1098" in text


def test_a_token_is_named_and_never_written(mock: Mock, serve, tmp_path: Path):
    folder = folder_of(tmp_path)
    token = "a-token-nobody-may-see"
    url = serve(OMNI_TOKEN=token, **mock.variables).url
    text = record(url, "bot", folder, OMNI_TOKEN=token)
    assert token not in text
    assert '{Authorization: {$join: ["Bearer ", {$secret: OMNI_TOKEN}]}}' in text
    code, played = run("run", "--target", url, "--fixtures", str(folder), OMNI_TOKEN=token)
    assert code == 0, played
    assert token not in played


def test_it_listens_until_it_is_interrupted(mock: Mock, serve, start, tmp_path: Path):
    url = serve(**mock.variables).url
    port, file = free_port(), tmp_path / "session.yaml"
    arguments = ["record", "--target", url, "--listen", str(port), "--output", str(file), "--stay"]
    recorder = start(Child, [program("omni-conformance"), *arguments], tmp_path)
    assert f"recording ws://127.0.0.1:{port} in front of {url}" in recorder.first_line()

    async def ping() -> None:
        async with websockets.connect(f"ws://127.0.0.1:{port}", open_timeout=DEADLINE) as socket:
            await socket.send('{"method": "ping"}')
            assert json.loads(await socket.recv()) == {"result": "pong"}

    asyncio.run(ping())
    asyncio.run(ping())
    recorder.process.send_signal(signal.SIGINT)
    assert recorder.wait() == 0
    assert file.read_text().count("- client: {method: ping}\n  - server: {result: pong}\n") == 2


def test_it_ends_when_the_clients_have_gone(mock: Mock, serve, start, tmp_path: Path):
    url = serve(**mock.variables).url
    port = free_port()
    recorder = start(
        Child, [program("omni-conformance"), "record", "--target", url, "--listen", str(port)], tmp_path)
    until(lambda: "recording" in recorder.err.read_text(), "listening")
    code = subprocess.run(
        [sys.executable, str(CLIENTS["bot"]), f"ws://127.0.0.1:{port}"], env=clean_environment(),
        timeout=60, check=False).returncode
    assert code == 0
    assert recorder.wait() == 0
    assert recorder.out.read_text().startswith("format: 1\nsuite: recorded\n")
