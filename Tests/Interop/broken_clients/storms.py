"""Comes back at once whenever it is not let in."""

import sys

from wire import Wire

while True:
    wire = Wire(sys.argv[1])
    try:
        wire.ask("ping")
        wire.close()
        break
    except (OSError, ValueError):
        wire.socket.close()
