"""Clients that would bring the server to a stop if it let them: others are served, and what these leave is put away."""

import json
import resource
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from conftest import DEADLINE, HANG, Mock, Server, limit, until, with_limits
from raw import (
    CLOSE, TEXT, UPGRADE, bystander_of, frame, message, opened, request, reset, rest, send_some, upgraded,
)

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


def descriptors(server: Server) -> int:
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))


def puts_away(server: Server, before: int) -> None:
    until(lambda: descriptors(server) <= before, "closing what clients have left")


def told_of(server: Server, event: str) -> int:
    """How often the log tells of it."""
    return sum(json.loads(line)["msg"] == event for line in server.err.read_text().splitlines())


def serves(server: Server) -> bool:
    try:
        with upgraded(server) as peer:
            peer.sendall(request("ping", 1))
            return message(peer)["result"] == {}
    except (AssertionError, ConnectionError):
        return False


def fill(server: Server, stack: ExitStack, make) -> None:
    """Takes every place there is, until one is refused."""

    def is_refused() -> bool:
        try:
            stack.enter_context(make(server))
            return False
        except (AssertionError, ConnectionError):
            return True

    until(is_refused, "a refusal")


def test_those_that_are_refused_and_stay(serve):
    most = 8
    server = serve(OMNI_MAX_CONNECTIONS=str(most))
    with bystander_of(server) as bystander, ExitStack() as refused:
        before = descriptors(server)
        with ExitStack() as served:
            fill(server, served, upgraded)
            for _ in range(600):
                peer = refused.enter_context(opened(server))
                assert peer.recv(12) == b"HTTP/1.1 503"
            # Those that may take their time to read it, and some that are just being refused.
            assert descriptors(server) < before + most + 100
            bystander.served(10)
        until(lambda: serves(server), "a place for the next")
        puts_away(server, before)


def test_handshakes_that_take_every_place(serve, tmp_path: Path):
    server = serve("--spec", str(with_limits(tmp_path, handshake_time="2s")), OMNI_MAX_CONNECTIONS="8")
    with bystander_of(server) as bystander, ExitStack() as stack:
        for _ in range(30):
            stack.enter_context(opened(server)).sendall(b"GET / HT")
        with opened(server) as late:
            assert rest(late).startswith(b"HTTP/1.1 503 ")
        bystander.served(10)
        until(lambda: serves(server), "a place when their time is up")


def close_behind_answers(peer: socket.socket) -> None:
    for _ in range(15):
        peer.sendall(request("ping", "x" * 500_000))
    peer.sendall(frame(CLOSE, b"\x03\xe8"))


def too_many_answers(peer: socket.socket) -> None:
    go_on_sending(peer, request("ping", "x" * 500_000))


def a_violation(peer: socket.socket) -> None:
    peer.sendall(b"\xff\xff")


def a_violation_and_a_flood(peer: socket.socket) -> None:
    go_on_sending(peer, b"\xff" * 100_000)


def go_on_sending(peer: socket.socket, data: bytes) -> None:
    try:
        while True:
            peer.sendall(data)
    except ConnectionError:
        pass


@pytest.mark.parametrize("ask", [close_behind_answers, too_many_answers, a_violation, a_violation_and_a_flood])
def test_those_that_are_closed_and_stay(ask, serve):
    """They neither read what is queued nor close their side."""
    server = serve()
    with bystander_of(server) as bystander:
        before = descriptors(server)
        with upgraded(server, receive_buffer=4096) as peer:
            ask(peer)
            puts_away(server, before)
            bystander.served(10)


@pytest.mark.parametrize("handshake", [b"", b"GET / HT", UPGRADE + b"\r\n"], ids=["nothing", "half", "whole"])
def test_thousands_that_connect_and_cut_at_once(handshake: bytes, serve):
    server = serve()
    with bystander_of(server) as bystander:
        before = descriptors(server)
        for _ in range(3000):
            peer = socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE)
            peer.sendall(handshake)
            reset(peer)
        bystander.served(10)
        assert serves(server)
        puts_away(server, before)


