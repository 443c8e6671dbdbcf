"""What the server does at its limits, and that its other clients do not notice (contract §7).

The clients here write bytes to sockets, as nothing that behaves would send them.
"""

import json
import resource
import select
import socket
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from websockets.sync.client import ClientConnection, connect

from conftest import DEADLINE, Mock, Server, until, with_limits

MIB = 1 << 20
TEXT, CONTINUATION, PING = 1, 0, 9
UPGRADE = (
    "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
).encode()
# What a debug build keeps for one message of 1 MiB, its copies and its values, was seen to be 30 MiB;
# each flood below sends or asks for far more than this.
MEMORY = 96 * MIB


def frame(opcode: int, payload: bytes = b"", final: bool = True) -> bytes:
    """A frame masked with zeros, which leave the payload as it is."""
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 65536:
        length = b"\xfe" + size.to_bytes(2, "big")
    else:
        length = b"\xff" + size.to_bytes(8, "big")
    return bytes([0x80 * final | opcode]) + length + bytes(4) + payload


def request(method: str, identity: int | str, **params) -> bytes:
    return frame(TEXT, json.dumps({"jsonrpc": "2.0", "id": identity, "method": method, "params": params}).encode())


@contextmanager
def opened(server: Server, receive_buffer: int | None = None):
    with socket.socket() as peer:
        if receive_buffer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        peer.settimeout(DEADLINE)
        peer.connect(("127.0.0.1", server.port))
        yield peer


@contextmanager
def upgraded(server: Server, receive_buffer: int | None = None):
    with opened(server, receive_buffer) as peer:
        peer.sendall(UPGRADE + b"\r\n")
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += peer.recv(1)
        assert answer.startswith(b"HTTP/1.1 101 ")
        yield peer


