"""A WebSocket for the SDK 2, which brings none of its own any more."""

from contextlib import asynccontextmanager

import anyio
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter
from websockets.asyncio.client import connect


@asynccontextmanager
async def websocket_transport(url: str):
    """Gives the streams of a session, one message in each text frame."""
    incoming, read = anyio.create_memory_object_stream(0)
    write, outgoing = anyio.create_memory_object_stream(0)
    async with connect(url, subprotocols=["mcp"]) as connection:

        async def receive() -> None:
            async with incoming:
                async for text in connection:
                    message = jsonrpc_message_adapter.validate_json(text, by_name=False)
                    await incoming.send(SessionMessage(message))

        async def send() -> None:
            async for item in outgoing:
                await connection.send(item.message.model_dump_json(by_alias=True, exclude_unset=True))

        async with anyio.create_task_group() as group:
            group.start_soon(receive)
            group.start_soon(send)
            try:
                yield read, write
            finally:
                group.cancel_scope.cancel()