def test_one_that_is_not_read_and_cuts(mock: Mock, serve):
    """The reset of a paused connection is seen at once, and nobody waits for its requests any more."""
    server = serve(OMNI_LOG_LEVEL="debug", **mock.variables)
    mock.arm(litellm=[HANG])
    most = limit("in_flight")
    with bystander_of(server) as bystander:
        with upgraded(server) as peer:
            for number in range(most):
                peer.sendall(request("create_task", number, description=f"{number}"))
            until(lambda: len(bystander.ask("list_tasks", limit=500)["tasks"]) == most, "as many tasks as there may be")
            peer.sendall(request("create_task", "unread", description="unread"))
            reset(peer)
        until(lambda: told_of(server, "closed") == 1, "that it is seen")
        bystander.served(10)
        # What ran runs on, what was not read is gone.
        assert len(bystander.ask("list_tasks", limit=500)["tasks"]) == most


def test_one_that_leaves_with_requests_queued(mock: Mock, serve):
    """Bare requests wait for the one before; with their client gone they are not begun."""
    server = serve(OMNI_LOG_LEVEL="debug", **mock.variables)
    mock.arm(litellm=[HANG])
    with bystander_of(server) as bystander:

        def tasks() -> int:
            return len(bystander.ask("list_tasks", limit=500)["tasks"])

        with upgraded(server) as peer:
            for _ in range(5):
                peer.sendall(frame(TEXT, b'{"method":"create_task","params":{"description":"a"}}'))
            until(lambda: tasks() == 1, "the first task")
            # This one need not wait, and tells that those before it are read.
            peer.sendall(request("ping", "read"))
            assert message(peer)["id"] == "read"
            reset(peer)
        until(lambda: told_of(server, "closed") == 1, "that it is seen")
        # What the server would still begin for it comes before these.
        for number in range(5):
            bystander.ask("create_task", description="b", wait=False)
            assert tasks() == 2 + number


def test_one_that_ends_its_side_and_reads_on(serve):
    server = serve()
    with bystander_of(server) as bystander:
        before = descriptors(server)
        with upgraded(server) as peer:
            peer.sendall(frame(TEXT, b'{"method":"ping"}') * 100)
            peer.shutdown(socket.SHUT_WR)
            # What came whole is answered; then the connection ends, since it ended without a close frame.
            assert rest(peer).count(b"pong") == 100
        with opened(server) as peer:
            peer.sendall(HEALTH * 100 + b"GET / HT")
            peer.shutdown(socket.SHUT_WR)
            assert rest(peer).count(b"HTTP/1.1 200 OK\r\n") == 100
        puts_away(server, before)
        bystander.served(10)


def test_descriptors_that_run_out(serve):
    server = serve()
    with bystander_of(server) as bystander:
        _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (descriptors(server) + 10, hard))
        with ExitStack() as many:
            served = cut = 0
            for _ in range(30):
                try:
                    many.enter_context(upgraded(server))
                    served += 1
                except (AssertionError, ConnectionError):
                    cut += 1
                bystander.served()
            assert 5 <= served <= 10 and cut >= 20

            # With a hundred waiting to be accepted it does not spin. A loaded machine gives a spinning
            # thread less of its time, never more.
            for _ in range(100):
                many.enter_context(opened(server))
            with bystander.turn:
                begun, used = time.monotonic(), processor_time(server)
                time.sleep(2)
                share = (processor_time(server) - used) / (time.monotonic() - begun)
            assert share < 0.25, f"{share:.0%} of a processor"
        # The limit is as it was: there is room as soon as those have left.
        until(lambda: serves(server), "a connection when there are descriptors again")


def processor_time(server: Server) -> float:
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def test_the_end_does_not_wait_for_any_of_them(mock: Mock, serve, tmp_path: Path):
    server = serve("--spec", str(with_limits(tmp_path, drain_time="3s")), **mock.variables)
    mock.arm(litellm=[HANG])
    with ExitStack() as stack:
        half = stack.enter_context(opened(server))
        half.sendall(b"GET / HT")
        full = stack.enter_context(upgraded(server, receive_buffer=4096))
        for _ in range(15):
            full.sendall(request("ping", "x" * 500_000))
        paused = stack.enter_context(upgraded(server))
        for number in range(300):
            paused.sendall(request("create_task", number, description=f"{number}"))
        slow = stack.enter_context(opened(server, receive_buffer=4096))
        slow.settimeout(0)
        while send_some(slow, HEALTH * 1000):
            pass
        middle = stack.enter_context(upgraded(server))
        middle.sendall(frame(TEXT, b"half of a message", final=False))
        assert server.terminate() == 0
