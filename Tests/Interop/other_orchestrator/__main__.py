"""An orchestrator of another make, written from the specification alone.

It shares no line with the reference server. A case that it fails is a case that asks for more than
the specification says. With OTHER_MANNER=odd it does the same in the least usual way that is allowed.
"""

import asyncio
import hmac
import http
import logging
import os
import signal
import types

import websockets.asyncio.server as server
from websockets.datastructures import Headers
from websockets.http11 import Response

from connection import Connection
from engine import Engine
from methods import Methods
from store import Store
from wire import Refusal


def seconds(name, default):
    text = os.environ.get(name, default)
    return float(text[:-2]) / 1000 if text.endswith("ms") else float(text.removesuffix("s"))


def settings():
    get = os.environ.get
    return types.SimpleNamespace(
        host=get("OMNI_HOST", "127.0.0.1"), port=int(get("OMNI_PORT", "18765")),
        data=get("OMNI_DATA", "./data"), max_queued=int(get("OMNI_MAX_QUEUED", "100000")),
        token=get("OMNI_TOKEN"), odd=get("OTHER_MANNER") == "odd", rate_limit=int(get("OMNI_RATE_LIMIT", "0")),
        max_running=int(get("OMNI_ROUTER_MAX_RUNNING", "64")),
        cloud_check=seconds("OMNI_FAULT_HANDLER_CLOUD_CHECK_TIMEOUT", "10s"),
        threshold=int(get("OMNI_ROUTER_COMPLEXITY_THRESHOLD", "50")),
        litellm=get("LITELLM_URL", "http://127.0.0.1:4000"), litellm_key=get("LITELLM_API_KEY"),
        direct=get("DIRECT_API_URL", "https://api.anthropic.com"), backup_key=get("GITHUB_LITELLM_KEY"),
        direct_model=get("DIRECT_API_MODEL", "claude-3-5-sonnet-20241022"),
        local=get("BRAINSTEM_URL", "http://127.0.0.1:11434"),
        interval=seconds("OMNI_HEALTH_INTERVAL", "30s"), connect=seconds("OMNI_CONNECT_TIMEOUT", "2s"),
        first_byte=seconds("OMNI_FIRST_BYTE_TIMEOUT", "60s"), idle=seconds("OMNI_IDLE_TIMEOUT", "30s"),
        total=seconds("OMNI_CALL_TIMEOUT", "300s"))


def respond(status, text, **more):
    headers = Headers({"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(text)),
                       "Connection": "close"} | {name.replace("_", "-"): each for name, each in more.items()})
    return Response(status.value, status.phrase, headers, text.encode())


def token(request):
    """What the client shows as its token: by a header, or, from a browser, as a subprotocol."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.encode()
    offered = ",".join(request.headers.get_all("Sec-WebSocket-Protocol"))
    found = [each.strip() for each in offered.split(",") if each.strip().startswith("mcp.auth.")]
    return found[0].removeprefix("mcp.auth.").encode() if found else b""


def answer_http(handlers, request):
    """The answer to what is no upgrade; None lets the handshake go on."""
    upgrade = request.headers.get("Upgrade", "").lower() == "websocket"
    if not upgrade:
        path = request.path.partition("?")[0]
        if path == "/healthz" or path == "/readyz" and not handlers.draining:
            return respond(http.HTTPStatus.OK, "ok\n")
        if path == "/readyz":
            return respond(http.HTTPStatus.SERVICE_UNAVAILABLE, "draining\n")
        if request.headers.get("Sec-WebSocket-Key"):
            return respond(http.HTTPStatus.BAD_REQUEST, "no upgrade to websocket\n")
        return respond(http.HTTPStatus.NOT_FOUND, "nothing here\n")
    if handlers.draining:
        return respond(http.HTTPStatus.SERVICE_UNAVAILABLE, "draining\n")
    if handlers.settings.token and not hmac.compare_digest(token(request), handlers.settings.token.encode()):
        return respond(http.HTTPStatus.UNAUTHORIZED, "a token is needed\n")
    origin = request.headers.get("Origin")
    if origin is not None and origin.partition("://")[2] != request.headers.get("Host"):
        return respond(http.HTTPStatus.FORBIDDEN, "a foreign origin\n")
    if request.headers.get("Sec-WebSocket-Version") != "13":
        return respond(http.HTTPStatus.UPGRADE_REQUIRED, "version 13 only\n",
                       Upgrade="websocket", Sec_WebSocket_Version="13")
    return None


async def main():
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    chosen = settings()
    tasks = Store(chosen.data)
    engine = Engine(tasks, chosen)
    handlers = Methods(tasks, engine, chosen)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)

    async def serve(socket):
        await Connection(socket, handlers, chosen.rate_limit, chosen.odd).serve()

    listening = await server.serve(
        serve, chosen.host, chosen.port, compression=None, max_size=1 << 20, ping_interval=30,
        ping_timeout=10, subprotocols=["mcp"], backlog=1024,
        select_subprotocol=lambda socket, offered: "mcp" if "mcp" in offered else None,
        process_request=lambda socket, request: answer_http(handlers, request))
    engine.start()
    await stopping.wait()
    handlers.draining = True
    for task_id in list(engine.waiters):
        engine.tell(task_id, Refusal(1006, "Server is shutting down", task_id=task_id))
    if engine.running:
        await asyncio.wait(list(engine.running.values()), timeout=10)
    await asyncio.sleep(0)
    listening.close()
    await listening.wait_closed()


asyncio.run(main())
