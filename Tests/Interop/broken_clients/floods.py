"""Asks as fast as it can, and reads later."""

import json
import sys

from wire import TEXT, Wire

wire = Wire(sys.argv[1])
requests = (json.dumps({"jsonrpc": "2.0", "id": number, "method": "ping"}) for number in range(2000))
wire.socket.sendall(b"".join(wire.made(TEXT, request.encode()) for request in requests))
for _ in range(2000):
    wire.text()
wire.close()
