"""Streamable HTTP, rule by rule, with a client that writes each request itself."""

import json
import re
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest
from mcp import ClientSession, types
from mcp.client.streamable_http import streamable_http_client

from conftest import DEADLINE, limit, until, with_limits
from raw_http import ACCEPT, META, RESUME, SESSION, STATELESS, VERSION, Client, Stateless
from upstream import upstream

LEGACY = ["2025-03-26", "2025-06-18", "2025-11-25"]
# How soon a POST becomes a stream where a test wants one.
SOON = "50ms"


@pytest.fixture
def world():
    with upstream() as world:
        yield world


@pytest.fixture
def hanging(world, serve, tmp_path):
    """A server whose models answer no task before `world.free`, and whose POSTs become streams soon."""
    world.decide = lambda text: None
    return serve("--spec", str(with_limits(tmp_path, stream_after=SOON)), **world.variables)


def task_of(reply: dict) -> dict:
    """What a call of a tool has told."""
    return json.loads(reply["result"]["content"][0]["text"])


# A session


@pytest.mark.parametrize("revision", ["2024-11-05", *LEGACY])
def test_a_session_from_initialize_to_delete(serve, revision):
    client = Client(serve()).begin(revision)
    assert re.fullmatch("[!-~]{22,}", client.headers[SESSION])
    assert client.ask("ping").result == {}
    assert len(client.ask("tools/list").result["tools"]) == 5
    assert client.ask("nope").code == -32601
    # Without the header of the revision that of the session holds.
    assert client.post(client.message("ping"), {VERSION: None}).result == {}
    assert client.request("DELETE").status == 204
    for method, body in [("POST", client.message("ping")), ("GET", None), ("DELETE", None)]:
        reply = client.request(method, body)
        assert reply.status == 404 and reply.code == -32600


def test_sessions_are_apart(serve):
    server = serve()
    one, other = Client(server).begin(), Client(server).begin("2025-06-18")
    assert one.headers[SESSION] != other.headers[SESSION]
    assert one.request("DELETE").status == 204
    assert other.ask("ping").result == {}


def test_a_session_is_served_on_any_connection_of_any_loop(serve):
    client = Client(serve("--loops", "4")).begin()
    with ThreadPoolExecutor(8) as pool:
        messages = [client.message("ping") for _ in range(64)]
        for message, reply in zip(messages, pool.map(client.post, messages)):
            assert reply.json == {"jsonrpc": "2.0", "id": message["id"], "result": {}}


def test_many_requests_on_one_connection(serve):
    client = Client(serve()).begin()
    connection = client.send("POST", client.message("ping"))
    for _ in range(3):
        assert json.loads(connection.getresponse().read())["result"] == {}
        headers = {"Accept": ACCEPT, "Content-Type": "application/json", **client.headers}
        connection.request("POST", "/mcp", json.dumps(client.message("ping")), headers)
    connection.getresponse().read()
    connection.close()


def test_initialize_again_in_a_session_is_refused(serve):
    client = Client(serve()).begin()
    again = client.ask("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={"name": "a", "version": "1"})
    assert again.status == 400 and again.code == -32600
    assert client.ask("ping").result == {}


def test_notifications_and_responses_are_accepted(serve):
    client = Client(serve()).begin()
    for message in [
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "method": "notifications/unknown"},
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "nobody"}},
        {"jsonrpc": "2.0", "id": "q1", "result": {}},
        {"jsonrpc": "2.0", "id": 7, "error": {"code": -1, "message": "no"}},
    ]:
        reply = client.post(message)
        assert (reply.status, reply.text) == (202, "")


def test_an_idle_session_ends(serve, tmp_path):
    server = serve("--spec", str(with_limits(tmp_path, mcp_session_idle="200ms")), OMNI_LOG_LEVEL="debug")
    client = Client(server).begin()
    with client.opened("GET") as stream:
        assert stream.next().retry
        # An open stream keeps no session alive for longer than a comment takes, which is too long here.
        until(lambda: '"closed"' in server.err.read_text(), "the end of the session")
        assert stream.rest() == []
    assert client.ask("ping").status == 404


