"""The least of a WebSocket client: blocking, small messages."""

import json
import socket
import struct

HELLO = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Client:
    def __init__(self, port: int, upgrade: bool = True) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.read = b""
        if upgrade:
            self.socket.sendall(HELLO)
            head = self.take_until(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 101"):
                raise ConnectionError(head.decode(errors="replace"))

    def more(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("closed by the server")
        self.read += data

    def take_until(self, end: bytes) -> bytes:
        while end not in self.read:
            self.more()
        head, _, self.read = self.read.partition(end)
        return head

    def take(self, size: int) -> bytes:
        while len(self.read) < size:
            self.more()
        data, self.read = self.read[:size], self.read[size:]
        return data

    def send(self, payload: bytes, opcode: int = 1) -> None:
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + struct.pack("!H", size)
        # A mask of zeros is a mask.
        self.socket.sendall(bytes([0x80 | opcode]) + length + bytes(4) + payload)

    def receive(self) -> tuple[int, bytes]:
        opcode, size = self.take(2)
        if size == 126:
            size = struct.unpack("!H", self.take(2))[0]
        elif size == 127:
            size = struct.unpack("!Q", self.take(8))[0]
        return opcode & 15, self.take(size)

    def ask(self, method: str, **params) -> dict:
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        self.send(json.dumps(request).encode())
        while True:
            opcode, payload = self.receive()
            if opcode == 1:
                return json.loads(payload)["result"]

    def close(self) -> None:
        """With a close frame, and its answer waited for."""
        self.send(struct.pack("!H", 1000), opcode=8)
        while self.receive()[0] != 8:
            pass
        self.socket.close()

    def reset(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def make_tasks(port: int, number: int) -> list[str]:
    """Tasks that have ended, for whoever asks after them."""
    client = Client(port)
    tasks = [client.ask("create_task", description="say hello")["task_id"] for _ in range(number)]
    client.close()
    return tasks
