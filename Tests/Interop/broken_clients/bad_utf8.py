"""Sends Latin-1 where UTF-8 is meant."""

import sys

from wire import TEXT, Wire

wire = Wire(sys.argv[1])
wire.send(TEXT, '{"method": "create_task", "params": {"description": "grüße"}}'.encode("latin-1"))
wire.text()
wire.close()
