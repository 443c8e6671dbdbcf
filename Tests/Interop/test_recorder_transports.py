"""omni-conformance record over WebSocket, Streamable HTTP and stdio: what the Python SDK of MCP says to its own
server is recorded, and passes from both sides over the same transport."""

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import HERE, Child, Mock, clean_environment, free_port, program, until

TRANSPORTS = ["ws", "http", "stdio"]
SERVER = [sys.executable, str(HERE / "mcp1_server.py")]
SESSION = [sys.executable, str(HERE / "clients" / "mcp1_session.py")]
BOT = [sys.executable, str(HERE / "clients" / "mcp_bot.py")]
# Importing the SDK takes a second; a machine under load was seen to need 20 s for a session.
PATIENCE = 120


def shell(words: list[str], *more: str) -> str:
    """Words for the shell; what is in braces the runner fills in."""
    return " ".join([*(f"'{word}'" for word in words), *more])


def run(*arguments: str, **variables: str) -> tuple[int, str]:
    done = subprocess.run(
        [program("omni-conformance"), *arguments], env=clean_environment(**variables), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE, check=False)
    return done.returncode, done.stdout


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def sdk(start, tmp_path: Path):
    """Starts the server of the SDK and gives its address."""

    def begin(transport: str) -> str:
        port = free_port()
        server = start(Child, [*SERVER, transport, str(port)], tmp_path)
        until(lambda: listens(port) or server.process.poll() is not None, "the server of the SDK", PATIENCE)
        return f"http://127.0.0.1:{port}/mcp" if transport == "http" else f"ws://127.0.0.1:{port}"

    return begin


def recorded(transport: str, url: str | None, folder: Path, session: list[str] = SESSION, **variables: str) -> str:
    """The transcript of a session, in a folder of its own."""
    folder.mkdir(exist_ok=True)
    file = folder / "session.yaml"
    arguments = ["record", "--suite", "sdk", "--output", str(file)]
    if transport == "stdio":
        # The client starts the recorder, and that the server.
        recorder = [program("omni-conformance"), *arguments, "--exec", shell(SERVER, "stdio")]
        done = subprocess.run(
            [*session, "stdio", *recorder], env=clean_environment(**variables), capture_output=True, text=True,
            timeout=PATIENCE, check=False)
        assert done.returncode == 0, done.stderr
        until(lambda: file.exists() and file.read_text().endswith("\n"), "the transcript")
    else:
        code, text = run(
            *arguments, "--target", url, "--exec", shell(session, transport, "{url}"), **variables)
        assert code == 0, text
    return file.read_text()


def target(transport: str, url: str | None) -> list[str]:
    return ["--exec", shell(SERVER, "stdio")] if transport == "stdio" else ["--target", url]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_session_passes_from_both_sides(transport: str, sdk, tmp_path: Path):
    url = None if transport == "stdio" else sdk(transport)
    folder = tmp_path / "recorded"
    text = recorded(transport, url, folder)
    # Over HTTP and stdio it says what it is for; what both sides say is the same for all of them.
    if transport == "ws":
        assert "dialect: jsonrpc\n" in text and "transports" not in text
    else:
        assert "dialect: mcp-2025-11-25\n" in text and f"  transports: [{transport}]\n  begin: none\n" in text
    assert "method: sampling/createMessage" in text and "notifications/progress" in text
    assert text.count("- client:") == 10 and "{$type: id, $as: id1, $say: 0}" in text

    code, said = run("run", *target(transport, url), "--fixtures", str(folder))
    assert code == 0 and "1 passed, 0 failed" in said, said

    place = "{command}" if transport == "stdio" else "{url}"
    played = ["client", "--transport", transport, "--fixtures", str(folder), "--exec"]
    code, said = run(*played, shell(SESSION, transport, place))
    assert code == 0 and "1 passed, 0 failed" in said, said
    # Another client says something else.
    code, said = run(*played, shell(BOT, place))
    assert code == 1 and "FAIL  sdk/session-1" in said, said


