"""An echo server of the official Python SDK for the bench.

usage: python bench_server.py stdio|sse|json|stateless|stream

Over HTTP its URL is its first line on stderr.
"""

import socket
import sys

import uvicorn
from mcp.server.mcpserver import MCPServer

server = MCPServer("bench", log_level="CRITICAL")


@server.tool()
async def echo(text: str) -> str:
    return text


def serve(app):
    # As `uvicorn.run` does it. The protocol has to be named: asyncio sets TCP_NODELAY only where it is, and without it
    # half of the answers come 40 ms late.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(2048)
    print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", file=sys.stderr, flush=True)
    config = uvicorn.Config(app, log_level="critical", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    match sys.argv[1]:
        case "stdio":
            server.run()
        case "sse":
            serve(server.sse_app())
        case "json":
            serve(server.streamable_http_app(json_response=True, max_sessions=None))
        case "stateless":
            serve(server.streamable_http_app(json_response=True, stateless_http=True))
        case "stream":
            serve(server.streamable_http_app(max_sessions=None))
