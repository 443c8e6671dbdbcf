"""The limits that are times, and that a server on which nothing happens does nothing.

The limits are made short enough to wait for. No test expects that anything happens within a time, but
that it happens, or that it does not while many round trips go by.
"""

import os
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from conftest import DEADLINE, HANG, Mock, limit, until, with_limits
from raw import (
    PING, PONG, TEXT, any_frame, bystander_of, close_code, frame, message, opened, request, rest, upgraded,
)

SHUTTING_DOWN = 1006


def test_ping_interval_and_pong_timeout(serve, tmp_path: Path):
    server = serve("--spec", str(with_limits(tmp_path, ping_interval="1s", pong_timeout="3s")))
    with upgraded(server) as silent, upgraded(server) as polite:
        # Who answers stays, also past the time in which the other is given up.
        for _ in range(3):
            assert any_frame(polite) == (PING, b"")
            polite.sendall(frame(PONG))
        assert any_frame(silent) == (PING, b"")
        assert close_code(silent) == 1011
        assert rest(silent) == b""
        polite.sendall(request("ping", 1))
        while (answer := any_frame(polite))[0] == PING:
            polite.sendall(frame(PONG))
        assert answer[0] == TEXT


def test_whoever_asks_is_not_pinged(serve, tmp_path: Path):
    server = serve("--spec", str(with_limits(tmp_path, ping_interval="5s", pong_timeout="1s")))
    with upgraded(server) as busy, upgraded(server) as silent:
        while True:
            silent.setblocking(False)
            try:
                silent.recv(2, 2)  # MSG_PEEK
                break
            except BlockingIOError:
                pass
            finally:
                silent.settimeout(DEADLINE)
            busy.sendall(request("ping", 1))
            assert message(busy)["result"] == {}
        assert close_code_after_ping(silent) == 1011


def close_code_after_ping(peer) -> int:
    assert any_frame(peer) == (PING, b"")
    return close_code(peer)


@pytest.mark.parametrize("talks_on", [False, True])
def test_close_time(talks_on: bool, serve, tmp_path: Path):
    """Who does not answer a close frame is cut off, also if it says other things."""
    server = serve("--spec", str(with_limits(tmp_path, close_time="1s")))
    with bystander_of(server) as bystander, upgraded(server) as peer:
        peer.sendall(frame(2, b"binary"))
        assert close_code(peer) == 1003

        def is_cut() -> bool:
            try:
                peer.sendall(request("ping", 1) if talks_on else b"")
                peer.setblocking(False)
                return not peer.recv(65536)
            except BlockingIOError:
                return False
            except ConnectionError:
                return True
            finally:
                peer.settimeout(DEADLINE)

        until(is_cut, "the end of the connection")
        bystander.served(10)


def test_drain_time(mock: Mock, serve, tmp_path: Path):
    server = serve("--spec", str(with_limits(tmp_path, drain_time="4s")), **mock.variables)
    mock.arm(litellm=[HANG])
    with upgraded(server) as peer:
        peer.sendall(request("create_task", 1, description="a"))
        until(lambda: mock.calls("/v1/chat/completions"), "the call of the model")
        server.process.terminate()
        error = message(peer)["error"]
        assert error["code"] == SHUTTING_DOWN
        # What is asked meanwhile is served, and who comes is told to come back.
        peer.sendall(request("get_task_status", 2, task_id=error["data"]["task_id"]))
        assert message(peer)["result"]["state"] == "executing"
        with opened(server) as late:
            late.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n"
                         b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
            answer = rest(late)
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"\r\nRetry-After: %d\r\n" % limit("retry_after") in answer
        assert close_code(peer) == 1001
        assert server.wait() == 0

    # The task that ran is taken up by the next start.
    mock.reset()
    server = serve(port=server.port, **mock.variables)
    with bystander_of(server) as bystander:
        task = {"task_id": error["data"]["task_id"]}
        until(lambda: bystander.ask("get_task_status", **task)["state"] == "completed", "the end of the task")


@pytest.mark.parametrize("loops", [None, 1, 3])
def test_loops(loops: int | None, serve):
    """There are as many as told, or one for each core, and every one serves its share of the connections."""
    server = serve(*(["--loops", str(loops)] if loops else []))

    def turns() -> dict[str, int]:
        found = {}
        for task in Path(f"/proc/{server.process.pid}/task").iterdir():
            name = (task / "comm").read_text().strip()
            if name.startswith("loop-"):
                found[name] = switches(task)
        return found

    until(lambda: len(turns()) == (loops or len(os.sched_getaffinity(0))), "the threads of the loops")
    before = turns()
    assert len(before) == (loops or len(os.sched_getaffinity(0)))
    with ExitStack() as stack:
        for _ in before:
            stack.enter_context(upgraded(server))

        def have_all_woken() -> bool:
            now = turns()
            return all(now[name] > before[name] for name in before)

        # A loop without a connection has nothing to wake up for.
        until(have_all_woken, "a connection for each loop")


def switches(task: Path) -> int:
    """How often a thread has gone to sleep."""
    [line] = [line for line in (task / "status").read_text().splitlines() if line.startswith("voluntary_ctxt")]
    return int(line.split()[1])


@pytest.mark.parametrize("company", [0, 50])
def test_an_idle_server_uses_no_cpu(company: int, serve):
    """Neither alone nor with clients that say nothing does it wake up but for what is due."""
    server = serve()
    process = Path(f"/proc/{server.process.pid}")

    def wakings() -> int:
        return sum(switches(task) for task in (process / "task").iterdir())

    def ticks() -> int:
        fields = (process / "stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    with ExitStack() as stack:
        for _ in range(company):
            stack.enter_context(upgraded(server))
        def settled() -> bool:
            before = wakings()
            time.sleep(0.5)
            return wakings() == before

        until(settled, "rest")
        before, used = wakings(), ticks()
        time.sleep(3)
        # A probe of LiteLLM may fall due; a loop that spins or polls does so hundreds of times.
        assert wakings() - before < 50
        # A spinning thread uses its share of the core, a hundred ticks a second if nobody else does.
        assert ticks() - used <= 3
