"""The Model Context Protocol on one connection of the socket."""

import methods
from wire import Refusal, check, dump, invalid_params, invalid_request, method_not_found

REVISIONS = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]
INITIALIZE = {
    "type": "object",
    "required": ["protocolVersion", "capabilities", "clientInfo"],
    "properties": {
        "protocolVersion": {"type": "string"},
        "capabilities": {"type": "object"},
        "clientInfo": {"type": "object", "required": ["name", "version"], "properties": {
            "name": {"type": "string"}, "version": {"type": "string"}}}}}
CALL = {"type": "object", "required": ["name"], "properties": {
    "name": {"type": "string"}, "arguments": {"type": "object"}}}
LIST = {"type": "object", "properties": {"cursor": {"type": "string"}}}
URI = {"type": "object", "required": ["uri"], "properties": {"uri": {"type": "string"}}}
SYSTEM, TASK = "omni://system", "task://"


class Session:
    def __init__(self, handlers, subscriptions):
        self.handlers, self.subscriptions, self.revision = handlers, subscriptions, None

    def since(self, revision):
        return self.revision is not None and self.revision >= revision

    @property
    def batches(self):
        return self.revision in (None, "2025-03-26")

    async def call(self, method, params):
        if method == "initialize":
            return self.initialize(params)
        if self.revision and method == "tools/list":
            return self.tools(params)
        if self.revision and method == "tools/call":
            return await self.tool(params)
        if self.revision and method == "resources/list":
            return await self.resources(params)
        if self.revision and method == "resources/templates/list":
            return {"resourceTemplates": [self.shown("uriTemplate", TASK + "{id}", "a task")]}
        if self.revision and method in ("resources/read", "resources/subscribe", "resources/unsubscribe"):
            check(URI, params)
            return await getattr(self, method.removeprefix("resources/"))(params["uri"])
        raise method_not_found(method)

    def initialize(self, params):
        if self.revision:
            raise invalid_request("initialize was answered already on this connection")
        check(INITIALIZE, params)
        asked = params["protocolVersion"]
        self.revision = asked if asked in REVISIONS else REVISIONS[-1]
        server = {"name": "omni-orchestrator", "version": "other-1"}
        if self.since("2025-06-18"):
            server["title"] = "Omni-Orchestrator"
        return {"protocolVersion": self.revision, "capabilities": {
                    "tools": {"listChanged": False}, "resources": {"subscribe": True, "listChanged": True}},
                "serverInfo": server,
                "instructions": "create_task runs a task; get_task_status tells how far it is."}

    def tools(self, params):
        check(LIST, params)
        if "cursor" in params:
            raise invalid_params("/cursor", "format", "is no cursor of a page before")
        tools = []
        for name, (title, description, reads, destroys) in methods.TOOLS.items():
            tool = {"name": name, "description": description, "inputSchema": methods.SCHEMAS[name]}
            if self.since("2025-03-26"):
                tool["annotations"] = {"readOnlyHint": reads} | ({} if reads else {"destructiveHint": destroys})
            if self.since("2025-06-18"):
                tool |= {"title": title, "outputSchema": methods.RESULTS[name]}
            tools.append(tool)
        return {"tools": tools}

    def shown(self, key, uri, title):
        resource = {key: uri, "name": uri, "mimeType": "application/json"}
        return resource | ({"title": title} if self.since("2025-06-18") else {})

    async def resources(self, params):
        check(LIST, params)
        self.subscriptions.list_was_read = True
        page = await self.handlers.list_tasks(params)
        answer = {"resources": [self.shown("uri", TASK + each["task_id"], "a task") for each in page["tasks"]]}
        if "cursor" not in params:
            answer["resources"].insert(0, self.shown("uri", SYSTEM, "the system"))
        if "next_cursor" in page:
            answer["nextCursor"] = page["next_cursor"]
        return answer

    def task_of(self, uri):
        """The id of the task, or None for the system."""
        if uri == SYSTEM:
            return None
        task_id = uri.removeprefix(TASK)
        if task_id == uri or self.handlers.store.row(task_id) is None:
            raise Refusal(-32002, "Resource not found", uri=uri)
        return task_id

    async def read(self, uri):
        task_id = self.task_of(uri)
        value = await (self.handlers.get_task_status({"task_id": task_id}) if task_id
                       else self.handlers.system_status({}))
        return {"contents": [{"uri": uri, "mimeType": "application/json", "text": dump(value)}]}

    async def subscribe(self, uri):
        task_id = self.task_of(uri)
        if uri not in self.subscriptions.all:
            self.subscriptions.add(uri, {"tasks" if task_id else "system"}, task_id)
        return {}

    async def unsubscribe(self, uri):
        self.subscriptions.all.pop(uri, None)
        return {}

    async def tool(self, params):
        check(CALL, params)
        name, arguments = params["name"], params.get("arguments", {})
        if name not in methods.TOOLS:
            refusal = invalid_params("/name", "enum", "")
            refusal.text = f"Unknown tool: {name}"
            raise refusal
        try:
            result = await self.handlers.call(name, arguments)
        except Refusal as refusal:
            if refusal.code == -32602 and not self.since("2025-11-25"):
                refusal.data["path"] = "/arguments" + refusal.data["path"]
                raise
            return {"content": [{"type": "text", "text": dump(refusal.object())}], "isError": True}
        answer = {"content": [{"type": "text", "text": dump(result)}], "isError": False}
        if self.since("2025-06-18"):
            answer["structuredContent"] = result
        return answer
