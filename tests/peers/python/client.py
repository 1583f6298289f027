"""The client of the official Python SDK.

usage: python client.py legacy|auto|2026-07-28 SERVER URL|-- COMMAND [ARG...]
"""

import json
import os
import sys
import time
import traceback
from contextlib import asynccontextmanager

import anyio
import httpx2
from mcp.client.client import Client
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import CreateMessageResult, TextContent

LATEST = "2026-07-28"

SAME_AS_THE_DEMO = {
    "echo": ("echo", "text", ""),
    "steps": ("progress", {"steps": 5}),
    "fail": ("fail", {}),
    "ask": ("ask", {}),
}

# The servers, whether they speak 2026-07-28, and which of their tools does what; `echo` also has its argument and what
# it puts before the answer.
SERVERS = {
    "demo": {"name": "mcp-bridge-demo", "modern": True} | SAME_AS_THE_DEMO,
    "python-peer": {"name": "python-peer", "modern": True} | SAME_AS_THE_DEMO,
    "v1-peer": {"name": "v1-peer", "modern": False} | SAME_AS_THE_DEMO,
    "v2-peer": {"name": "v2-peer", "modern": True} | SAME_AS_THE_DEMO,
    "everything": {
        "name": "mcp-servers/everything",
        "modern": False,
        "echo": ("echo", "message", "Echo: "),
        "steps": ("trigger-long-running-operation", {"duration": 0.1, "steps": 5}),
        # What it throws is the same: its argument is missing.
        "fail": ("echo", {}),
        "ask": ("trigger-sampling-request", {"prompt": "say something"}),
    },
}

done = []


async def sample(context, params):
    text = TextContent(type="text", text="the client said this")
    return CreateMessageResult(role="assistant", content=text, model="none")


async def checks(client, mode, server, strays):
    tool, argument, prefix = server["echo"]

    async def echo(text):
        result = await client.call_tool(tool, {argument: text})
        assert [block.type for block in result.content] == ["text"], result
        assert result.content[0].text == prefix + text, f"{len(text)} characters did not come back as sent"

    modern = client.protocol_version >= LATEST
    assert modern == (mode == LATEST or mode == "auto" and server["modern"]), client.protocol_version
    if modern and not server["modern"]:
        try:
            await client.list_tools()
            raise AssertionError("a revision that the server does not have was answered")
        except MCPError as error:
            assert error.error.code == -32022, error
            assert "2025-11-25" in error.error.data["supported"], error
        done.append("refusal")
        return "refused"

    # A version that was adopted without asking says nothing of the server.
    if mode != LATEST:
        assert client.server_info.name == server["name"], client.server_info
    done.append("initialize")

    names = {tool.name for tool in (await client.list_tools()).tools}
    missing = {server[use][0] for use in ("echo", "steps", "fail", "ask")} - names
    assert not missing, f"missing tools {missing}"
    done.append("tools/list")

    await echo('héllo\u2028x\u0000\\"\r\n😀')
    done.append("echo")

    async with anyio.create_task_group() as group:
        for n in range(20):
            group.start_soon(echo, f"{n}:" + "x" * 200_000)
    done.append("20 parallel 200 KB echoes")

    seen = []

    async def progress(value, total, message):
        seen.append(value)

    await client.call_tool(*server["steps"], progress_callback=progress)
    assert seen == [1, 2, 3, 4, 5], f"progress is {seen}"
    done.append("progress")

    assert (await client.call_tool(*server["fail"])).is_error
    done.append("tool error")

    if server["name"] == "mcp-bridge-demo":
        try:
            await client.call_tool("no-such-tool", {})
            raise AssertionError("an unknown tool was answered")
        except MCPError as error:
            assert error.error.code == -32602, error
        done.append("unknown tool")

    # In 2026-07-28 the answer says that input is required, and the client asks again with it.
    result = await client.call_tool(*server["ask"])
    assert "the client said this" in result.content[0].text, result
    done.append("sampling")

    if not modern:
        await client.send_ping()
        done.append("ping")

    assert not strays, strays
    done.append("no stray messages")
    return client.protocol_version


def http_client(headers=None, timeout=None, auth=None):
    """As the SDK makes one, with who we are, and with HTTP/2 where that is wanted."""
    http2 = bool(os.environ.get("PEER_HTTP2"))
    headers = dict(headers or {})
    if token := os.environ.get("PEER_TOKEN"):
        headers["authorization"] = f"Bearer {token}"

    async def spoken(response):
        assert not http2 or response.http_version == "HTTP/2", response.http_version

    timeout = timeout or httpx2.Timeout(30, read=300)
    return httpx2.AsyncClient(
        http2=http2, headers=headers, timeout=timeout, auth=auth, event_hooks={"response": [spoken]}
    )


@asynccontextmanager
async def streamable(url):
    """Closes its session, if it has one; the SDK only logs it when that fails."""
    sessions, deleted = set(), []

    async def seen(response):
        sessions.update(response.headers.get_list("mcp-session-id"))
        if response.request.method == "DELETE":
            deleted.append(response.status_code)

    async with http_client() as client:
        client.event_hooks["response"].append(seen)
        async with streamable_http_client(url, http_client=client) as streams:
            yield streams
    assert len(sessions) == len(deleted) and all(status in (200, 204) for status in deleted), (
        f"{len(sessions)} sessions, DELETE answered with {deleted}"
    )


def reach(where, *command):
    if where == "--":
        return stdio_client(StdioServerParameters(command=command[0], args=list(command[1:])))
    if where.endswith("/sse"):
        return sse_client(where, httpx_client_factory=http_client)
    return streamable(where)


async def main(mode, server, *where):
    strays = []

    async def message(item):
        if isinstance(item, Exception):
            strays.append(item)

    async with Client(
        reach(*where), mode=mode, sampling_callback=sample, message_handler=message
    ) as client:
        detail = await checks(client, mode, SERVERS[server], strays)
        closing = time.monotonic()
    # Over stdio the SDK waits 2 s before it sends a signal, so an end within 1 s was the end of input.
    took = time.monotonic() - closing
    assert took < 1, f"it took {took:.1f} s to close"
    done.append("close")
    return detail


def causes(error):
    """The leaves of an exception group: its own text says nothing."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in causes(inner)]
    return [repr(error)]


if __name__ == "__main__":
    try:
        verdict = {"ok": True, "detail": anyio.run(main, *sys.argv[1:])}
    except Exception as error:
        traceback.print_exc()
        verdict = {"ok": False, "error": "; ".join(causes(error))}
    print(json.dumps(verdict | {"checks": done}))
    sys.exit(not verdict["ok"])
