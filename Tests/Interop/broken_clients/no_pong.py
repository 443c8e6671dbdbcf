"""Answers no ping."""

import json
import sys

from wire import CLOSE, TEXT, Wire

wire = Wire(sys.argv[1])
wire.send(TEXT, json.dumps({"method": "ping"}).encode())
while (opcode := wire.frame()[0]) != TEXT:
    if opcode == CLOSE:
        sys.exit()
wire.close()
