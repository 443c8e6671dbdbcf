"""The orchestrator that is deployed today, as it was observed, its defects included.

A stand-in to judge the runner by: `omni-conformance run --profile deployed` must fail exactly the
known defects on it. It keeps its tasks in memory.

    python deployed_orchestrator.py [PORT] [--outcome failed|completed|suspended]

Port 0, the default, takes a free one. When ready it prints `listening on ws://127.0.0.1:PORT`.
"""

import argparse
import asyncio
import json
import signal
import time
import uuid

from websockets.asyncio.server import ServerConnection, serve

CONNECT_FAILED = "[Errno 111] Connect call failed ('127.0.0.1', 18789)"


class Orchestrator:
    def __init__(self, outcome: str) -> None:
        self.outcome = outcome
        self.tasks: dict[str, dict] = {}

    def answer(self, message: str | bytes) -> dict:
        """Raises AttributeError or TypeError where the deployed one falls over."""
        try:
            request = json.loads(message)
        except json.JSONDecodeError as error:
            return {"error": f"Invalid JSON: {error}"}
        method = request.get("method")  # a defect: arrays and scalars have no get
        params = request.get("params", {})
        if method == "ping":
            return {"result": "pong"}
        if method == "create_task":
            description = params.get("description")  # a defect: so have params that are an array
            if not description:
                return {"error": "Missing description"}
            return {"result": self.create(description)}
        if method == "get_task_status":
            task_id = params.get("task_id")
            if not task_id:
                return {"error": "Missing task_id"}
            return {"result": self.tasks.get(task_id, {"error": "Task not found"})}
        return {"error": f"Unknown method: {method}"}

    def create(self, description: object) -> dict:
        task_id = str(uuid.uuid4())
        try:
            len(description)  # a defect: the length of a number is asked for when the task is routed
            outcome = self.outcome
            error = CONNECT_FAILED
        except TypeError as problem:
            outcome, error = "failed", str(problem)
        now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        self.tasks[task_id] = {
            "task_id": task_id,
            "description": description,
            "state": "waiting" if outcome == "suspended" else outcome,
            "created_at": now,
            "updated_at": now,
        }
        if outcome == "completed":
            return {"task_id": task_id, "status": "completed", "result": "done"}
        if outcome == "suspended":
            return {"task_id": task_id, "status": "suspended", "message": "Cloud unavailable, task suspended"}
        return {"task_id": task_id, "status": "failed", "error": error}

    async def serve_connection(self, connection: ServerConnection) -> None:
        async for message in connection:
            try:
                answer = self.answer(message)
            except (AttributeError, TypeError):
                await connection.close(1000)  # the defect clients see: no answer, a normal close
                return
            await connection.send(json.dumps(answer))


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", nargs="?", type=int, default=0)
    parser.add_argument("--outcome", choices=["failed", "completed", "suspended"], default="failed")
    options = parser.parse_args()
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    orchestrator = Orchestrator(options.outcome)
    async with serve(orchestrator.serve_connection, "127.0.0.1", options.port, compression=None) as server:
        port = server.sockets[0].getsockname()[1]
        print(f"listening on ws://127.0.0.1:{port}", flush=True)
        await stopped.wait()


if __name__ == "__main__":
    asyncio.run(main())