def test_who_was_away_longest_makes_room(serve, tmp_path):
    spec = with_limits(tmp_path, mcp_sessions=2, stream_keep_alive="100ms")
    server = serve("--spec", str(spec))
    first, second = Client(server).begin(), Client(server).begin()

    def listener():
        with second.opened("GET") as stream:
            # Its comments show that the second is there.
            until(lambda: stream.next().comments == [""], "a comment")
            third = Client(server)
            until(lambda: begins(third), "room for a third")
            assert third.ask("ping").result == {}

    def begins(client: Client) -> bool:
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "a", "version": "1"}}
        reply = client.ask("initialize", **params)
        assert reply.status in (200, 503)
        if reply.status == 503:
            assert reply.headers["Retry-After"] == str(limit("retry_after"))
            return False
        client.headers[SESSION] = reply.headers[SESSION]
        return True

    listener()
    assert first.ask("ping").status == 404
    assert second.ask("ping").result == {}


# What a request says about itself


@pytest.mark.parametrize("headers, status", [
    ({"Accept": None}, 406), ({"Accept": "application/json"}, 406), ({"Accept": "text/event-stream"}, 406),
    ({"Accept": "text/event-stream;q=0, application/json"}, 406),
    ({"Accept": "*/*"}, 200), ({"Accept": "text/event-stream, application/json"}, 200),
    ({"Content-Type": None}, 415), ({"Content-Type": "text/plain"}, 415),
    ({"Content-Type": "Application/JSON; charset=utf-8"}, 200),
    ({SESSION: None}, 400), ({SESSION: "0" * 32}, 404), ({SESSION: "a b"}, 404),
    ({VERSION: "2099-01-01"}, 400), ({VERSION: "garbage"}, 400), ({VERSION: "2025-06-18"}, 200), ({VERSION: None}, 200),
])
def test_the_header_of_a_post(serve, headers, status):
    client = Client(serve()).begin()
    reply = client.post(client.message("ping"), headers)
    assert reply.status == status
    if status != 200:
        error = reply.json
        assert error["jsonrpc"] == "2.0" and error["error"]["code"] in (-32600, -32022)
    assert client.ask("ping").result == {}


@pytest.mark.parametrize("headers, status", [
    ({"Accept": "application/json"}, 406), ({"Accept": None}, 406), ({SESSION: None}, 400), ({SESSION: "x"}, 404),
    ({VERSION: "1"}, 400), ({RESUME: "7-7"}, 400), ({RESUME: "x"}, 400), ({VERSION: STATELESS}, 405),
])
def test_the_header_of_a_get(serve, headers, status):
    client = Client(serve()).begin()
    reply = client.request("GET", None, headers)
    assert reply.status == status and reply.code in (-32600, -32022)
    assert client.ask("ping").result == {}


@pytest.mark.parametrize("headers, status", [({SESSION: None}, 400), ({SESSION: "x"}, 404), ({VERSION: STATELESS}, 405)])
def test_the_header_of_a_delete(serve, headers, status):
    client = Client(serve()).begin()
    assert client.request("DELETE", None, headers).status == status
    assert client.ask("ping").result == {}


@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "HEAD"])
def test_other_methods(serve, method):
    client = Client(serve())
    for headers, allowed in [({}, "GET, POST, DELETE"), ({VERSION: STATELESS}, "POST")]:
        reply = client.request(method, None, headers)
        assert reply.status == 405 and reply.headers["Allow"] == allowed


@pytest.mark.parametrize("body, code", [
    (b"", -32700), (b"{", -32700), (b"\xff", -32700), (b"[" * 70 + b"]" * 70, -32700), (b"7", -32600), (b"[]", -32600),
    (b"{}", -32600), (b'{"method": "ping", "id": 1}', -32600), (b'{"jsonrpc": "1.0", "method": "ping", "id": 1}', -32600),
    (b'{"jsonrpc": "2.0", "method": "ping", "id": null}', -32600), (b'{"jsonrpc": "2.0", "id": 1}', -32600),
    (b'{"jsonrpc": "2.0", "method": 7, "id": 1}', -32600),
])
@pytest.mark.parametrize("revision", ["2025-06-18", "2025-11-25", STATELESS])
def test_a_body_that_is_no_message(serve, body, code, revision):
    server = serve()
    client = Stateless(server) if revision == STATELESS else Client(server).begin(revision)
    reply = client.post(body)
    assert reply.status == 400 and reply.code == code
    identity = reply.json.get("id", "absent")
    assert identity == (1 if b'"id": 1' in body else None if revision == "2025-06-18" else "absent")
    if revision != STATELESS:
        assert client.ask("ping").result == {}