@pytest.mark.parametrize("transport", ["http", "stdio"])
def test_a_session_with_this_server_passes_from_both_sides(transport: str, mock: Mock, serve, tmp_path: Path):
    """Ids of tasks, texts of models and polls are of the moment over every transport."""
    folder, file = tmp_path / "recorded", tmp_path / "recorded" / "session.yaml"
    folder.mkdir()
    client = [sys.executable, str(HERE / "clients" / "mcp_client.py")]
    record = ["record", "--suite", "own", "--output", str(file)]
    # Each process has data of its own.
    own = {**mock.variables, "OMNI_DATA": str(tmp_path / "first")}
    command = [program("omni-server"), "--stdio"]
    if transport == "http":
        target = ["--target", serve(**mock.variables).url.replace("ws:", "http:") + "/mcp"]
        code, said = run(*record, *target, "--exec", shell(client, "{url}"))
        assert code == 0, said
    else:
        target = ["--exec", shell(command)]
        done = subprocess.run(
            [*client, program("omni-conformance"), *record, *target], env=clean_environment(**own),
            capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert done.returncode == 0, done.stderr
        until(lambda: file.exists() and file.read_text().endswith("\n"), "the transcript")
    text = file.read_text()
    assert "{$type: uuid, $as: task}" in text and "- method:get_task_status" in text

    code, said = run("run", *target, "--fixtures", str(folder), **own | {"OMNI_DATA": str(tmp_path / "other")})
    assert code == 0 and "1 passed, 0 failed" in said, said
    place = "{command}" if transport == "stdio" else "{url}"
    code, said = run("client", "--transport", transport, "--fixtures", str(folder), "--exec", shell(client, place))
    assert code == 0 and "1 passed, 0 failed" in said, said


@pytest.mark.parametrize("transport", ["http", "stdio"])
def test_a_wrong_server_does_not_pass(transport: str, sdk, tmp_path: Path):
    url = None if transport == "stdio" else sdk(transport)
    folder = tmp_path / "recorded"
    text = recorded(transport, url, folder)
    (folder / "session.yaml").write_text(text.replace("structuredContent: {result: 5}", "structuredContent: {result: 6}"))
    code, said = run("run", *target(transport, url), "--fixtures", str(folder))
    assert code == 1 and "- result/structuredContent/result: 6" in said, said


def test_a_transcript_is_not_for_another_transport(sdk, tmp_path: Path):
    folder = tmp_path / "recorded"
    recorded("http", sdk("http"), folder)
    code, said = run("run", *target("stdio", None), "--fixtures", str(folder))
    assert code == 4 and "needs Streamable HTTP, and the target is spoken with over stdio" in said, said
    code, said = run("client", "--fixtures", str(folder), "--exec", shell(SESSION, "ws", "{url}"))
    assert code == 4 and "is of Streamable HTTP, and the client speaks over WebSocket" in said, said


def test_no_token_is_written(sdk, tmp_path: Path):
    """What authorizes a client over HTTP passes, and stays out of the transcript."""
    token = "a-token-nobody-may-see"
    client = tmp_path / "client.py"
    client.write_text(
        "import anyio, sys, warnings\n"
        "from mcp import ClientSession\n"
        "from mcp.client.streamable_http import streamablehttp_client\n"
        "warnings.simplefilter('ignore')\n"
        "async def main():\n"
        f"    headers = {{'Authorization': 'Bearer {token}'}}\n"
        "    async with streamablehttp_client(sys.argv[2], headers=headers) as (reader, writer, _):\n"
        "        async with ClientSession(reader, writer) as session:\n"
        "            await session.initialize()\n"
        f"            await session.call_tool('ask', {{'question': '{token}'}})\n"
        "anyio.run(main)\n")
    text = recorded("http", sdk("http"), tmp_path / "named", [sys.executable, str(client)], SDK_TOKEN=token)
    assert token not in text and "Bearer" not in text
    assert "question: {$secret: SDK_TOKEN}" in text
    assert not re.search("session.id", text, re.IGNORECASE)


def test_a_key_without_a_name_is_refused(sdk, tmp_path: Path):
    url, file = sdk("http"), tmp_path / "out.yaml"
    client = tmp_path / "client.py"
    client.write_text(
        "import sys, urllib.request\n"
        "body = b'{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"key\":\"sk-0123456789abcdef0123\"}}'\n"
        "headers = {'content-type': 'application/json', 'accept': 'application/json, text/event-stream'}\n"
        "try: urllib.request.urlopen(urllib.request.Request(sys.argv[1], body, headers)).read()\n"
        "except urllib.error.HTTPError as error: print(error.read())\n")
    code, said = run(
        "record", "--target", url, "--output", str(file), "--exec", shell([sys.executable, str(client)], "{url}"))
    assert code == 1 and "looks like a secret" in said, said
    assert not file.exists()


def test_clients_that_come_by_themselves_over_http(sdk, start, tmp_path: Path):
    url, port, file = sdk("http"), free_port(), tmp_path / "session.yaml"
    recorder = start(
        Child, [program("omni-conformance"), "record", "--target", url, "--listen", str(port), "--output", str(file)],
        tmp_path)
    assert f"recording http://127.0.0.1:{port}/mcp in front of {url}" in recorder.first_line()
    done = subprocess.run(
        [*SESSION, "http", f"http://127.0.0.1:{port}/mcp"], env=clean_environment(), timeout=PATIENCE, check=False)
    assert done.returncode == 0
    assert recorder.wait() == 0
    assert "method: sampling/createMessage" in file.read_text()


def test_a_target_that_is_not_there(tmp_path: Path):
    code, said = run(
        "record", "--target", f"http://127.0.0.1:{free_port()}/mcp", "--exec", "true {url}",
        "--output", str(tmp_path / "out.yaml"))
    assert code == 3 and "refused" in said.lower(), said
    assert not (tmp_path / "out.yaml").exists()


def test_flags_that_do_not_go_together():
    for words, text in [
        (["--exec", "true"], "--output FILE must say where the transcript goes"),
        (["--exec", "true", "--output", "x.yaml", "--listen", "9000"], "--listen needs --target"),
        (["--target", "mcp.example"], "is no usable URL"),
    ]:
        code, said = run("record", *words)
        assert code == 2 and text in said, said


def test_over_stdio_a_signal_ends_the_recording_too(tmp_path: Path):
    """Clients end their servers by SIGTERM where the end of input does not."""
    file = tmp_path / "session.yaml"
    recorder = subprocess.Popen(
        [program("omni-conformance"), "record", "--output", str(file), "--exec", shell(SERVER, "stdio")],
        env=clean_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        recorder.stdin.write('{"jsonrpc":"2.0","id":1,"method":"ping"}\n')
        recorder.stdin.flush()
        assert '"id":1' in recorder.stdout.readline()
        recorder.send_signal(signal.SIGTERM)
        recorder.wait(timeout=PATIENCE)
    finally:
        recorder.kill()
        recorder.communicate()
    assert "- client: {id: {$type: id, $as: id1, $say: 1}, method: ping}" in file.read_text()
