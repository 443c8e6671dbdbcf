"""The least that makes a WebSocket client, for those that do one thing of it wrongly."""

import json
import os
import socket
from urllib.parse import urlsplit

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Wire:
    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=20)
        self.stream = self.socket.makefile("rb")
        self.socket.sendall(
            (
                f"GET / HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            ).encode()
        )
        while self.stream.readline().strip():
            pass

    def send(self, opcode: int, payload: bytes, masked: bool = True) -> None:
        self.socket.sendall(self.made(opcode, payload, masked))

    @staticmethod
    def made(opcode: int, payload: bytes, masked: bool = True) -> bytes:
        size = len(payload)
        length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
        mask = os.urandom(4) if masked else b""
        if masked:
            payload = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
        return bytes([0x80 | opcode, length[0] | 0x80 * masked]) + length[1:] + mask + payload

    def frame(self) -> tuple[int, bytes, bool]:
        """Opcode, payload, and whether it is the last of its message."""
        first, second = self.stream.read(2)
        size = second & 0x7F
        if size > 125:
            size = int.from_bytes(self.stream.read(2 if size == 126 else 8), "big")
        return first & 15, self.stream.read(size), first >= 0x80

    def text(self) -> bytes:
        """The next message; control frames are answered."""
        message = b""
        while True:
            opcode, payload, is_last = self.frame()
            if opcode == PING:
                self.send(PONG, payload)
            elif opcode == CLOSE:
                self.send(CLOSE, payload)
                raise SystemExit(0)
            elif opcode != PONG:
                message += payload
                if is_last:
                    return message

    def ask(self, method: str, **params: object) -> dict:
        self.send(TEXT, json.dumps({"method": method, "params": params}).encode())
        return json.loads(self.text())

    def close(self) -> None:
        self.send(CLOSE, b"\x03\xe8")
        while self.frame()[0] != CLOSE:
            pass
