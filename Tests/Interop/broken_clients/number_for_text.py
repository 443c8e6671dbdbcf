"""Asks with the text "7" for an id, and waits for the number 7."""

import json
import sys

from wire import TEXT, Wire

wire = Wire(sys.argv[1])
wire.send(TEXT, json.dumps({"jsonrpc": "2.0", "id": "7", "method": "ping"}).encode())
while json.loads(wire.text())["id"] != 7:
    pass
wire.close()