def test_a_body_past_the_limit(serve):
    client = Client(serve()).begin()
    assert client.post(b" " * (limit("body_bytes") + 1)).status == 413
    fits = json.dumps(client.message("ping")).encode()
    assert client.post(fits + b" " * (limit("body_bytes") - len(fits))).result == {}


@pytest.mark.parametrize("host, origin, status", [
    ("127.0.0.1:{port}", None, 200), ("127.0.0.1:{port}", "http://127.0.0.1:{port}", 200),
    ("localhost:{port}", "http://localhost:{port}", 200), ("[::1]:{port}", "http://[::1]:{port}", 200),
    ("127.0.0.1:{port}", "http://listed.example", 200), ("listed.example", "http://listed.example", 200),
    ("evil.example:{port}", "http://evil.example:{port}", 403), ("evil.example", "http://evil.example", 403),
    ("127.0.0.1:{port}", "http://evil.example", 403), ("127.0.0.1:{port}", "http://127.0.0.1:1", 403),
    ("127.0.0.1:{port}", "null", 403), ("localhost.evil.example", "http://localhost.evil.example", 403),
])
def test_where_a_page_comes_from(serve, host, origin, status):
    server = serve(OMNI_ORIGINS="http://listed.example")
    headers = {"Host": host.format(port=server.port), "Origin": origin and origin.format(port=server.port)}
    client = Client(server).begin()
    assert client.post(client.message("ping"), headers).status == status
    assert client.request("DELETE", None, headers).status == (204 if status == 200 else 403)


def test_a_token_is_asked_for_here_too(serve):
    client = Client(serve(OMNI_TOKEN="secret"))
    assert client.request("GET").status == 401
    client.headers["Authorization"] = "Bearer secret"
    assert client.begin().ask("ping").result == {}


# Batches


def test_a_batch_of_2025_03_26_is_answered_in_its_order(serve):
    client = Client(serve()).begin("2025-03-26")
    batch = [client.message("ping"), client.message("nope"), {"jsonrpc": "2.0", "method": "notifications/unknown"}, 7, client.message("ping")]
    reply = client.post(batch)
    assert reply.status == 200
    assert [answer.get("id") for answer in reply.json] == [batch[0]["id"], batch[1]["id"], None, batch[4]["id"]]
    assert [answer.get("error", {}).get("code") for answer in reply.json] == [None, -32601, -32600, None]
    assert client.post([{"jsonrpc": "2.0", "method": "notifications/unknown"}]).status == 202
    # Initialize stands alone.
    hello = client.message("initialize", protocolVersion="2025-03-26", capabilities={}, clientInfo={"name": "a", "version": "1"})
    assert [answer["error"]["code"] for answer in client.post([hello]).json] == [-32600]
    assert Client(client.server).post([hello]).status == 400


def test_a_batch_that_takes_a_while_is_answered_by_events(hanging, world):
    client = Client(hanging).begin("2025-03-26")
    batch = [client.message("ping"), client.call("create_task", description="hang"), client.message("ping")]
    with client.opened("POST", batch) as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        assert [stream.message()["id"], stream.message()["id"]] == [batch[0]["id"], batch[2]["id"]]
        world.free()
        [last] = stream.messages()
        assert last["id"] == batch[1]["id"] and task_of(last)["status"] == "completed"


@pytest.mark.parametrize("revision", ["2025-06-18", "2025-11-25"])
def test_later_revisions_have_no_batches(serve, revision):
    client = Client(serve()).begin(revision)
    reply = client.post([client.message("ping")])
    assert reply.status == 400 and reply.code == -32600


# The stream of a request


def test_an_answer_that_takes_a_while_comes_on_a_stream(hanging, world):
    for revision in ["2025-06-18", "2025-11-25"]:
        world.freed.clear()
        client = Client(hanging).begin(revision)
        call = client.call("create_task", description=revision)
        with client.opened("POST", call) as stream:
            assert stream.headers["Content-Type"] == "text/event-stream"
            assert stream.headers["X-Accel-Buffering"] == "no"
            if revision == "2025-11-25":
                first = stream.next()
                assert first.id and first.data == "" and int(first.retry) > 0
            world.free()
            [event] = stream.rest()
            assert event.id and event.message["id"] == call["id"]
            assert task_of(event.message)["status"] == "completed"


