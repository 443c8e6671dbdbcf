"""Asks as fast as it can, and reads later."""

import json
import sys

from wire import TEXT, Wire

wire = Wire(sys.argv[1])
for number in range(2000):
    wire.send(TEXT, json.dumps({"jsonrpc": "2.0", "id": number, "method": "ping"}).encode())
for _ in range(2000):
    wire.text()
wire.close()
