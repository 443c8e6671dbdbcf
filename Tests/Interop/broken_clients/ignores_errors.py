"""Takes every answer to create_task for a task, and asks about it."""

import sys

from wire import Wire

wire = Wire(sys.argv[1])
task = (wire.ask("create_task", description="say hello").get("result") or {}).get("task_id")
wire.ask("get_task_status", task_id=str(task))
wire.close()
