"""The methods of the protocol, and how MCP offers them as tools."""

import base64
import time
import zlib

import store
from wire import Refusal, check, invalid_params

TASK_ID = {"type": "object", "required": ["task_id"], "properties": {"task_id": {"type": "string"}}}
CREATE = {
    "type": "object",
    "required": ["description"],
    "properties": {
        "description": {"type": "string", "minLength": 1, "maxLength": 32768, "pattern": r"\S"},
        "type": {"enum": ["general", "programming", "24/7"]},
        "wait": {"type": "boolean"},
        "idempotency_key": {"type": "string", "minLength": 1, "maxLength": 128},
        "history": {"type": "array", "maxItems": 100, "items": {
            "type": "object", "required": ["role", "content"], "properties": {
                "role": {"enum": ["system", "user", "assistant"]},
                "content": {"type": "string", "maxLength": 32768}}}}}}
LIST = {
    "type": "object",
    "properties": {
        "state": {"enum": store.STATES}, "cursor": {"type": "string"},
        "limit": {"type": "integer", "minimum": 1, "maximum": 500}}}
TASK = {
    "type": "object",
    "required": ["task_id", "description", "type", "state", "created_at", "updated_at", "executor",
                 "model", "complexity", "attempts"],
    "properties": {
        "task_id": {"type": "string"}, "description": {"type": "string"}, "type": {"type": "string"},
        "state": {"enum": store.STATES}, "created_at": {"type": "string"}, "updated_at": {"type": "string"},
        "executor": {"type": "string"}, "model": {"type": "string"}, "complexity": {"type": "integer"},
        "attempts": {"type": "integer"}, "result": {"type": "string"}, "error": {"type": "string"}}}
RESULTS = {
    "create_task": {"type": "object", "required": ["task_id", "status"], "properties": {
        "task_id": {"type": "string"}, "status": {"type": "string"}}},
    "get_task_status": {"type": "object", "$ref": "#/$defs/task", "$defs": {"task": TASK}},
    "list_tasks": {"type": "object", "required": ["tasks"], "$defs": {"task": TASK}, "properties": {
        "tasks": {"type": "array", "items": {"$ref": "#/$defs/task"}}, "next_cursor": {"type": "string"}}},
    "cancel_task": {"type": "object", "$ref": "#/$defs/task", "$defs": {"task": TASK}},
    "system_status": {"type": "object", "required": ["system_state", "since", "tasks"]}}
SCHEMAS = {"ping": {"type": "object"}, "create_task": CREATE, "get_task_status": TASK_ID,
           "list_tasks": LIST, "cancel_task": TASK_ID, "system_status": {"type": "object"}}
TOOLS = {  # title, description, reads only, destroys
    "create_task": ("Create a task", "Runs a task and answers with how it ended.", False, False),
    "get_task_status": ("Read a task", "Tells how far a task is.", True, False),
    "list_tasks": ("List tasks", "Lists tasks, newest first.", True, False),
    "cancel_task": ("Cancel a task", "Ends a task that has not ended.", False, True),
    "system_status": ("State of the system", "Tells the state of the system.", True, False)}
UNKNOWN_TASK = "Task not found"


def cursor(number):
    text = str(number).encode()
    return base64.urlsafe_b64encode(text + b"." + str(zlib.crc32(text)).encode()).decode()


def number(text):
    try:
        digits, _, sum_ = base64.urlsafe_b64decode(text.encode()).partition(b".")
        if str(zlib.crc32(digits)).encode() == sum_ and cursor(int(digits)) == text:
            return int(digits)
    except ValueError:
        pass
    raise invalid_params("/cursor", "format", "is no cursor of a page before")


class Methods:
    def __init__(self, tasks, engine, settings):
        self.store, self.engine, self.settings = tasks, engine, settings
        self.started, self.draining = time.monotonic(), False

    async def call(self, method, params):
        check(SCHEMAS[method], params)
        return await getattr(self, method)(params)

    async def ping(self, params):
        return {}

    async def create_task(self, params):
        if self.draining:
            raise Refusal(1006, "Server is shutting down")
        description, kind = params["description"], params.get("type", "general")
        key = params.get("idempotency_key")
        if key is not None and (row := self.store.by_key(key)):
            if (row["description"], row["type"]) != (description, kind):
                raise invalid_params("/idempotency_key", "idempotency_key", "belongs to another task")
            return self.outcome(row["task_id"], row["state"])
        counts = self.store.counts()
        if sum(counts[state] for state in store.OPEN) >= self.settings.max_queued:
            raise Refusal(1003, "Queue is full, retry after 5s", retry_after_s=5)
        task_id = self.engine.add(description, kind, params.get("history", []), key)
        if not params.get("wait", True):
            return {"task_id": task_id, "status": "idle"}
        message = await self.engine.wait(task_id)
        if isinstance(message, Refusal):
            raise message
        if message:
            return {"task_id": task_id, "status": "suspended", "message": message}
        return self.outcome(task_id, self.store.row(task_id)["state"])

    def outcome(self, task_id, status):
        task = store.task(self.store.row(task_id))
        answer = {"task_id": task_id, "status": status}
        for name in ("result", "truncated", "error", "error_info"):
            if name in task:
                answer[name] = task[name]
        return answer

    def found(self, task_id):
        row = self.store.row(task_id)
        if row is None:
            raise Refusal(1001, UNKNOWN_TASK)
        return row

    async def get_task_status(self, params):
        return store.task(self.found(params["task_id"]))

    async def cancel_task(self, params):
        row = self.found(params["task_id"])
        if row["state"] not in store.OPEN:
            raise Refusal(1002, f"Task {row['task_id']} is already {row['state']}")
        self.engine.cancel(row["task_id"])
        return store.task(self.store.row(row["task_id"]))

    async def list_tasks(self, params):
        limit = int(params.get("limit", 50))
        before = number(params["cursor"]) if "cursor" in params else None
        rows = self.store.page(params.get("state"), before, limit + 1)
        answer, weight = {"tasks": []}, 0
        for row in rows:
            task = store.task(row)
            weight += len(task["description"]) + len(task.get("result", "")) + 500
            full = len(answer["tasks"]) == limit or answer["tasks"] and weight * 4 > 1 << 20
            if full:
                answer["next_cursor"] = cursor(last)
                break
            answer["tasks"].append(task)
            last = row["number"]
        return answer

    async def system_status(self, params):
        return self.engine.status() | {
            "uptime_s": round(time.monotonic() - self.started, 3), "version": "other-1"}
