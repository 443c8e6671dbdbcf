"""Says that it speaks JSON-RPC 1.0."""

import json
import sys

from wire import TEXT, Wire

wire = Wire(sys.argv[1])
wire.send(TEXT, json.dumps({"jsonrpc": "1.0", "id": 1, "method": "ping"}).encode())
wire.text()
wire.close()
