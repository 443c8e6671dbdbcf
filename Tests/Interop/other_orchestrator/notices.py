"""What one connection has asked to be told of, and the notifications that wait for it."""

import asyncio
import uuid

from wire import Refusal, check

SUBSCRIBE = {
    "type": "object",
    "required": ["topics"],
    "properties": {
        "topics": {"type": "array", "minItems": 1, "items": {"enum": ["tasks", "system"]}},
        "task_id": {"type": "string"}}}
UNSUBSCRIBE = {
    "type": "object", "required": ["subscription_id"], "properties": {"subscription_id": {"type": "string"}}}
METHODS = ("subscribe", "unsubscribe")
# Answers to these come before the notifications that they allow, and behind those that they end.
ORDERED = (*METHODS, "resources/subscribe", "resources/unsubscribe")
LIMIT = 64


class Subscriptions:
    def __init__(self, handlers):
        self.handlers = handlers
        self.all = {}  # by id or URI: the topics and the task
        self.list_was_read = False
        self.waiting, self.order = asyncio.Queue(), asyncio.Lock()
        handlers.store.listeners.append(self.hear)

    def end(self):
        self.handlers.store.listeners.remove(self.hear)

    async def call(self, method, params, notification):
        if method == "subscribe":
            check(SUBSCRIBE, params)
            if notification:
                return None
            if "task_id" in params:
                self.handlers.found(params["task_id"])
            number = str(uuid.uuid4())
            self.add(number, set(params["topics"]), params.get("task_id"))
            return {"subscription_id": number}
        check(UNSUBSCRIBE, params)
        if self.all.pop(params["subscription_id"], None) is None:
            raise Refusal(1007, "Subscription not found")
        return {}

    def add(self, name, topics, task_id):
        if len(self.all) >= LIMIT:
            raise Refusal(1008, f"Too many subscriptions, limit {LIMIT}")
        self.all[name] = (topics, task_id)

    def hear(self, topic, content, is_new=False):
        if is_new and self.list_was_read:
            self.list_was_read = False
            self.waiting.put_nowait((None, "notifications/resources/list_changed", {}))
        for name, (topics, task_id) in self.all.items():
            if topic not in topics or topic == "tasks" and task_id not in (None, content["task_id"]):
                continue
            if "://" in name:
                self.waiting.put_nowait((name, "notifications/resources/updated", {"uri": name}))
            elif topic == "tasks":
                self.waiting.put_nowait((name, "task_changed", {"subscription_id": name, "task": content}))
            else:
                self.waiting.put_nowait((name, "system_changed", {"subscription_id": name} | content))

    async def serve(self, send):
        while True:
            name, method, params = await self.waiting.get()
            async with self.order:
                if name is None or name in self.all:
                    await send({"jsonrpc": "2.0", "method": method, "params": params})
