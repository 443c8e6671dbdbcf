"""Clients that write bytes to sockets, as nothing that behaves would send them, and one that does behave."""

import json
import socket
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from websockets.sync.client import ClientConnection, connect

from conftest import DEADLINE, Server, limit, until

MIB = 1 << 20
TEXT, CONTINUATION, CLOSE, PING, PONG = 1, 0, 8, 9, 10
# A flood takes well under 5 s; a machine under load may take its time.
FLOOD_DEADLINE = 60.0
UPGRADE = (
    "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
).encode()


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
            piece = peer.recv(1)
            assert piece, f"the connection ended behind {answer!r}"
            answer += piece
        assert answer.startswith(b"HTTP/1.1 101 "), answer
        yield peer


def reset(peer: socket.socket) -> None:
    """Cuts the connection with RST."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    peer.close()


def send_some(peer: socket.socket, data: bytes) -> int:
    """What the kernel takes at once; a connection that was cut takes nothing."""
    peer.setblocking(False)
    try:
        return peer.send(data)
    except (BlockingIOError, BrokenPipeError, ConnectionResetError):
        return 0
    finally:
        peer.settimeout(DEADLINE)


def exactly(peer: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = peer.recv(size - len(data))
        assert piece, f"the connection ended after {len(data)} of {size} bytes"
        data += piece
    return bytes(data)


def any_frame(peer: socket.socket) -> tuple[int, bytes]:
    """The opcode and payload of the next frame, which must be whole."""
    first, length = exactly(peer, 2)
    assert first & 0x80
    if length > 125:
        length = int.from_bytes(exactly(peer, 2 if length == 126 else 8), "big")
    return first & 0xF, exactly(peer, length)


def message(peer: socket.socket) -> dict:
    opcode, payload = any_frame(peer)
    assert opcode == TEXT
    return json.loads(payload)


def close_code(peer: socket.socket) -> int:
    """The code of the close frame, which must be next."""
    opcode, payload = any_frame(peer)
    assert opcode == CLOSE, (opcode, payload)
    return int.from_bytes(payload[:2], "big")


def rest(peer: socket.socket) -> bytes:
    """Everything until the end of the connection."""
    data = bytearray()
    while piece := peer.recv(65536):
        data += piece
    return bytes(data)


def ends(peer: socket.socket) -> bool:
    """Reads until the other side is gone, in order or not."""
    try:
        rest(peer)
    except ConnectionResetError:
        pass
    return True


def grown(content: int) -> int:
    """What a buffer may take for so much content: an array doubles, and stands beside the old one meanwhile."""
    return 3 * content


class Bystander(threading.Thread):
    """A client that behaves and asks one ping after the other, whatever the others do."""

    def __init__(self, server: Server, connection: ClientConnection) -> None:
        super().__init__(daemon=True)
        self.server = server
        self.connection = connection
        self.answers = 0
        self.last = 0
        self.error: Exception | None = None
        self.ending = threading.Event()
        # One connection, two threads: a request and its answer belong together.
        self.turn = threading.Lock()
        self.base = 0

    def run(self) -> None:
        try:
            while not self.ending.is_set():
                assert self.ask("ping") == {}
                self.answers += 1
        except Exception as error:
            self.error = error

    def ask(self, method: str, **params) -> dict:
        with self.turn:
            self.last += 1
            self.connection.send(json.dumps({"jsonrpc": "2.0", "id": self.last, "method": method, "params": params}))
            answer = json.loads(self.connection.recv(timeout=DEADLINE))
            assert answer["id"] == self.last
            return answer["result"]

    def served(self, count: int = 1) -> None:
        """Waits for so many more answers."""
        wanted = self.answers + count

        def is_served() -> bool:
            if self.error:
                raise self.error
            return self.answers >= wanted

        until(is_served, f"{count} answers for another client")

    def during(self, flood, answers: int = 50, enough=lambda: True) -> None:
        """Repeats the flood until it was enough and this client has got so many answers meanwhile."""
        wanted, end = self.answers + answers, time.monotonic() + FLOOD_DEADLINE
        while self.answers < wanted or not enough():
            flood()
            if self.error:
                raise self.error
            if time.monotonic() > end:
                raise AssertionError(f"{self.answers + answers - wanted} of {answers} answers, enough: {enough()}")

    def forget_memory(self) -> None:
        """Counts from here what the server's memory grows by, at its peak."""
        process = Path(f"/proc/{self.server.process.pid}")
        if process.exists():
            # The longest message there may be, so that what is kept for reading one is there already.
            self.ask("ping", padding="x" * (limit("message_bytes") - 200))
            (process / "clear_refs").write_text("5")
            self.base = self.memory("VmRSS")

    def memory(self, name: str = "VmHWM") -> int:
        status = Path(f"/proc/{self.server.process.pid}/status")
        if not status.exists():
            return 0
        [line] = [line for line in status.read_text().splitlines() if line.startswith(f"{name}:")]
        return int(line.split()[1]) * 1024

    def memory_was_bounded(self, bound: int) -> None:
        # Beside what is bounded, a process of several threads was seen to keep up to 6 MiB.
        bound += 8 * MIB
        growth = self.memory() - self.base
        print(f"memory grew by {growth / MIB:.1f} MiB, bound {bound / MIB:.1f} MiB")
        assert growth < bound, f"memory grew by {growth / MIB:.1f} MiB, bound {bound / MIB:.1f} MiB"


@contextmanager
def bystander_of(server: Server):
    with connect(server.url, open_timeout=DEADLINE) as connection:
        bystander = Bystander(server, connection)
        bystander.forget_memory()
        bystander.start()
        try:
            bystander.served()
            yield bystander
            bystander.served()
        finally:
            bystander.ending.set()
            bystander.join(DEADLINE)
