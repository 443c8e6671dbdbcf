"""Asks about a task until there is one."""

import sys
import time

from wire import Wire

wire = Wire(sys.argv[1])
task = wire.ask("create_task", description="say hello", wait=False)["result"]["task_id"]
while True:
    answer = wire.ask("get_task_status", task_id=task)
    if (answer.get("result") or {}).get("state") == "completed":
        break
    time.sleep(0.1)
wire.close()