def test_progress_comes_before_the_answer(world, serve):
    server = serve(**world.variables)
    for client in [Client(server).begin(), Stateless(server)]:
        with client.opened("POST", client.call("create_task", {"progressToken": "p"}, description="say")) as stream:
            *progress, answer = stream.messages()
        assert [message["method"] for message in progress] == ["notifications/progress"] * len(progress)
        assert {message["params"]["progressToken"] for message in progress} == {"p"}
        counts = [message["params"]["progress"] for message in progress]
        assert counts == sorted(set(counts)) and progress[-1]["params"]["message"] == "completed"
        assert task_of(answer)["status"] == "completed"


def test_an_open_stream_shows_that_it_lives(serve, tmp_path):
    server = serve("--spec", str(with_limits(tmp_path, stream_keep_alive=SOON)))
    client = Client(server).begin()
    with client.opened("GET") as stream:
        events = [stream.next() for _ in range(3)]
    assert events[0].data == "" and [event.comments for event in events[1:]] == [[""], [""]]


def test_a_cut_stream_goes_on_where_it_was(hanging, world):
    client = Client(hanging).begin()
    one, other = (client.call("create_task", {"progressToken": text}, description=text) for text in ("one", "other"))
    with client.opened("POST", one) as stream, client.opened("POST", other) as kept:
        seen = [stream.next() for _ in range(2)]
        assert seen[1].message["params"]["progressToken"] == "one"
        until(lambda: world.open["one"] and world.open["other"], "both calls")
        stream.cut()
        world.free()
        rest = kept.messages()
        assert rest[-1]["id"] == other["id"]
        assert {message["params"]["progressToken"] for message in rest[:-1]} == {"other"}
    for _ in range(2):  # as often as it likes
        with client.opened("GET", None, {RESUME: seen[0].id}) as stream:
            events = stream.rest()
        messages = [event.message for event in events]
        assert messages[0] == seen[1].message and messages[-1]["id"] == one["id"]
        assert {message["params"]["progressToken"] for message in messages[:-1]} == {"one"}
        assert len({event.id for event in events}) == len(events)
    with client.opened("GET", None, {RESUME: events[-1].id}) as stream:
        assert stream.rest() == []


def test_who_comes_back_early_is_told_what_comes(hanging, world):
    client = Client(hanging).begin()
    call = client.call("create_task", description="hang")
    with client.opened("POST", call) as stream:
        place = stream.next().id
        # The first connection is still there: the second takes its place.
        with client.opened("GET", None, {RESUME: place}) as again:
            assert stream.rest() == []
            world.free()
            [answer] = again.messages()
            assert answer["id"] == call["id"]


def test_a_place_of_another_session_is_none(hanging):
    one, other = Client(hanging).begin(), Client(hanging).begin()
    with one.opened("POST", one.call("create_task", description="hang")) as stream:
        place = stream.next().id
        assert other.request("GET", None, {RESUME: place}).status == 400


def test_a_server_that_ends_the_stream_is_come_back_to(serve):
    client = Client(serve("--conformance-fixtures")).begin()
    call = client.call("test_reconnection")
    with client.opened("POST", call) as stream:
        first, *rest = stream.rest()
    assert first.id and first.data == "" and first.retry
    assert all(event.data is None for event in rest) and rest[-1].retry
    with client.opened("GET", None, {RESUME: first.id}) as stream:
        [answer] = stream.messages()
    assert answer["id"] == call["id"] and answer["result"]["content"]


def test_what_was_kept_is_bounded(serve, world, tmp_path):
    server = serve("--spec", str(with_limits(tmp_path, stream_events=2)), **world.variables)
    client = Client(server).begin()
    with client.opened("POST", client.call("create_task", {"progressToken": 1}, description="a")) as stream:
        first, *all_events = stream.rest()
    assert len(all_events) > 2
    with client.opened("GET", None, {RESUME: first.id}) as stream:
        assert stream.rest() == all_events[-2:]


# Disconnecting and cancelling


