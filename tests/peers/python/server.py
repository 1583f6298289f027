"""A server of the official Python SDK over stdio, with one tool."""

from mcp.server.mcpserver import MCPServer

server = MCPServer("python-peer", log_level="CRITICAL")


@server.tool()
async def echo(text: str) -> str:
    return text


if __name__ == "__main__":
    server.run()
