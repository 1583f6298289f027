"""A server of the official Python SDK, over stdio, HTTP+SSE or Streamable HTTP.

usage: python server.py [sse|http]

Over HTTP its URL is its first line on stderr.
"""

import socket
import sys
from typing import Annotated

import anyio
import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.resolve import Resolve, Sample
from mcp_types import CreateMessageResult, SamplingMessage, TextContent

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


async def question() -> Sample:
    text = TextContent(type="text", text="say something")
    return Sample([SamplingMessage(role="user", content=text)], max_tokens=10)


@server.tool()
async def ask(answer: Annotated[CreateMessageResult, Resolve(question)]) -> str:
    return answer.content.text


def serve(app):
    # Listening before it is announced, on a port that nobody else can take in between.
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", file=sys.stderr, flush=True)
    config = uvicorn.Config(app, log_level="critical", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["sse"]:
            serve(server.sse_app())
        case ["http"]:
            serve(server.streamable_http_app())
        case _:
            server.run()