def test_who_goes_away_has_not_cancelled(hanging, world):
    client = Client(hanging).begin()
    with client.opened("POST", client.call("create_task", description="hang")) as stream:
        place = stream.next().id
        until(lambda: world.open["hang"] == 1, "the call")
    assert client.ask("ping").result == {}
    [task] = task_of(client.post(client.call("list_tasks")).json)["tasks"]
    assert task["state"] == "executing" and world.open["hang"] == 1
    world.free()
    with client.opened("GET", None, {RESUME: place}) as stream:
        [answer] = stream.messages()
    assert task_of(answer) == {"task_id": task["task_id"], "status": "completed", "result": "done"}


def test_a_cancelled_request_is_not_answered(hanging, world):
    client = Client(hanging).begin()
    call = client.call("create_task", description="hang")
    with client.opened("POST", call) as stream:
        until(lambda: world.open["hang"] == 1, "the call")
        assert client.notify("notifications/cancelled", requestId=call["id"]).status == 202
        assert stream.messages() == []
    until(lambda: world.open["hang"] == 0, "the end of the call")


def test_a_session_that_ends_takes_its_streams_along(hanging, world):
    client = Client(hanging).begin()
    with client.opened("GET") as listening, client.opened("POST", client.call("create_task", description="hang")) as stream:
        until(lambda: world.open["hang"] == 1, "the call")
        assert client.request("DELETE").status == 204
        assert stream.messages() == [] and listening.messages() == []


def test_a_session_that_ends_answers_who_waits(world, serve):
    world.decide = lambda text: None
    client = Client(serve(**world.variables)).begin("2025-06-18")
    connection = client.send("POST", client.call("create_task", description="hang"))
    until(lambda: world.open["hang"] == 1, "the call")
    assert client.request("DELETE").status == 204
    assert connection.getresponse().status in (404, 200)  # a stream, if that took longer than a second
    connection.close()


# What belongs to no request


def changing_task(client: Client) -> str:
    """A task that waits for its model, and that the session is told of."""
    task = task_of(client.post(client.call("create_task", description="hang", wait=False)).json)["task_id"]
    assert client.ask("resources/subscribe", uri=f"task://{task}").result == {}
    return task


def test_a_get_is_told_what_belongs_to_no_request(hanging):
    client = Client(hanging).begin()
    with client.opened("GET") as stream:
        assert stream.headers["Content-Type"] == "text/event-stream" and stream.next().data == ""
        task = changing_task(client)
        client.post(client.call("cancel_task", task_id=task))
        message = stream.message()
        assert message == {"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": f"task://{task}"}}


def test_it_is_kept_while_nobody_listens(hanging, world):
    client = Client(hanging).begin()
    task = changing_task(client)
    until(lambda: world.open["hang"] == 1, "the call")
    client.post(client.call("cancel_task", task_id=task))
    with client.opened("GET") as stream:
        place = stream.next().id
        first = stream.next()
        assert first.message["method"] == "notifications/resources/updated"
    with client.opened("GET", None, {RESUME: place}) as stream:
        assert stream.next() == first


def test_the_second_listener_takes_the_place_of_the_first(hanging):
    client = Client(hanging).begin()
    with client.opened("GET") as first:
        first.next()
        with client.opened("GET") as second:
            second.next()
            assert first.rest() == []
            task = changing_task(client)
            client.post(client.call("cancel_task", task_id=task))
            assert second.message()["method"] == "notifications/resources/updated"


# Limits


def test_a_session_has_so_many_requests_a_second(serve):
    client = Client(serve(OMNI_RATE_LIMIT="3")).begin()
    until(lambda: client.ask("ping").json.get("error", {}).get("code") == 1005, "a refusal", 60)
    until(lambda: "result" in client.ask("ping").json, "the next second")


def test_a_connection_without_sessions_has_so_many_requests_a_second(serve):
    client = Stateless(serve(OMNI_RATE_LIMIT="3"))
    connection = client.send("POST", client.message("tools/list"))
    headers = {"Accept": ACCEPT, "Content-Type": "application/json", **client.headers}

    def code() -> int | None:
        answer = json.loads(connection.getresponse().read())
        connection.request("POST", "/mcp", json.dumps(client.message("tools/list")), headers)
        return answer.get("error", {}).get("code")

    until(lambda: code() == 1005, "a refusal", 60)
    connection.close()


