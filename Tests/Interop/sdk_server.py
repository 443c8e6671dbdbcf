"""A server of MCP made with the official SDK, version 1 or 2, whichever Python runs this.

usage: sdk_server.py stdio | sdk_server.py http PORT
"""

import sys

try:
    from mcp.server.fastmcp import Context, FastMCP

    MODERN = False
except ImportError:
    from mcp.server.mcpserver import Context
    from mcp.server.mcpserver import MCPServer as FastMCP

    MODERN = True

transport = sys.argv[1]
port = int(sys.argv[2]) if transport == "http" else 0
server = FastMCP("sdk", log_level="ERROR") if MODERN else FastMCP("sdk", log_level="ERROR", port=port)


@server.tool()
def add(a: int, b: int) -> int:
    """Adds."""
    return a + b


@server.tool()
async def steps(ctx: Context) -> str:
    """Tells how far it is."""
    await ctx.report_progress(1, 2)
    await ctx.report_progress(2, 2)
    return "done"


if not MODERN:
    from mcp.types import SamplingMessage, TextContent

    @server.tool()
    async def ask(ctx: Context) -> str:
        """Asks the model of the client."""
        message = SamplingMessage(role="user", content=TextContent(type="text", text="well?"))
        answer = await ctx.session.create_message([message], max_tokens=5)
        return answer.content.text

    @server.tool()
    async def change(ctx: Context) -> str:
        """Says that its tools are others now."""
        await ctx.session.send_tool_list_changed()
        return "changed"


@server.prompt()
def greet(name: str) -> str:
    """Greets."""
    return f"hello {name}"


if transport == "stdio":
    server.run(transport="stdio")
elif MODERN:
    server.run(transport="streamable-http", port=port)
else:
    server.run(transport="streamable-http")
