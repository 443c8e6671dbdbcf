"""Floods: what the server keeps for a client is bounded by its limits, and its other clients are served meanwhile.

Each flood goes on until another client has got its answers, and until it was far larger than what may be kept.
"""

import select
import socket
from contextlib import ExitStack

import pytest

from conftest import DEADLINE, Mock, Server, limit, until
from raw import (
    CONTINUATION, MIB, PING, TEXT, UPGRADE, bystander_of, exactly, frame, grown, message, opened, request, send_some,
    upgraded,
)

HEADER = limit("header_bytes")
MESSAGE = limit("message_bytes")
UNSENT = limit("unsent_bytes")


class Pusher:
    """Sends the same bytes over and over, as far as they are taken."""

    def __init__(self, peer: socket.socket, data: bytes) -> None:
        self.peer, self.data = peer, data
        self.sent = 0

    def push(self) -> None:
        place = self.sent % len(self.data)
        self.sent += send_some(self.peer, self.data[place:])


def closed_for_not_reading(server: Server) -> int:
    return server.err.read_text().count('"code":1008')


@pytest.mark.parametrize(
    "flood", [request("ping", "x" * 500_000), frame(PING, b"x" * 125) * 4000], ids=["answers", "pongs"]
)
def test_clients_that_do_not_read(flood: bytes, serve):
    server = serve(OMNI_LOG_LEVEL="debug")
    with bystander_of(server) as bystander, ExitStack() as stack:
        slow = [Pusher(stack.enter_context(upgraded(server, receive_buffer=4096)), flood) for _ in range(3)]

        def push() -> None:
            for pusher in slow:
                pusher.push()

        bystander.during(push, enough=lambda: closed_for_not_reading(server) == len(slow))
        assert all(pusher.sent > UNSENT for pusher in slow)
        bystander.memory_was_bounded(len(slow) * grown(UNSENT + MESSAGE))


def test_a_client_that_reads_too_slowly_but_steadily(serve):
    """What is sent is forgotten although there is always more to send."""
    server = serve()
    payload = b"p" * 125
    with bystander_of(server) as bystander, upgraded(server, receive_buffer=65536) as slow:
        pings, pongs = frame(PING, payload) * 1000, (b"\x8a\x7d" + payload) * 1000
        # More than the kernel keeps of them, less than the server does.
        ahead, count = UNSENT * 9 // 10 // len(pongs), 0
        for _ in range(ahead):
            slow.sendall(pings)

        def exchange() -> None:
            nonlocal count
            slow.sendall(pings)
            assert exactly(slow, len(pongs)) == pongs
            count += 1

        bystander.during(exchange, enough=lambda: count * len(pongs) > 10 * UNSENT)
        bystander.memory_was_bounded(grown(UNSENT + MESSAGE))