def exactly(peer: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = peer.recv(size - len(data))
        assert piece, f"the connection ended after {len(data)} of {size} bytes"
        data += piece
    return bytes(data)


def message(peer: socket.socket) -> dict:
    """The next text message, which must be shorter than 64 KiB."""
    first, length = exactly(peer, 2)
    assert first == 0x80 | TEXT
    if length == 126:
        length = int.from_bytes(exactly(peer, 2), "big")
    return json.loads(exactly(peer, length))


def rest(peer: socket.socket) -> bytes:
    """Everything until the end of the connection."""
    data = bytearray()
    while piece := peer.recv(65536):
        data += piece
    return bytes(data)


def peak_memory(server: Server) -> int:
    status = Path(f"/proc/{server.process.pid}/status")
    if not status.exists():
        return 0
    [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


class Bystander:
    """A client that behaves, and is served whatever the others do."""

    def __init__(self, server: Server, connection: ClientConnection) -> None:
        self.server = server
        self.connection = connection
        self.count = 0
        self.memory = peak_memory(server)

    def ask(self, method: str, **params) -> dict:
        self.count += 1
        self.connection.send(json.dumps({"jsonrpc": "2.0", "id": self.count, "method": method, "params": params}))
        answer = json.loads(self.connection.recv(timeout=DEADLINE))
        assert answer["id"] == self.count
        return answer["result"]

    def is_served(self) -> None:
        assert self.ask("ping") == {}

    def memory_was_bounded(self, limit: int = MEMORY) -> None:
        grown = peak_memory(self.server) - self.memory
        assert grown < limit, f"the server's memory grew by {grown / MIB:.0f} MiB, limit {limit / MIB:.0f} MiB"


@contextmanager
def bystander_of(server: Server):
    with connect(server.url, open_timeout=DEADLINE) as connection:
        yield Bystander(server, connection)


@pytest.mark.parametrize("flood", [request("ping", "x" * 500_000), frame(PING, b"x" * 125) * 4000], ids=["answers", "pongs"])
def test_a_client_that_does_not_read_is_closed(flood: bytes, serve):
    server = serve(OMNI_LOG_LEVEL="debug")
    with bystander_of(server) as bystander, upgraded(server, receive_buffer=4096) as slow:

        def is_closed() -> bool:
            try:
                slow.sendall(flood)
            except (BrokenPipeError, ConnectionResetError):
                pass
            bystander.is_served()
            return '"code":1008' in server.err.read_text()

        until(is_closed, "closing with 1008")
        bystander.memory_was_bounded()


def test_answers_to_http_requests_wait_for_a_slow_reader(serve):
    server = serve()
    text = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    flood, sent = text * 4000, 0
    with bystander_of(server) as bystander, opened(server, receive_buffer=65536) as slow:
        slow.setblocking(False)
        # Not writable for so long: the server reads no more. A slow machine stops early, that is all.
        while sent < 64 * MIB and select.select([], [slow], [], 2)[1]:
            sent += slow.send(flood[sent % len(text) :])
            bystander.is_served()
        assert sent < 64 * MIB, "the server went on reading"
        bystander.memory_was_bounded(16 * MIB)

        # Whatever was asked is answered as soon as somebody reads.
        asked = (sent + len(text) - 1) // len(text)
        last = text[sent % len(text) :] if sent % len(text) else b""
        last += b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        answers, ended = bytearray(), False
        while not ended:
            readable, writable, _ = select.select([slow], [slow] if last else [], [], DEADLINE)
            assert readable or writable, "no more answers"
            if writable:
                last = last[slow.send(last) :]
            if readable:
                piece = slow.recv(65536)
                answers += piece
                ended = not piece
        assert answers.count(b"HTTP/1.1 200 OK\r\n") == asked + 1


def test_a_flood_of_pings_is_answered(serve):
    server = serve()
    payload = b"p" * 125
    with bystander_of(server) as bystander, upgraded(server) as peer:
        for _ in range(20):
            peer.sendall(frame(PING, payload) * 1000)
            assert exactly(peer, 127_000) == (b"\x8a\x7d" + payload) * 1000
            bystander.is_served()
        bystander.memory_was_bounded()


def in_fragments(payload: bytes):
    """The frames of a message in fragments of one byte, in pieces of some hundred KiB."""
    data = bytearray(frame(TEXT, payload[:1], final=False))
    for byte in payload[1:-1]:
        data += frame(CONTINUATION, bytes([byte]), final=False)
    data += frame(CONTINUATION, payload[-1:])
    return [bytes(data[start : start + 500_000]) for start in range(0, len(data), 500_000)]


def test_a_message_of_one_mebibyte_in_fragments_of_one_byte(serve):
    server = serve()
    head, tail = b'{"method":"ping","params":{"x":"', b'"}}'
    with bystander_of(server) as bystander, upgraded(server) as peer:
        for piece in in_fragments(head + b"a" * (MIB - len(head) - len(tail)) + tail):
            peer.sendall(piece)
            bystander.is_served()
        assert message(peer) == {"result": "pong"}
        bystander.memory_was_bounded()


def test_a_message_of_endless_fragments_is_closed_at_the_limit(serve):
    server = serve()
    fragments = frame(CONTINUATION, b"a", final=False) * 70_000
    with bystander_of(server) as bystander, upgraded(server) as peer:
        peer.sendall(frame(TEXT, final=False))
        while not select.select([peer], [], [], 0)[0]:
            peer.sendall(fragments)
            bystander.is_served()
        # Said while we still sent: the end may be that of a connection that was cut.
        assert exactly(peer, 4)[2:] == (1009).to_bytes(2, "big")
        bystander.memory_was_bounded()


def test_fragments_without_bytes_cost_nothing_but_their_reading(serve):
    server = serve()
    with bystander_of(server) as bystander, upgraded(server) as peer:
        peer.sendall(frame(TEXT, b'{"method":', final=False))
        for _ in range(20):
            peer.sendall(frame(CONTINUATION, final=False) * 50_000)
            bystander.is_served()
        peer.sendall(frame(CONTINUATION, b'"ping"}'))
        assert message(peer) == {"result": "pong"}
        bystander.memory_was_bounded()


def test_heads_that_come_byte_by_byte_are_given_up_in_time(serve, tmp_path: Path):
    # 10 s by default; short enough to wait for, long enough for a client that means it.
    server = serve("--spec", str(with_limits(tmp_path, handshake_time="3s")))
    with bystander_of(server) as bystander, ExitStack() as stack:
        peers = {stack.enter_context(opened(server)): b"" for _ in range(30)}
        for peer in peers:
            peer.sendall(UPGRADE + b"X: ")
        waiting = set(peers)
        end = time.monotonic() + DEADLINE
        while waiting:
            assert time.monotonic() < end, "no 408"
            for peer in select.select(waiting, [], [], 0.05)[0]:
                peers[peer] = rest(peer)
                waiting.discard(peer)
            for peer in waiting:
                try:
                    peer.send(b"x")
                except (BrokenPipeError, ConnectionResetError):
                    pass
            bystander.is_served()
        for answer in peers.values():
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert b"Connection: close\r\n" in answer


@pytest.mark.parametrize("extra, status", [(0, b"101"), (1, b"431"), (10 * MIB, b"431")])
def test_a_head_may_have_sixteen_kibibytes(extra: int, status: bytes, serve):
    server = serve()
    size = 16 * 1024 - len(UPGRADE) - len("X: \r\n\r\n") + extra
    with bystander_of(server) as bystander, opened(server) as peer:
        try:
            peer.sendall(UPGRADE + b"X: " + b"x" * size + b"\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            assert extra > MIB
        assert exactly(peer, 12) == b"HTTP/1.1 " + status
        bystander.is_served()


def test_connections_past_the_limit_are_told_to_come_back(serve):
    server = serve(OMNI_MAX_CONNECTIONS="8")

    def upgrade(stack: ExitStack) -> bool:
        try:
            stack.enter_context(upgraded(server))
            return True
        except AssertionError:
            return False

    with bystander_of(server) as bystander, ExitStack() as stack:
        for _ in range(7):
            # What has just asked for /readyz may still count.
            until(lambda: upgrade(stack), "a connection below the limit")
        with ExitStack() as refused:
            peers = [refused.enter_context(opened(server)) for _ in range(200)]
            for peer in peers:
                answer = rest(peer)
                assert answer.startswith(b"HTTP/1.1 503 ")
                assert b"\r\nRetry-After: 5\r\n" in answer
            bystander.is_served()
        stack.close()
        until(lambda: upgrade(stack), "a connection when there is room again")
        bystander.is_served()


def test_descriptors_that_run_out_are_no_end(serve):
    server = serve()
    with bystander_of(server) as bystander, ExitStack() as stack:
        used = len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))
        _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (used + 10, hard))
        with ExitStack() as many:
            served = cut = 0
            for _ in range(30):
                try:
                    many.enter_context(upgraded(server))
                    served += 1
                except (ConnectionResetError, BrokenPipeError, AssertionError, IndexError):
                    cut += 1
                bystander.is_served()
            assert 5 <= served <= 10 and cut >= 20

        def serves() -> bool:
            try:
                with upgraded(server):
                    return True
            except OSError:
                return False

        until(serves, "a connection when there are descriptors again")
        bystander.is_served()


