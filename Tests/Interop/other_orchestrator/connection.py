"""One connection: the dialects, the envelopes and the order of answers."""

import asyncio
import time

import methods
import mcp
import notices
from wire import ParseFailure, Refusal, dump, invalid_request, method_not_found, parse

ABSENT = object()


def good_id(value):
    return value is None or isinstance(value, (str, int, float)) and not isinstance(value, bool)


class Connection:
    def __init__(self, socket, handlers, rate_limit, odd):
        self.odd = odd
        self.socket, self.handlers = socket, handlers
        self.rate_limit, self.second, self.in_second = rate_limit, 0, 0
        self.subscriptions = notices.Subscriptions(handlers)
        self.session = mcp.Session(handlers, self.subscriptions)
        self.jsonrpc = socket.subprotocol == "mcp"
        self.bare_queue = asyncio.Queue()
        self.jobs, self.pending = set(), {}
        self.spawn(self.serve_bare())
        self.spawn(self.subscriptions.serve(self.send))

    def spawn(self, work):
        job = asyncio.create_task(work)
        self.jobs.add(job)
        job.add_done_callback(self.jobs.discard)
        return job

    async def serve(self):
        try:
            async for text in self.socket:
                if isinstance(text, bytes):
                    await self.socket.close(1003, "text only")
                    return
                await self.take(text)
        finally:
            self.subscriptions.end()
            for job in list(self.jobs):
                job.cancel()

    async def take(self, text):
        try:
            value = parse(text)
        except ParseFailure as failure:
            return await self.undecided(Refusal(-32700, f"Invalid JSON: {failure}"))
        if isinstance(value, list):
            self.jsonrpc = True
            self.spawn(self.batch(value))
        elif not isinstance(value, dict):
            await self.undecided(invalid_request("a request must be an object"))
        elif "jsonrpc" in value:
            self.jsonrpc = True
            self.start(value, self.send)
        else:
            self.jsonrpc = False
            self.bare_queue.put_nowait(value)

    def limited(self):
        """The refusal of a request past the rate limit of this connection, or None."""
        second = int(time.monotonic())
        if second != self.second:
            self.second, self.in_second = second, 0
        self.in_second += 1
        if self.rate_limit and self.in_second > self.rate_limit:
            return Refusal(1005, "Too many requests, retry after 1s", retry_after_s=1)
        return None

    async def send(self, answer):
        if not self.odd:
            return await self.socket.send(dump(answer))
        # All of this is allowed: a ping at any time, an answer in pieces, members nobody asked for.
        await self.socket.ping()
        for each in answer if isinstance(answer, list) else [answer]:
            for value in (each.get("result"), each.get("error", {})):
                if isinstance(value, dict) and value:
                    value["x-other"] = {"note": "größe 🚀"}
        text = dump(answer, odd=True)
        middle = len(text) // 2
        await self.socket.send([text[:middle], "", text[middle:]])

    async def undecided(self, refusal):
        if self.jsonrpc:
            await self.send(self.error(refusal, ABSENT))
        else:
            self.bare_queue.put_nowait(refusal)

    # Bare

    async def serve_bare(self):
        while True:
            request = await self.bare_queue.get()
            answer = {"error": request.text} if isinstance(request, Refusal) else await self.bare(request)
            await self.send(answer)

    async def bare(self, request):
        try:
            if "method" not in request:
                raise invalid_request("method is required")
            method = request["method"]
            if not isinstance(method, str):
                raise invalid_request("method must be a string")
            if method in notices.METHODS:
                raise invalid_request(f"{method} is for JSON-RPC")
            if method not in methods.SCHEMAS:
                raise method_not_found(method)
            if refusal := self.limited():
                raise refusal
            result = await self.handlers.call(method, request.get("params", {}))
            answer = {"result": "pong" if method == "ping" else result}
        except Refusal as refusal:
            answer = {"error": refusal.text}
            if refusal.code == 1001:
                answer = {"result": answer}
        if "id" in request:
            answer["id"] = request["id"]
        return answer

    # JSON-RPC

    def error(self, refusal, id_):
        answer = {"jsonrpc": "2.0", "id": id_, "error": refusal.object()}
        if id_ is ABSENT:
            answer["id"] = None
            if self.session.since("2025-11-25"):
                del answer["id"]
        return answer

    def start(self, request, send):
        """Begins to work on a request. A cancellation is heard before the next message is read."""
        id_ = request.get("id", ABSENT)
        if request.get("method") == "notifications/cancelled" and id_ is ABSENT and self.session.revision:
            params = request.get("params")
            return self.forget(params.get("requestId")) if isinstance(params, dict) else None
        job = self.spawn(self.answer(request, send))
        if id_ is not ABSENT and isinstance(id_, (str, int)):
            key = (type(id_), id_)
            self.pending[key] = job
            job.add_done_callback(lambda done: self.pending.get(key) is done and self.pending.pop(key))

    async def answer(self, request, send):
        if request.get("method") in notices.ORDERED:
            async with self.subscriptions.order:
                return await self.answer_now(request, send)
        await self.answer_now(request, send)

    async def answer_now(self, request, send):
        answer = await self.work(request)
        if answer is not None:
            await send(answer)

    async def work(self, request, in_batch=False):
        """The answer to one request object, or None."""
        id_ = request.get("id", ABSENT)
        if "method" not in request and ("result" in request or "error" in request):
            return None
        try:
            if request.get("jsonrpc") != "2.0":
                id_ = id_ if self.readable(id_) else ABSENT
                raise invalid_request('jsonrpc must be "2.0"')
            if id_ is not ABSENT and not self.readable(id_):
                id_ = ABSENT
                raise invalid_request("id must be a string, a number or null")
            method = request.get("method", ABSENT)
            if method is ABSENT:
                raise invalid_request("method is required")
            if not isinstance(method, str):
                raise invalid_request("method must be a string")
        except Refusal as refusal:
            return self.error(refusal, id_)
        try:
            if refusal := self.limited():
                raise refusal
            result = await self.dispatch(method, request.get("params", {}), id_ is ABSENT, in_batch)
        except Refusal as refusal:
            return None if id_ is ABSENT else self.error(refusal, id_)
        return None if id_ is ABSENT else {"jsonrpc": "2.0", "id": id_, "result": result}

    def readable(self, id_):
        if self.session.revision:
            return isinstance(id_, (str, int)) and not isinstance(id_, bool)
        return good_id(id_)

    async def dispatch(self, method, params, notification, in_batch):
        if method.startswith("notifications/") and self.session.revision:
            if not notification:
                raise method_not_found(method)
            return None
        if method == "initialize" and in_batch:
            raise invalid_request("initialize must not stand in a batch")
        if method in notices.METHODS:
            return await self.subscriptions.call(method, params, notification)
        if method in methods.SCHEMAS:
            return await self.handlers.call(method, params)
        return await self.session.call(method, params)

    def forget(self, id_):
        if isinstance(id_, (str, int)) and (job := self.pending.pop((type(id_), id_), None)):
            job.cancel()  # the task that it created runs on: the engine owns it

    async def batch(self, elements):
        if not self.session.batches:
            refusal = invalid_request(f"MCP {self.session.revision} has no batches")
        elif not elements:
            refusal = invalid_request("a batch must not be empty")
        elif len(elements) > 1000:
            refusal = invalid_request(f"a batch of {len(elements)} elements, limit 1000")
        else:
            answers = await asyncio.gather(*map(self.element, elements))
            answers = [answer for answer in answers if answer is not None]
            if answers:
                await self.send(answers)
            return
        await self.send(self.error(refusal, ABSENT))

    async def element(self, element):
        if not isinstance(element, dict):
            return self.error(invalid_request("a request must be an object"), ABSENT)
        return await self.work(element, in_batch=True)
