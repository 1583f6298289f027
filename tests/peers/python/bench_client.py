"""The client of the official Python SDK with a server that it starts, for the bench.

usage: python bench_client.py COMMAND [ARG...]

Each line of stdin is `IN_FLIGHT REQUESTS BYTES`; the answer is one line on stdout: the seconds that it took.
"""

import sys
import time

import anyio
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client


async def exchange(client, in_flight, requests, size):
    text, left = "x" * size, requests

    async def lane():
        nonlocal left
        while left > 0:
            left -= 1
            result = await client.call_tool("echo", {"text": text})
            assert len(result.content[0].text) == size

    async with anyio.create_task_group() as lanes:
        for _ in range(in_flight):
            lanes.start_soon(lane)


async def main(command, *args):
    async with Client(stdio_client(StdioServerParameters(command=command, args=list(args)))) as client:
        async for line in anyio.wrap_file(sys.stdin):
            in_flight, requests, size = map(int, line.split())
            started = time.perf_counter()
            await exchange(client, in_flight, requests, size)
            print(time.perf_counter() - started, flush=True)


anyio.run(main, *sys.argv[1:])
