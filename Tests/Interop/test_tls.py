"""wss:// endpoints: an `omni-server` behind a proxy that speaks TLS, with certificates good and bad."""

import asyncio
import shutil
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from conftest import until
from test_runner import count, run

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl here")


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory) -> Path:
    """A root, and what it has signed: `good`, `other` (of another host) and `expired`."""
    folder = tmp_path_factory.mktemp("certificates")
    openssl(folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "root.key", "-out", "root.pem",
            "-days", "3", "-subj", "/CN=Root of the tests")
    for name, host, days in [("good", "localhost", "3"), ("other", "example.test", "3"), ("expired", "localhost", "-1")]:
        (folder / "names").write_text(f"subjectAltName=DNS:{host}" + (",IP:127.0.0.1\n" if name == "good" else "\n"))
        openssl(folder, "req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", "request.pem",
                "-subj", f"/CN={host}")
        openssl(folder, "x509", "-req", "-in", "request.pem", "-CA", "root.pem", "-CAkey", "root.key",
                "-CAcreateserial", "-out", f"{name}.pem", "-days", days, "-extfile", "names")
    return folder


class TLSProxy:
    """Takes TLS off and passes the bytes on; it remembers how each connection began."""

    def __init__(self, port: int, folder: Path, name: str) -> None:
        self.behind = port
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
        self.heads: list[bytes] = []
        self.open = 0
        self.port = 0
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self.listen(), self.loop).result(10)

    async def listen(self) -> None:
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=self.context)
        self.port = server.sockets[0].getsockname()[1]

    async def serve(self, reader, writer) -> None:
        self.open += 1
        try:
            behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", self.behind)
            first = await reader.read(65536)
            if first:
                self.heads.append(first)
            behind_writer.write(first)
            await asyncio.gather(self.pump(reader, behind_writer), self.pump(behind_reader, writer))
        except OSError:
            pass
        finally:
            self.open -= 1

    async def pump(self, reader, writer) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)


@pytest.fixture
def proxy(serve, certificates: Path):
    proxies = []

    def start(name: str) -> TLSProxy:
        proxies.append(TLSProxy(serve().port, certificates, name))
        return proxies[-1]

    yield start
    for each in proxies:
        each.stop()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_trusted_endpoint_is_judged(proxy, certificates: Path, host: str):
    front = proxy("good")
    code, text = run(
        "run", "--target", f"wss://{host}:{front.port}", "--ca-file", str(certificates / "root.pem"), "--run", "ping/*",
        "--run", "http/*", "--run", "handshake/*", "--run", "wire/*", "--run", "limits/*")
    assert code == 0, text
    assert count(text, "passed") > 20, text
    hosts = [head for head in front.heads if b"\r\nHost: " in head]
    assert hosts and all(f"\r\nHost: {host}:{front.port}\r\n".encode() in head for head in hosts), hosts[:3]
    until(lambda: front.open == 0, "the end of all connections")


@pytest.mark.parametrize(
    ("name", "roots", "reason"),
    [
        ("good", False, "is not trusted"),
        ("other", True, "is for another name than localhost"),
        ("expired", True, "has expired"),
    ],
)
def test_a_bad_certificate_is_named(proxy, certificates: Path, name: str, roots: bool, reason: str):
    front = proxy(name)
    more = ["--ca-file", str(certificates / "root.pem")] if roots else []
    for command in ("run", "bench"):
        code, text = run(command, "--target", f"wss://localhost:{front.port}", *more)
        assert code == 3, text
        assert reason in text, text
    assert front.heads == []


def test_what_speaks_no_tls_is_named(serve):
    code, text = run("run", "--target", f"wss://localhost:{serve().port}")
    assert code == 3, text
    assert "spoke no TLS" in text, text


def test_bench_goes_through_tls(proxy, certificates: Path):
    front = proxy("good")
    code, text = run(
        "bench", "--target", f"wss://localhost:{front.port}", "--ca-file", str(certificates / "root.pem"),
        "--connections", "4", "--duration", "200ms", "--warmup", "0s")
    assert code == 0, text
    until(lambda: front.open == 0, "the end of all connections")


def test_the_doctor_goes_through_tls(proxy, certificates: Path):
    url = f"wss://localhost:{proxy('good').port}"
    code, text = run("doctor", url, "--ca-file", str(certificates / "root.pem"), "--remote", url)
    assert code != 3, text  # 1 once it has seen that there is no LiteLLM
    assert "✓ reachable " in text and "✓ healthy" in text and "✓ reachable remotely" in text
    code, text = run("doctor", url)
    assert code == 3 and "is not trusted" in text, text