def test_requests_to_http_whose_answers_are_not_read(serve):
    server = serve()
    text = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    with bystander_of(server) as bystander, opened(server, receive_buffer=65536) as slow:
        asking, refused_in_a_row = Pusher(slow, text * 4000), 0

        def push() -> None:
            nonlocal refused_in_a_row
            sent = asking.sent
            asking.push()
            refused_in_a_row = 0 if asking.sent > sent else refused_in_a_row + 1
            bystander.served()

        # Nothing is taken for many turns: the server reads no more. A slow machine stops early, that is all.
        bystander.during(push, enough=lambda: refused_in_a_row > 100 or asking.sent > 64 * MIB)
        assert asking.sent < 64 * MIB, "the server went on reading"
        bystander.memory_was_bounded(MIB)

        # Whatever was asked is answered as soon as somebody reads.
        count = -(-asking.sent // len(text))
        last = text[asking.sent % len(text) :] if asking.sent % len(text) else b""
        last += b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        answers, ended = bytearray(), False
        while not ended:
            readable, writable, _ = select.select([slow], [slow] if last else [], [], DEADLINE)
            assert readable or writable, "no more answers"
            if writable:
                last = last[send_some(slow, last) :]
            if readable:
                piece = slow.recv(65536)
                answers += piece
                ended = not piece
        assert answers.count(b"HTTP/1.1 200 OK\r\n") == count + 1


def test_pages_that_are_asked_for_and_not_read(mock: Mock, serve):
    """The longest answers there are, to the shortest requests."""
    server = serve(OMNI_LOG_LEVEL="debug", **mock.variables)
    with bystander_of(server) as bystander:
        for _ in range(40):
            bystander.ask("create_task", description="x" * 32_000, wait=False)
        until(lambda: bystander.ask("system_status")["tasks"]["completed"] == 40, "the end of all tasks")
        bystander.forget_memory()
        with upgraded(server, receive_buffer=4096) as slow:
            asking = Pusher(slow, request("list_tasks", 1, limit=500))
            bystander.during(asking.push, enough=lambda: closed_for_not_reading(server) > 0)
            # The store may be ahead of the loop by all that is asked for at one time.
            bystander.memory_was_bounded(grown(UNSENT) + limit("in_flight") * limit("page_bytes"))


def test_pings_and_fragments_that_are_answered(serve):
    server = serve()
    payload = b"p" * 125
    with bystander_of(server) as bystander, upgraded(server) as peer:

        def exchange() -> None:
            peer.sendall(frame(TEXT, b'{"method":', final=False) + frame(PING, payload) * 1000)
            assert exactly(peer, 127_000) == (b"\x8a\x7d" + payload) * 1000
            peer.sendall(frame(CONTINUATION, b'"ping"}'))
            assert message(peer) == {"result": "pong"}

        bystander.during(exchange)
        bystander.memory_was_bounded(grown(MESSAGE))


def in_fragments(payload: bytes) -> list[bytes]:
    """The frames of a message in fragments of one byte, in pieces of some hundred KiB."""
    data = bytearray(frame(TEXT, payload[:1], final=False))
    for byte in payload[1:-1]:
        data += frame(CONTINUATION, bytes([byte]), final=False)
    data += frame(CONTINUATION, payload[-1:])
    return [bytes(data[start : start + 500_000]) for start in range(0, len(data), 500_000)]


def test_a_message_of_one_mebibyte_in_fragments_of_one_byte(serve):
    server = serve()
    head, tail = b'{"method":"ping","params":{"x":"', b'"}}'
    pieces = in_fragments(head + b"a" * (MESSAGE - len(head) - len(tail)) + tail)
    with bystander_of(server) as bystander, upgraded(server) as peer:

        def flood() -> None:
            for piece in pieces:
                peer.sendall(piece)
            assert message(peer) == {"result": "pong"}

        bystander.during(flood)
        # The message, and the values that are read from it.
        bystander.memory_was_bounded(grown(2 * MESSAGE))


def test_a_message_of_endless_fragments_is_closed_at_the_limit(serve):
    server = serve()
    fragments = frame(CONTINUATION, b"a", final=False) * 70_000
    with bystander_of(server) as bystander:
        codes = []

        def flood() -> None:
            with upgraded(server) as peer:
                peer.sendall(frame(TEXT, final=False))
                pusher = Pusher(peer, fragments)
                peer.settimeout(0)
                answer = b""
                while not answer:
                    # Read before more is sent: what comes behind the close may cut the connection.
                    try:
                        answer = peer.recv(4)
                    except BlockingIOError:
                        pusher.push()
                        peer.settimeout(0)
                codes.append(int.from_bytes(answer[2:], "big"))

        bystander.during(flood)
        assert set(codes) == {1009}
        bystander.memory_was_bounded(grown(MESSAGE))


def test_fragments_without_bytes(serve):
    server = serve()
    fragments = frame(CONTINUATION, final=False) * 50_000
    with bystander_of(server) as bystander, upgraded(server) as peer:
        peer.sendall(frame(TEXT, b'{"method":', final=False))
        count = 0

        def flood() -> None:
            nonlocal count
            peer.sendall(fragments)
            count += 1

        bystander.during(flood, enough=lambda: count > 30)
        peer.sendall(frame(CONTINUATION, b'"ping"}'))
        assert message(peer) == {"result": "pong"}
        bystander.memory_was_bounded(grown(MESSAGE))


def test_hundreds_of_handshakes_that_do_not_end(serve):
    """Each is as long as a head may be, less one byte."""
    server = serve()
    head = UPGRADE + b"X: "
    head += b"x" * (HEADER - len(head) - 4)
    with bystander_of(server) as bystander, ExitStack() as stack:
        peers = [stack.enter_context(opened(server)) for _ in range(300)]

        def flood() -> None:
            peers.append(stack.enter_context(opened(server)))
            peers[-1].sendall(head)

        for peer in peers:
            peer.sendall(head)
        bystander.during(flood)
        bystander.memory_was_bounded(len(peers) * grown(HEADER))
        # A handshake that does end is served meanwhile.
        with upgraded(server) as peer:
            peer.sendall(frame(TEXT, b'{"method":"ping"}'))
            assert message(peer) == {"result": "pong"}


def test_connections_past_the_limit(serve):
    limit_of_connections = 32
    server = serve(OMNI_MAX_CONNECTIONS=str(limit_of_connections))
    with bystander_of(server) as bystander, ExitStack() as stack:
        idle: list[socket.socket] = []

        def fill() -> bool:
            # What asked for /readyz may still count.
            try:
                idle.append(stack.enter_context(upgraded(server)))
            except (AssertionError, ConnectionError):
                pass
            return len(idle) == limit_of_connections - 1

        until(fill, "as many connections as there may be")
        refused = 0

        def flood() -> None:
            nonlocal refused
            for _ in range(20):
                with opened(server) as peer:
                    peer.sendall(UPGRADE + b"\r\n")
                    answer = peer.recv(4096)
                    assert answer.startswith(b"HTTP/1.1 503 ")
                    refused += 1

        bystander.during(flood, enough=lambda: refused > 20 * limit_of_connections)
        bystander.memory_was_bounded(limit_of_connections * grown(HEADER))
