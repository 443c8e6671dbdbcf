"""An answered task is on disk: the server is killed under load, again and again, and none is missing.

KILLS says how often, 5 times by default.
"""

import asyncio
import json
import os

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from conftest import DEADLINE

CLIENTS = 16
KILLS = int(os.environ.get("KILLS", "5"))
# Each life of the server ends after so many answers, somewhere in the middle of a commit.
ANSWERS = 150


async def create(url: str, answered: list[str], enough: asyncio.Event) -> None:
    """Creates tasks until the connection breaks; what was answered is written down."""
    try:
        async with connect(url, open_timeout=DEADLINE) as connection:
            while True:
                request = {"method": "create_task", "params": {"description": "keep me", "wait": False}}
                await connection.send(json.dumps(request))
                answered.append(json.loads(await connection.recv())["result"]["task_id"])
                if len(answered) >= ANSWERS:
                    enough.set()
    except (ConnectionClosed, OSError):
        pass


async def life(server) -> list[str]:
    answered: list[str] = []
    enough = asyncio.Event()
    clients = [asyncio.create_task(create(server.url, answered, enough)) for _ in range(CLIENTS)]
    await asyncio.wait_for(enough.wait(), DEADLINE)
    server.kill()
    await asyncio.wait_for(asyncio.gather(*clients), DEADLINE)
    return answered


async def missing(url: str, ids: list[str]) -> list[str]:
    gone = []
    async with connect(url, open_timeout=DEADLINE) as connection:
        for task_id in ids:
            await connection.send(json.dumps({"method": "get_task_status", "params": {"task_id": task_id}}))
            answer = json.loads(await asyncio.wait_for(connection.recv(), DEADLINE))
            if answer["result"].get("task_id") != task_id:
                gone.append(task_id)
    return gone


def test_no_answered_task_is_missing_after_kills(mock, serve):
    server = serve(**mock.variables)
    answered: list[str] = []
    for _ in range(KILLS):
        answered += asyncio.run(life(server))
        server = serve(port=server.port, **mock.variables)
    assert len(set(answered)) == len(answered) >= KILLS * ANSWERS
    assert asyncio.run(missing(server.url, answered)) == []
    print(f"killed {KILLS} times: {len(answered)} answered tasks, none missing")
