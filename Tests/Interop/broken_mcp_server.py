"""A server of MCP 2025-11-25 of a few lines that does one thing wrong.

usage: broken_mcp_server.py stdio DEFECT | broken_mcp_server.py http PORT DEFECT
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DEFECT = sys.argv[-1]
TOOL = {"name": "add", "inputSchema": {"type": "object"}}
INITIALIZED = {
    "protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "broken", "version": "1"}}


def answer(message: dict) -> dict | None:
    """What a good server says, but for the defect."""
    if "id" not in message or "method" not in message:
        return None
    reply: dict = {"jsonrpc": "2.0", "id": message["id"]}
    method = message["method"]
    if method == "initialize":
        reply["result"] = INITIALIZED
    elif method == "ping":
        reply["result"] = {}
    elif method == "tools/list":
        reply["result"] = {"tools": [TOOL]}
        if DEFECT == "id-as-text":
            reply["id"] = str(message["id"])
    elif method == "tools/call":
        reply["result"] = {"content": [{"type": "text", "text": "3"}], "isError": DEFECT == "flag"}
    else:
        code = -32603 if DEFECT == "code" else -32601
        reply["error"] = {"code": code, "message": "no such method"}
    return reply


def stdio() -> None:
    for line in sys.stdin:
        reply = answer(json.loads(line))
        if reply is None:
            continue
        if DEFECT == "log" and "error" in reply:
            print("an error happened", flush=True)
        print(json.dumps(reply), flush=True)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:  # noqa: N802
        message = json.loads(self.rfile.read(int(self.headers["content-length"])))
        reply = answer(message)
        if reply is None:
            self.finish_with(200 if DEFECT == "status" else 202, "", "")
        else:
            kind = "text/plain" if DEFECT == "type" and message["method"] == "tools/list" else "application/json"
            self.finish_with(200, kind, json.dumps(reply))

    def do_GET(self) -> None:  # noqa: N802
        self.finish_with(405, "", "")

    def finish_with(self, status: int, kind: str, text: str) -> None:
        self.send_response(status)
        if kind:
            self.send_header("content-type", kind)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


if sys.argv[1] == "stdio":
    stdio()
else:
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
