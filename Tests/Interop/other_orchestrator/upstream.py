"""Calls to models over HTTP/1.1, and what their failures are called."""

import asyncio
import datetime
import email.utils
import json
import urllib.parse


class Failure(Exception):
    """A failed attempt: the class of failures.yaml, and what is known beside it."""

    def __init__(self, kind, detail, upstream, status=None, retry_after=None):
        super().__init__(detail)
        self.kind, self.detail, self.upstream = kind, detail, upstream
        self.status, self.retry_after = status, retry_after

    @property
    def counts(self):
        return self.kind in ("gateway_unreachable", "upstream_unavailable", "bad_response", "timeout")

    @property
    def tries(self):
        if self.kind in ("budget_exceeded", "invalid_request", "auth"):
            return 1
        return 2 if self.kind in ("bad_response", "invalid_output") else 3


class Caller:
    def __init__(self, name, url, connect, first_byte, idle, total):
        self.name = name
        self.url = urllib.parse.urlsplit(url)
        self.connect, self.first_byte, self.idle, self.total = connect, first_byte, idle, total

    async def call(self, method, path, headers=None, body=None, total=None):
        """Status, headers and body of the answer, or a Failure."""
        try:
            async with asyncio.timeout(total or self.total):
                return await self.exchange(method, path, headers or {}, body)
        except TimeoutError as error:
            raise Failure("timeout", "no answer within the deadline", self.name) from error
        except (OSError, asyncio.IncompleteReadError, EOFError) as error:
            raise Failure("gateway_unreachable", str(error) or "connection lost", self.name) from error
        except (ValueError, IndexError, UnicodeError) as error:
            raise Failure("bad_response", "no HTTP", self.name) from error

    async def exchange(self, method, path, headers, body):
        async with asyncio.timeout(self.connect):
            reader, writer = await asyncio.open_connection(
                self.url.hostname, self.url.port or 80, limit=1 << 20)
        try:
            data = json.dumps(body).encode() if body is not None else b""
            head = [f"{method} {self.url.path.rstrip('/')}{path} HTTP/1.1", f"Host: {self.url.netloc}",
                    "Connection: close", f"Content-Length: {len(data)}"]
            if body is not None:
                head.append("Content-Type: application/json")
            head += [f"{name}: {value}" for name, value in headers.items()]
            writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + data)
            await writer.drain()
            async with asyncio.timeout(self.first_byte):
                status_line = await reader.readuntil(b"\r\n")
            answer = {}
            while (line := await self.within(reader.readuntil(b"\r\n"))) != b"\r\n":
                name, _, value = line.decode("latin-1").partition(":")
                answer[name.strip().lower()] = value.strip()
            return int(status_line.split()[1]), answer, await self.body(reader, answer)
        finally:
            writer.transport.abort()

    async def body(self, reader, headers):
        try:
            if "chunked" in headers.get("transfer-encoding", ""):
                pieces = []
                while size := int((await self.within(reader.readuntil(b"\r\n"))).split(b";")[0], 16):
                    pieces.append((await self.within(reader.readexactly(size + 2)))[:-2])
                return b"".join(pieces)
            if "content-length" in headers:
                return await self.within(reader.readexactly(int(headers["content-length"])))
            return await self.within(reader.read())
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise Failure("bad_response", "the answer was cut", self.name) from error

    async def within(self, reading):
        async with asyncio.timeout(self.idle):
            return await reading


def retry_after(headers):
    value = headers.get("retry-after") or headers.get("llm_provider-retry-after")
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (moment - datetime.datetime.now(datetime.timezone.utc)).total_seconds())


def refused(name, status, headers, body):
    """The Failure that an answer which is no success stands for."""
    try:
        error = json.loads(body)["error"]
        words = {str(error.get("type")), str(error.get("code"))}
        detail = str(error.get("message", status))
    except (ValueError, KeyError, TypeError, AttributeError):
        words, detail = set(), f"status {status}"
    wait = retry_after(headers) if status == 429 or status >= 500 else None
    if words & {"budget_exceeded", "insufficient_quota"}:
        kind = "budget_exceeded"
    elif "all_deployments_in_cooldown" in words:
        kind = "gateway_cooldown"
    elif "no_db_connection" in words or status in (401, 403):
        kind = "auth"
    elif status == 429:
        kind = "rate_limited"
    elif status == 408 or status >= 500:
        kind = "upstream_unavailable"
    elif 400 <= status < 500:
        kind = "invalid_request"
    else:
        kind = "bad_response"
    return Failure(kind, detail, name, status, wait)


async def complete(caller, key, model, messages, max_tokens=None):
    """One chat completion through the gateway: its text, and whether it was cut for length."""
    headers = {"x-litellm-num-retries": "0"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    body = {"model": model, "messages": messages}
    if max_tokens:
        body["max_tokens"] = max_tokens
    status, answered, data = await caller.call("POST", "/v1/chat/completions", headers, body)
    if status != 200:
        raise refused(caller.name, status, answered, data)
    try:
        choices = json.loads(data)["choices"]
        first = choices[0] if choices else {"message": {}}
        text, reason = first["message"].get("content"), first.get("finish_reason")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Failure("bad_response", "no completion", caller.name, status) from error
    if not isinstance(text, str) or not text:
        raise Failure("invalid_output", "a completion without text", caller.name, status)
    return text, reason == "length"


async def message(caller, key, model, messages):
    """One message to the direct API."""
    headers = {"x-api-key": key, "anthropic-version": "2023-06-01"}
    body = {"model": model, "max_tokens": 1024,
            "messages": [each for each in messages if each["role"] != "system"]}
    system = "\n".join(each["content"] for each in messages if each["role"] == "system")
    if system:
        body["system"] = system
    status, answered, data = await caller.call("POST", "/v1/messages", headers, body)
    if status != 200:
        raise refused(caller.name, status, answered, data)
    try:
        answer = json.loads(data)
        text = "".join(part["text"] for part in answer["content"] if part["type"] == "text")
        reason = answer.get("stop_reason")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Failure("bad_response", "no message", caller.name, status) from error
    if not text:
        raise Failure("invalid_output", "a message without text", caller.name, status)
    return text, reason == "max_tokens"
