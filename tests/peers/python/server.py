"""A server of the official Python SDK, over stdio or HTTP+SSE.

usage: python server.py [sse]

Over HTTP+SSE its URL is its first line on stderr.
"""

import socket
import sys

import anyio
import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp_types import SamplingMessage, TextContent

server = MCPServer("python-peer", log_level="CRITICAL")


@server.tool()
async def echo(text: str) -> str:
    return text


@server.tool()
async def progress(steps: int, context: Context) -> str:
    for step in range(steps):
        await context.report_progress(step + 1, steps)
        # Progress that shares a read with the answer is lost in the TypeScript clients.
        await anyio.sleep(0.005)
    return "done"


@server.tool()
async def fail() -> str:
    raise ValueError("as asked")


@server.tool()
async def ask(context: Context) -> str:
    question = SamplingMessage(role="user", content=TextContent(type="text", text="say something"))
    answer = await context.session.create_message(
        [question], max_tokens=10, related_request_id=context.request_id
    )
    return answer.content.text


def serve_sse():
    # Listening before it is announced, on a port that nobody else can take in between.
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}/sse", file=sys.stderr, flush=True)
    config = uvicorn.Config(server.sse_app(), log_level="critical", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    serve_sse() if sys.argv[1:] == ["sse"] else server.run()
