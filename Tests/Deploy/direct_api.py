"""A direct API behind TLS, for the one way out of the image that needs libcurl and certificates."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TEXT = "said over TLS"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "stop_reason": "end_turn",
                  "content": [{"type": "text", "text": TEXT}], "usage": {"input_tokens": 1, "output_tokens": 1}}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        # Dates are what Foundation reads with ICU, whose data is cut down in the image.
        self.send_header("Set-Cookie", "a=b; Expires=Wed, 21 Oct 2037 07:28:00 GMT")
        self.send_header("Expires", "Wed, 21 Oct 2037 07:28:00 GMT")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments) -> None:
        pass


@contextmanager
def listening(certificate: Path) -> Iterator[str]:
    """Its URL. `certificate` holds the key too."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"https://localhost:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
