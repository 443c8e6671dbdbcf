"""Each row of Spec/limits.yaml is reached, from both sides where it has two, and the next request is served."""

import json
import select
from contextlib import ExitStack
from pathlib import Path

import pytest

from conftest import DEADLINE, HANG, Mock, limit, until, with_limits
from raw import (
    CLOSE, CONTINUATION, MIB, PING, TEXT, UPGRADE, any_frame, bystander_of, close_code, ends, frame, grown, message,
    opened, request, rest, upgraded,
)

MESSAGE = limit("message_bytes")
INVALID_REQUEST, PARSE_ERROR, QUEUE_FULL, RATE_LIMITED = -32600, -32700, 1003, 1005


def ping_of(size: int) -> bytes:
    """A ping whose message has exactly so many bytes."""
    head, tail = b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"', b'"}}'
    return head + b"x" * (size - len(head) - len(tail)) + tail


def is_served(peer) -> None:
    peer.sendall(request("ping", "served"))
    assert message(peer) == {"jsonrpc": "2.0", "id": "served", "result": {}}


@pytest.mark.parametrize("pieces", [1, 3])
def test_message_bytes(pieces: int, serve):
    server = serve()

    def sent(size: int) -> bytes:
        payload, step = ping_of(size), size // pieces + 1
        parts = [payload[start : start + step] for start in range(0, size, step)]
        return b"".join(
            frame(TEXT if index == 0 else CONTINUATION, part, final=index == len(parts) - 1) for index, part in enumerate(parts)
        )

    with upgraded(server) as peer:
        peer.sendall(sent(MESSAGE))
        assert message(peer)["result"] == {}
        # The last byte need not come for the message to be too long: behind the close it could cut us off.
        peer.sendall(sent(MESSAGE + 1)[:-1])
        assert close_code(peer) == 1009
        assert ends(peer)


def test_json_depth(serve):
    depth = limit("json_depth")
    with upgraded(serve()) as peer:
        for levels, is_taken in ((depth, True), (depth + 1, False), (500_000, False)):
            # The object is the first level, params the second.
            value = "[" * (levels - 2) + "]" * (levels - 2)
            peer.sendall(frame(TEXT, f'{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"x":{value}}}}}'.encode()))
            answer = message(peer)
            assert answer.get("result") == {} if is_taken else answer["error"]["code"] == PARSE_ERROR
            is_served(peer)