def test_a_connection_with_256_requests_in_flight_is_not_read(mock: Mock, serve):
    server = serve(**mock.variables)
    mock.arm(litellm=[{"on": "POST /v1/chat/completions", "hang": True}])
    with bystander_of(server) as bystander, upgraded(server) as peer:
        for number in range(255):
            peer.sendall(request("create_task", number, description=f"{number}"))
        peer.sendall(request("ping", "early"))
        assert message(peer)["id"] == "early"
        peer.sendall(request("create_task", 255, description="last") + request("ping", "late"))

        def tasks() -> list[dict]:
            return bystander.ask("list_tasks", limit=500)["tasks"]

        until(lambda: len(tasks()) == 256, "256 tasks")
        # Nothing more is taken, however much is sent.
        sent = 0
        flood = frame(PING, b"x" * 125) * 4000
        peer.setblocking(False)
        while sent < 64 * MIB and select.select([], [peer], [], 2)[1]:
            sent += peer.send(flood[sent % len(frame(PING, b"x" * 125)) :])
            bystander.is_served()
        assert sent < 64 * MIB
        peer.settimeout(DEADLINE)
        bystander.memory_was_bounded()

        # With one answered the next request is read: the ping that came behind.
        cancelled = tasks()[0]["task_id"]
        assert bystander.ask("cancel_task", task_id=cancelled)["state"] == "cancelled"
        assert message(peer)["result"] == {"task_id": cancelled, "status": "cancelled"}
        assert message(peer)["id"] == "late"
    mock.reset()