def test_a_session_has_so_many_unanswered_requests(world, serve, tmp_path):
    world.decide = lambda text: None
    server = serve("--spec", str(with_limits(tmp_path, stream_after=SOON, in_flight=2)), **world.variables)
    client = Client(server).begin()
    with client.opened("POST", client.call("create_task", description="a")), \
            client.opened("POST", client.call("create_task", description="b")):
        assert client.ask("ping").code == 1005
        assert Client(server).begin().ask("ping").result == {}
        world.free()
        until(lambda: "result" in client.ask("ping").json, "room")


# Stateless revisions


def test_a_stateless_message_needs_no_session(serve):
    client = Stateless(serve())
    reply = client.ask("server/discover")
    assert STATELESS in reply.result["supportedVersions"] and reply.headers[SESSION] is None
    assert client.post(client.message("tools/list"), {SESSION: "whatever"}).result["resultType"] == "complete"
    assert client.notify("notifications/cancelled", requestId=1).status == 202


@pytest.mark.parametrize("headers, code", [
    ({VERSION: None}, -32020), ({VERSION: "2025-11-25"}, -32020), ({VERSION: "v999"}, -32020),
    ({"Mcp-Method": "tools/list"}, -32020), ({"Mcp-Method": "TOOLS/CALL"}, -32020), ({"Mcp-Name": "other"}, -32020),
    ({"Mcp-Name": "=?base64?!!?="}, -32020), ({"Mcp-Method": "tools/call", "Mcp-Name": "list_tasks"}, None),
    ({"mcp-method": "tools/call", "MCP-NAME": " =?base64?bGlzdF90YXNrcw==?= "}, None),
])
def test_the_header_says_what_the_message_says(serve, headers, code):
    client = Stateless(serve())
    call = client.call("list_tasks")
    reply = client.post(call, headers)
    assert reply.json["id"] == call["id"]
    assert (reply.status, reply.json.get("error", {}).get("code")) == (400 if code else 200, code)


@pytest.mark.parametrize("meta, headers, code", [
    ({}, {}, -32602), ({META + "clientCapabilities": {}}, {}, -32602), ({META + "protocolVersion": STATELESS}, {}, -32602),
    ({META + "protocolVersion": "v999.0.0", META + "clientCapabilities": {}}, {VERSION: "v999.0.0"}, -32022),
    ({META + "protocolVersion": "2025-11-25", META + "clientCapabilities": {}}, {VERSION: "2025-11-25"}, -32022),
])
def test_what_meta_lacks_is_400(serve, meta, headers, code):
    client = Stateless(serve())
    reply = client.post({"jsonrpc": "2.0", "id": 7, "method": "tools/list", "params": {"_meta": meta}}, headers)
    assert reply.status == 400 and reply.code == code and reply.json["id"] == 7
    # A notification need not say what it is read by, but not something that nobody knows.
    reply = client.post({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"_meta": meta}}, headers)
    assert reply.status == (400 if code == -32022 else 202)


@pytest.mark.parametrize("method", ["nope", "initialize", "ping", "logging/setLevel", "tasks/list", "create_task"])
def test_an_unknown_method_is_404(serve, method):
    client = Stateless(serve())
    reply = client.ask(method)
    assert reply.status == 404 and reply.code == -32601


def test_other_errors_are_200(serve):
    client = Stateless(serve())
    assert client.ask("tools/call", name="nope").code == -32602
    assert client.ask("tools/call", name="nope").status == 200


def test_a_missing_capability_is_400(serve):
    client = Stateless(serve("--conformance-fixtures"))
    reply = client.post(client.call("test_missing_capability"))
    assert reply.status == 400 and reply.code == -32021


def test_responses_and_batches_are_refused(serve):
    client = Stateless(serve())
    assert client.post({"jsonrpc": "2.0", "id": 1, "result": {}}).status == 400
    assert client.post([client.message("tools/list")]).code == -32600


def test_both_eras_side_by_side(serve):
    server = serve()
    old, new = Client(server).begin(), Stateless(server)
    for _ in range(2):
        assert old.ask("ping").result == {}
        assert new.ask("tools/list").result["resultType"] == "complete"


