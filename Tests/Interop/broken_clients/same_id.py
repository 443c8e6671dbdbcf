"""Makes two requests at one time with one id."""

import json
import sys

from wire import TEXT, Wire

wire = Wire(sys.argv[1])
for method in ("ping", "system_status"):
    wire.send(TEXT, json.dumps({"jsonrpc": "2.0", "id": 1, "method": method}).encode())
wire.text()
wire.text()
wire.close()