@pytest.mark.parametrize("extra, status", [(0, b"101"), (1, b"431"), (10 * MIB, b"431")])
def test_header_bytes(extra: int, status: bytes, serve):
    size = limit("header_bytes") - len(UPGRADE) - len("X: \r\n\r\n") + extra
    with opened(serve()) as peer:
        try:
            peer.sendall(UPGRADE + b"X: " + b"x" * size + b"\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            assert extra > MIB
        assert peer.recv(12) == b"HTTP/1.1 " + status


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize("extra, is_taken", [(0, True), (1, False)])
def test_body_bytes(is_chunked: bool, extra: int, is_taken: bool, serve):
    size = limit("body_bytes") + extra
    head = b"POST /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
    head += b"Transfer-Encoding: chunked\r\n\r\n" if is_chunked else b"Content-Length: %d\r\n\r\n" % size
    body = b"%x\r\n" % size + b"x" * size + b"\r\n0\r\n\r\n" if is_chunked else b"x" * size
    with opened(serve()) as peer:
        peer.sendall(head + (body if is_taken else body[:100]))
        answer = rest(peer)
        assert answer.startswith(b"HTTP/1.1 404 " if is_taken else b"HTTP/1.1 413 ")
        assert b"Connection: close\r\n" in answer


def test_handshake_time(serve, tmp_path: Path):
    # 10 s by default; short enough to wait for, long enough for a client that means it.
    server = serve("--spec", str(with_limits(tmp_path, handshake_time="3s")))
    with bystander_of(server) as bystander, ExitStack() as stack:
        peers = {stack.enter_context(opened(server)): b"" for _ in range(30)}
        waiting = set(peers)

        def drip() -> None:
            for peer in select.select(waiting, [], [], 0.05)[0]:
                peers[peer] = rest(peer)
                waiting.discard(peer)
            for peer in waiting:
                try:
                    peer.send(UPGRADE[:1] if not peers[peer] else b"x")
                    peers[peer] = b"begun"
                except (BrokenPipeError, ConnectionResetError):
                    pass

        bystander.during(drip, enough=lambda: not waiting)
        for answer in peers.values():
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert b"Connection: close\r\n" in answer


def test_connections(serve):
    server = serve(OMNI_MAX_CONNECTIONS="8")
    with bystander_of(server), ExitStack() as stack:

        def upgrade() -> bool:
            try:
                stack.enter_context(upgraded(server))
                return True
            except AssertionError:
                return False

        for _ in range(7):
            # What has just asked for /readyz may still count.
            until(upgrade, "a connection below the limit")
        for _ in range(20):
            with opened(server) as peer:
                answer = rest(peer)
                assert answer.startswith(b"HTTP/1.1 503 ")
                assert b"\r\nRetry-After: %d\r\n" % limit("retry_after") in answer
        stack.close()
        until(upgrade, "a connection when there is room again")


def pushed_against_a_stop(peer, data: bytes) -> int:
    """How much is sent until nothing has been taken for a while. A slow machine stops early, that is all."""
    peer.setblocking(False)
    sent = 0
    while sent < 64 * MIB and select.select([], [peer], [], 2)[1]:
        sent += peer.send(data[sent % len(data) :])
    peer.settimeout(DEADLINE)
    return sent


def test_in_flight(mock: Mock, serve):
    server = serve(**mock.variables)
    mock.arm(litellm=[HANG])
    most = limit("in_flight")
    with bystander_of(server) as bystander, upgraded(server) as peer:
        for number in range(most - 1):
            peer.sendall(request("create_task", number, description=f"{number}"))
        # One below the limit is read on.
        is_served(peer)
        peer.sendall(request("create_task", "last", description="last") + request("ping", "late"))

        def tasks() -> list[dict]:
            return bystander.ask("list_tasks", limit=500)["tasks"]

        until(lambda: len(tasks()) == most, "as many tasks as there may be requests")
        assert pushed_against_a_stop(peer, frame(PING, b"x" * 125) * 4000) < 64 * MIB
        bystander.served(10)

        # With one answered the next request is read: the ping that came behind.
        cancelled = tasks()[0]["task_id"]
        assert bystander.ask("cancel_task", task_id=cancelled)["state"] == "cancelled"
        assert message(peer)["result"] == {"task_id": cancelled, "status": "cancelled"}
        assert message(peer)["id"] == "late"


@pytest.mark.parametrize("is_bare", [True, False], ids=["bare", "jsonrpc"])
def test_in_flight_bytes(is_bare: bool, mock: Mock, serve):
    """Requests of a MiB in small values, the most memory that text can ask for."""
    server = serve(**mock.variables)
    mock.arm(litellm=[HANG])
    head = b'{"method":"create_task","params":{"description":"a","x":[' if is_bare else (
        b'{"jsonrpc":"2.0","id":1,"method":"create_task","params":{"description":"a","x":[')
    large = head + b"1," * ((MESSAGE - len(head) - 10) // 2) + b"1]}}"
    with bystander_of(server) as bystander, upgraded(server) as peer:
        sent = pushed_against_a_stop(peer, frame(TEXT, large))
        # What is read, and what the kernel keeps beside it.
        assert sent < 64 * MIB, "the server went on reading"
        # A digit and its comma become a value of up to 32 bytes.
        bystander.memory_was_bounded(16 * grown(limit("in_flight_bytes") + MESSAGE))
        tasks = bystander.ask("list_tasks", limit=500)["tasks"]
        assert len(tasks) == 1 if is_bare else len(tasks) == -(-limit("in_flight_bytes") // len(large))
        for task in tasks:
            bystander.ask("cancel_task", task_id=task["task_id"])
            assert message(peer)["result"]["status"] == "cancelled"
        until(lambda: len(bystander.ask("list_tasks", limit=500)["tasks"]) > len(tasks), "reading what came behind")


def test_in_flight_bytes_are_given_back(serve):
    element = {"jsonrpc": "2.0", "method": "ping", "params": {"x": "x" * (MESSAGE // 3)}}
    batch = frame(TEXT, json.dumps([element | {"id": 1}, element | {"id": 2}]).encode())
    bare = frame(TEXT, json.dumps({"method": "get_task_status", "params": {"task_id": "x" * 900_000}}).encode())
    with upgraded(serve()) as peer:
        for _ in range(2 * limit("in_flight_bytes") // MESSAGE):
            peer.sendall(batch)
            assert [answer["id"] for answer in message(peer)] == [1, 2]
            peer.sendall(bare)
            assert message(peer) == {"result": {"error": "Task not found"}}


def test_batch_elements(serve):
    most = limit("batch_elements")

    def batch(count: int) -> bytes:
        one = {"jsonrpc": "2.0", "method": "ping"}
        return frame(TEXT, json.dumps([one | {"id": number} for number in range(count)]).encode())

    with upgraded(serve()) as peer:
        peer.sendall(batch(most))
        assert [answer["id"] for answer in message(peer)] == list(range(most))
        peer.sendall(batch(most + 1))
        refused = message(peer)
        assert (refused["error"]["code"], refused["id"]) == (INVALID_REQUEST, None)
        is_served(peer)


def test_unsent_bytes(serve):
    """So much may wait for a client that comes back to read; past it the connection is closed."""
    server = serve(OMNI_LOG_LEVEL="debug")
    size, frames = 100_000, limit("unsent_bytes") // 100_100
    with bystander_of(server) as bystander, upgraded(server, receive_buffer=4096) as slow:
        for number in range(frames):
            slow.sendall(request("ping", f"{number} " + "x" * (size - 100)))
        bystander.served(10)
        for number in range(frames):
            assert message(slow)["id"].startswith(f"{number} ")
        is_served(slow)

    def last_words() -> int | None:
        """The code of the close behind what was queued; none when we were too slow to be told."""
        before = server.err.read_text().count('"code":1008')
        with upgraded(server, receive_buffer=4096) as slow:
            while server.err.read_text().count('"code":1008') == before:
                try:
                    slow.sendall(request("ping", "x" * size))
                except ConnectionError:
                    return None
            try:
                while True:
                    opcode, payload = any_frame(slow)
                    if opcode == CLOSE:
                        return int.from_bytes(payload[:2], "big")
            except (ConnectionError, AssertionError):
                return None

    assert until(last_words, "a close frame") == 1008


def test_queued_tasks(mock: Mock, serve):
    server = serve(OMNI_MAX_QUEUED="3", **mock.variables)
    mock.arm(litellm=[HANG])
    with upgraded(server) as peer:
        ids = []
        for number in range(3):
            peer.sendall(request("create_task", number, description="a", wait=False))
            ids.append(message(peer)["result"]["task_id"])
        peer.sendall(request("create_task", 3, description="a", wait=False))
        error = message(peer)["error"]
        assert (error["code"], error["data"]["retry_after_s"]) == (QUEUE_FULL, limit("retry_after"))
        is_served(peer)
        peer.sendall(request("cancel_task", 4, task_id=ids[0]))
        assert message(peer)["result"]["state"] == "cancelled"
        peer.sendall(request("create_task", 5, description="a", wait=False))
        assert message(peer)["result"]["status"] == "idle"


def test_page_bytes(mock: Mock, serve):
    server = serve(**mock.variables)
    most = limit("page_bytes")
    with upgraded(server) as peer:
        created = []
        for number in range(40):
            peer.sendall(request("create_task", number, description="é" * 32_768, wait=False))
            created.append(message(peer)["result"]["task_id"])
        listed, cursor = [], {}
        while True:
            peer.sendall(request("list_tasks", "page", limit=500, **cursor))
            opcode, payload = any_frame(peer)
            # A page ends with the task that fills it; the envelope is not counted.
            assert opcode == TEXT and len(payload) < most + 2 * 70_000
            page = json.loads(payload)["result"]
            listed += [task["task_id"] for task in page["tasks"]]
            if "next_cursor" not in page:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert listed == created[::-1]
        assert cursor, "all of it came on one page"


def test_completion_bytes(mock: Mock, serve, tmp_path: Path):
    server = serve("--spec", str(with_limits(tmp_path, completion_bytes=10_000)), **mock.variables)

    def completion(size: int) -> dict:
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "x" * size}}
        body = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        return {"on": "POST /v1/chat/completions", "status": 200, "body": body}

    with bystander_of(server) as bystander:
        for size, source in ((9_000, "litellm"), (11_000, "direct")):
            mock.reset()
            mock.arm(litellm=[completion(size)])
            task = bystander.ask("get_task_status", task_id=bystander.ask("create_task", description="a")["task_id"])
            assert (task["state"], task["executor"]) == ("completed", source), task


def test_retry_after_of_a_rate(serve):
    with upgraded(serve(OMNI_RATE_LIMIT="1")) as peer:
        for number in range(20):
            peer.sendall(request("ping", number))
        errors = [answer["error"] for answer in (message(peer) for _ in range(20)) if "error" in answer]
        assert errors
        assert {(error["code"], error["data"]["retry_after_s"]) for error in errors} == {(RATE_LIMITED, 1)}
