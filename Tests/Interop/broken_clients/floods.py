"""Asks as fast as it can, and reads later."""

import json
import sys

from wire import TEXT, Wire

requests = (json.dumps({"jsonrpc": "2.0", "id": number, "method": "ping"}) for number in range(2000))
# Made before it connects, so that the flood comes at once on a slow machine too.
flood = b"".join(Wire.made(TEXT, request.encode()) for request in requests)
wire = Wire(sys.argv[1])
wire.socket.sendall(flood)
for _ in range(2000):
    wire.text()
wire.close()
