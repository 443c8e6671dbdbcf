"""Hangs up when it is sent a close frame."""

import json
import sys

from wire import CLOSE, PING, PONG, TEXT, Wire

wire = Wire(sys.argv[1])
wire.send(TEXT, json.dumps({"method": "ping"}).encode())
while True:
    opcode, payload, _ = wire.frame()
    if opcode == CLOSE:
        wire.socket.close()
        wire.stream.close()
        sys.exit()
    if opcode == PING:
        wire.send(PONG, payload)
    if opcode == TEXT:
        wire.send(TEXT, json.dumps({"method": "ping"}).encode())