def test_who_goes_away_has_cancelled(hanging, world):
    client = Stateless(hanging)
    for _ in range(3):
        with client.opened("POST", client.call("create_task", {"progressToken": 1}, description="hang")) as stream:
            stream.message()
            until(lambda: world.open["hang"] == 1, "the call")
        until(lambda: world.open["hang"] == 0, "the end of the call")
    connection = client.send("POST", client.call("create_task", description="unseen"))
    until(lambda: world.open["unseen"] == 1, "the call")
    connection.close()
    until(lambda: world.open["unseen"] == 0, "the end of the call")
    tasks = task_of(client.post(client.call("list_tasks")).json)["tasks"]
    assert [task["state"] for task in tasks] == ["cancelled"] * 4


def test_a_listener_is_acknowledged_and_told_what_it_asked_for(hanging):
    client = Stateless(hanging, {"extensions": {"io.modelcontextprotocol/tasks": {}}})
    task = task_of(client.post(client.call("create_task", description="hang", wait=False)).json)["task_id"]
    listen = client.message("subscriptions/listen", notifications={"taskIds": [task], "resourceSubscriptions": [f"task://{task}"]})
    with client.opened("POST", listen) as stream:
        assert stream.headers["Content-Type"] == "text/event-stream"
        first = stream.next()
        assert first.id is None and first.message["method"] == "notifications/subscriptions/acknowledged"
        client.post(client.call("cancel_task", task_id=task))
        told = first.message, stream.message(), stream.message()
    assert {message["params"]["_meta"][META + "subscriptionId"] for message in told} == {listen["id"]}


# The end


def test_streams_end_in_order_when_the_server_does(serve):
    server = serve()
    client, stateless = Client(server).begin(), Stateless(server)
    listen = stateless.message("subscriptions/listen", notifications={})
    with client.opened("GET") as one, stateless.opened("POST", listen) as other:
        one.next(), other.next()
        assert server.terminate() == 0
        assert one.rest() == [] and other.rest() == []


def test_no_session_begins_while_the_server_drains(hanging, world):
    client, stateless = Client(hanging).begin(), Stateless(hanging)
    client.post(client.call("create_task", description="hang", wait=False))
    until(lambda: world.open["hang"] == 1, "the call")
    hanging.process.terminate()
    hello = client.message("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={"name": "a", "version": "1"})
    reply = until(lambda: refusal(client.post(hello, {SESSION: None})), "the refusal")
    assert reply.headers["Retry-After"] == str(limit("retry_after"))
    assert client.request("GET").status == 503
    assert stateless.ask("subscriptions/listen", notifications={}).status == 503
    assert client.ask("ping").result == {}
    world.free()
    assert hanging.wait() == 0


def refusal(reply):
    return reply if reply.status == 503 else None


# A client of the field


def test_the_client_of_the_sdk(world, serve, tmp_path):
    """The SDK opens the GET stream, comes back to streams that end, and ends its session."""
    server = serve("--spec", str(with_limits(tmp_path, stream_after=SOON)), "--conformance-fixtures",
                   OMNI_LOG_LEVEL="debug", **world.variables)
    world.pause = 0.2  # for longer than SOON
    updated = []

    async def told(message) -> None:
        if isinstance(message, types.ServerNotification):
            updated.append(message.root.method)

    async def run():
        with anyio.fail_after(6 * DEADLINE):
            async with streamable_http_client(f"http://127.0.0.1:{server.port}/mcp") as (reading, writing, identity):
                async with ClientSession(reading, writing, message_handler=told) as session:
                    await use(session, identity)

    async def use(session: ClientSession, identity) -> None:
        hello = await session.initialize()
        assert hello.protocolVersion == "2025-11-25" and identity()
        await session.send_ping()
        assert len((await session.list_tools()).tools) > 5
        steps = []

        async def progress(done: float, total: float | None, text: str | None) -> None:
            steps.append(done)

        result = await session.call_tool("create_task", {"description": "say"}, progress_callback=progress)
        assert result.structuredContent["status"] == "completed" and steps == sorted(steps) and steps
        uri = f"task://{result.structuredContent['task_id']}"
        assert "completed" in (await session.read_resource(uri)).contents[0].text
        result = await session.call_tool("test_reconnection", {})
        assert not result.isError and result.content
        later = (await session.call_tool("create_task", {"description": "later", "wait": False})).structuredContent
        await session.subscribe_resource(f"task://{later['task_id']}")
        while "notifications/resources/updated" not in updated:
            await anyio.sleep(0.02)

    anyio.run(run)
    until(lambda: '"closed"' in server.err.read_text(), "the end of the session")
