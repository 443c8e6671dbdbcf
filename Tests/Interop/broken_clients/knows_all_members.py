"""Takes the members of a result for all that there will ever be."""

import sys
from dataclasses import dataclass

from wire import Wire


@dataclass
class Made:
    task_id: str
    status: str
    result: str = ""
    truncated: bool = False
    error: str = ""
    error_info: object = None
    message: str = ""


wire = Wire(sys.argv[1])
Made(**wire.ask("create_task", description="say hello")["result"])
wire.close()
