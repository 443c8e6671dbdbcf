"""Takes every frame for a message."""

import json
import sys

from wire import CLOSE, PING, PONG, TEXT, Wire

wire = Wire(sys.argv[1])
wire.send(TEXT, json.dumps({"method": "ping"}).encode())
while True:
    opcode, payload, _ = wire.frame()
    if opcode == PING:
        wire.send(PONG, payload)
    elif opcode != PONG:
        json.loads(payload)
        break
wire.close()
