"""A bot as people write them: JSON-RPC on one connection, the older bare form on another. Its only
argument is the address; a token is taken from OMNI_TOKEN. Ends with 0 if every answer was usable."""

import asyncio
import json
import os
import sys
import uuid

import websockets


class Orchestrator:
    def __init__(self, socket) -> None:
        self.socket = socket
        self.number = 0

    async def ask(self, method: str, **params: object) -> dict:
        self.number += 1
        request = {"jsonrpc": "2.0", "id": self.number, "method": method, "params": params}
        await self.socket.send(json.dumps(request))
        answer = json.loads(await asyncio.wait_for(self.socket.recv(), 20))
        assert answer["jsonrpc"] == "2.0" and answer["id"] == self.number, answer
        return answer

    async def result(self, method: str, **params: object) -> dict:
        answer = await self.ask(method, **params)
        assert "error" not in answer, answer
        return answer["result"]

    async def code(self, method: str, **params: object) -> int:
        return (await self.ask(method, **params))["error"]["code"]


async def jsonrpc(socket) -> str:
    orchestrator = Orchestrator(socket)
    assert await orchestrator.result("ping") == {}
    begun = await orchestrator.result(
        "create_task", description="say hello", wait=False, idempotency_key=str(uuid.uuid4()))
    task = begun["task_id"]
    while True:
        told = await orchestrator.result("get_task_status", task_id=task)
        if told["state"] in ("completed", "failed"):
            break
        await asyncio.sleep(0.02)
    assert told["state"] == "completed" and told["result"], told
    done = await orchestrator.result("create_task", description="say hello once more")
    assert done["status"] == "completed", done
    listed = await orchestrator.result("list_tasks", limit=2)
    assert done["task_id"] in [entry["task_id"] for entry in listed["tasks"]], listed
    assert await orchestrator.code("cancel_task", task_id=task) == 1002
    assert await orchestrator.code("get_task_status", task_id="unknown") == 1001
    assert await orchestrator.code("create_task") == -32602
    assert await orchestrator.code("no_such_method") == -32601
    assert (await orchestrator.result("system_status"))["system_state"] == "normal"
    return task


async def bare(socket, task: str) -> None:
    async def ask(text: str) -> dict:
        await socket.send(text)
        return json.loads(await asyncio.wait_for(socket.recv(), 20))

    assert await ask('{"method": "ping"}') == {"result": "pong"}
    read = await ask(json.dumps({"method": "get_task_status", "params": {"task_id": task}}))
    assert read["result"]["state"] == "completed", read
    assert "error" in await ask('{"method": "get_task_status"}')
    assert "error" in await ask("{no json")


async def main(url: str) -> None:
    token = os.environ.get("OMNI_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with websockets.connect(url, additional_headers=headers) as socket:
        task = await jsonrpc(socket)
    async with websockets.connect(url, additional_headers=headers) as socket:
        await bare(socket, task)


asyncio.run(main(sys.argv[1]))
