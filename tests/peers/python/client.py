"""The client of the official Python SDK.

usage: python client.py SERVER URL|-- COMMAND [ARG...]
"""

import json
import sys
import time
import traceback

import anyio
from mcp.client.session import ClientSession
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError
from mcp_types import CreateMessageResult, TextContent

SAME_AS_THE_DEMO = {
    "echo": ("echo", "text", ""),
    "steps": ("progress", {"steps": 5}),
    "fail": ("fail", {}),
    "ask": ("ask", {}),
}

# The servers, and which of their tools does what; `echo` also has its argument and what it puts before the answer.
SERVERS = {
    "demo": {"name": "mcp-bridge-demo"} | SAME_AS_THE_DEMO,
    "v1-peer": {"name": "v1-peer"} | SAME_AS_THE_DEMO,
    "everything": {
        "name": "mcp-servers/everything",
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


async def checks(session, server, strays):
    tool, argument, prefix = server["echo"]

    async def echo(text):
        result = await session.call_tool(tool, {argument: text})
        assert [block.type for block in result.content] == ["text"], result
        assert result.content[0].text == prefix + text, f"{len(text)} characters did not come back as sent"

    answer = await session.initialize()
    assert answer.server_info.name == server["name"], answer.server_info
    done.append("initialize")

    names = {tool.name for tool in (await session.list_tools()).tools}
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

    await session.call_tool(*server["steps"], progress_callback=progress)
    assert seen == [1, 2, 3, 4, 5], f"progress is {seen}"
    done.append("progress")

    assert (await session.call_tool(*server["fail"])).is_error
    done.append("tool error")

    if server["name"] == "mcp-bridge-demo":
        try:
            await session.call_tool("no-such-tool", {})
            raise AssertionError("an unknown tool was answered")
        except MCPError as error:
            assert error.error.code == -32602, error
        done.append("unknown tool")

    result = await session.call_tool(*server["ask"])
    assert "the client said this" in result.content[0].text, result
    done.append("sampling")

    await session.send_ping()
    done.append("ping")

    assert not strays, strays
    done.append("no stray messages")


def reach(where, *command):
    if where == "--":
        return stdio_client(StdioServerParameters(command=command[0], args=list(command[1:])))
    return sse_client(where)


async def main(server, *where):
    strays = []

    async def message(item):
        if isinstance(item, Exception):
            strays.append(item)

    async with reach(*where) as (read, write):
        async with ClientSession(
            read, write, sampling_callback=sample, message_handler=message
        ) as session:
            await checks(session, SERVERS[server], strays)
        closing = time.monotonic()
    # Over stdio the SDK waits 2 s before it sends a signal, so an end within 1 s was the end of input.
    took = time.monotonic() - closing
    assert took < 1, f"it took {took:.1f} s to close"
    done.append("close")


def causes(error):
    """The leaves of an exception group: its own text says nothing."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in causes(inner)]
    return [repr(error)]


if __name__ == "__main__":
    try:
        anyio.run(main, *sys.argv[1:])
        verdict = {"ok": True}
    except Exception as error:
        traceback.print_exc()
        verdict = {"ok": False, "error": "; ".join(causes(error))}
    print(json.dumps(verdict | {"checks": done}))
    sys.exit(not verdict["ok"])
