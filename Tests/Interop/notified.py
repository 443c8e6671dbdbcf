"""A JSON-RPC client that hears notifications, and what a valid life of a task is."""

import asyncio
import itertools
import json
from contextlib import asynccontextmanager

import yaml
from websockets.asyncio.client import connect

from conftest import DEADLINE, ROOT

STATES = yaml.safe_load((ROOT / "Spec" / "states" / "task.yaml").read_text())
ALLOWED = {(edge["from"], edge["to"]) for edge in STATES["transitions"]}
FINAL = {state["name"] for state in STATES["states"] if state.get("final")}


def gaps(states: list[str]) -> list[tuple[str, str]]:
    """Neighbours that no transition joins: something is missing between them, or came twice."""
    return [pair for pair in itertools.pairwise(states) if pair not in ALLOWED]


class Client:
    def __init__(self, socket) -> None:
        self.socket = socket
        self.ids = itertools.count()
        self.answers: dict[int, asyncio.Future] = {}
        # By the id of the task, in the order they came.
        self.states: dict[str, list[str]] = {}
        self.others: list[dict] = []
        self.came = asyncio.Condition()

    async def listen(self) -> None:
        async for text in self.socket:
            said = json.loads(text)
            if "id" in said:
                self.answers.pop(said["id"]).set_result(said)
                continue
            async with self.came:
                if said["method"] == "task_changed":
                    task = said["params"]["task"]
                    self.states.setdefault(task["task_id"], []).append(task["state"])
                else:
                    self.others.append(said)
                self.came.notify_all()

    async def ask(self, method: str, **params) -> dict:
        number = next(self.ids)
        awaited = self.answers[number] = asyncio.get_running_loop().create_future()
        await self.socket.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))
        answer = await awaited
        assert "error" not in answer, answer
        return answer["result"]

    async def create(self, description: str) -> str:
        return (await self.ask("create_task", description=description, wait=False))["task_id"]

    async def until(self, condition) -> None:
        async with self.came:
            await self.came.wait_for(condition)

    def ended(self, count: int) -> bool:
        return sum(states[-1] in FINAL for states in self.states.values()) >= count


@asynccontextmanager
async def client_of(url: str):
    """A client whose every use together must have ended in time: nothing here waits for ever."""
    async with asyncio.timeout(6 * DEADLINE), connect(url, open_timeout=DEADLINE, max_size=None) as socket:
        client = Client(socket)
        listening = asyncio.create_task(client.listen())
        try:
            yield client
        finally:
            listening.cancel()
