"""Calls the description of a task its text."""

import sys

from wire import Wire

wire = Wire(sys.argv[1])
wire.ask("create_task", text="say hello")
wire.close()
