"""Clients that make tasks while the server is killed, and look for them afterwards."""

import asyncio
import json
import time
from collections.abc import Callable

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect as connect_and_wait

CLIENTS = 16
DEADLINE = 60


class Clients:
    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.headers = {"Authorization": f"Bearer {token}"}

    def connection(self):
        return connect(self.url, additional_headers=self.headers, open_timeout=DEADLINE)

    def create_until(self, wanted: int, then: Callable[[], None]) -> list[str]:
        """Makes tasks from many connections; when `wanted` are answered it does `then` beside them, and goes on until
        all connections have broken. Gives the ids that were answered."""
        return asyncio.run(self._create(wanted, then))

    def missing(self, ids: list[str]) -> list[str]:
        return asyncio.run(asyncio.wait_for(self._missing(ids), DEADLINE))

    def wait_until_normal(self) -> None:
        deadline = time.monotonic() + DEADLINE
        while self.answer("system_status")["system_state"] != "normal":
            if time.monotonic() > deadline:
                raise TimeoutError("the system does not become normal")
            time.sleep(0.1)

    def answer(self, method: str, **params: str) -> dict:
        with connect_and_wait(self.url, additional_headers=self.headers, open_timeout=DEADLINE) as socket:
            socket.send(json.dumps({"method": method, "params": params}))
            return json.loads(socket.recv(DEADLINE))["result"]

    async def _create(self, wanted: int, then: Callable[[], None]) -> list[str]:
        answered: list[str] = []
        enough = asyncio.Event()

        async def client() -> None:
            try:
                async with self.connection() as socket:
                    while True:
                        request = {"method": "create_task", "params": {"description": "keep me", "wait": False}}
                        await socket.send(json.dumps(request))
                        answer = json.loads(await socket.recv())
                        if "error" in answer:
                            # It stops, and says so to who still asks.
                            return
                        answered.append(answer["result"]["task_id"])
                        if len(answered) >= wanted:
                            enough.set()
            except (WebSocketException, OSError):
                pass

        clients = asyncio.gather(*[client() for _ in range(CLIENTS)])
        await asyncio.wait_for(enough.wait(), DEADLINE)
        await asyncio.to_thread(then)
        await asyncio.wait_for(clients, DEADLINE)
        return answered

    async def _missing(self, ids: list[str]) -> list[str]:
        gone = []
        async with self.connection() as socket:
            for task_id in ids:
                await socket.send(json.dumps({"method": "get_task_status", "params": {"task_id": task_id}}))
                if json.loads(await socket.recv()).get("result", {}).get("task_id") != task_id:
                    gone.append(task_id)
        return gone
