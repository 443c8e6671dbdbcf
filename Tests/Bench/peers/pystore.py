"""create_task as a small Python service would have it: websockets, sqlite3, one commit for each task.

pystore.py FILE PORT
"""

import asyncio
import json
import sqlite3
import sys
import time
import uuid

from websockets.asyncio.server import serve

SCHEMA = """
CREATE TABLE tasks (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
  description TEXT NOT NULL, type TEXT NOT NULL, state TEXT NOT NULL, created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL);
CREATE INDEX tasks_by_state ON tasks (state, seq);
"""
INSERT = (
    "INSERT INTO tasks (id, description, type, state, created_at, updated_at)"
    " VALUES (?, ?, 'general', 'idle', ?, ?)"
)


async def main(file: str, port: int) -> None:
    database = sqlite3.connect(file)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.executescript(SCHEMA)

    async def answer(connection) -> None:
        async for text in connection:
            request = json.loads(text)
            task_id, now = str(uuid.uuid4()), int(time.time() * 1000)
            database.execute(INSERT, (task_id, request["params"]["description"], now, now))
            database.commit()
            result = {"task_id": task_id, "status": "idle"}
            await connection.send(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}))

    async with serve(answer, "127.0.0.1", port, compression=None):
        await asyncio.get_running_loop().create_future()


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
