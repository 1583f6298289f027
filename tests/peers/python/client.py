"""The client of the official Python SDK, over stdio, against the demo server.

usage: python client.py -- COMMAND [ARG...]
"""

import json
import sys
import time
import traceback

import anyio
from mcp.client.session import ClientSession
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError
from mcp_types import CreateMessageResult, TextContent

done = []


async def sample(context, params):
    text = TextContent(type="text", text="the client said this")
    return CreateMessageResult(role="assistant", content=text, model="none")


async def checks(session, strays):
    async def echo(text):
        result = await session.call_tool("echo", {"text": text})
        assert [block.type for block in result.content] == ["text"], result
        assert result.content[0].text == text, f"{len(text)} characters did not come back as sent"

    answer = await session.initialize()
    assert answer.server_info.name == "mcp-bridge-demo", answer.server_info
    done.append("initialize")

    names = {tool.name for tool in (await session.list_tools()).tools}
    missing = {"echo", "add", "progress", "log", "fail", "large", "ask"} - names
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

    await session.call_tool("progress", {"steps": 5}, progress_callback=progress)
    assert len(seen) == 5, f"{len(seen)} progress notifications"
    done.append("progress")

    assert (await session.call_tool("fail", {})).is_error
    done.append("tool error")

    try:
        await session.call_tool("no-such-tool", {})
        raise AssertionError("an unknown tool was answered")
    except MCPError as error:
        assert error.error.code == -32602, error
    done.append("unknown tool")

    result = await session.call_tool("ask", {})
    assert "the client said this" in result.content[0].text, result
    done.append("sampling")

    assert not strays, strays
    done.append("no stray messages")


async def main(command, *args):
    strays = []

    async def message(item):
        if isinstance(item, Exception):
            strays.append(item)

    async with stdio_client(StdioServerParameters(command=command, args=list(args))) as (read, write):
        async with ClientSession(
            read, write, sampling_callback=sample, message_handler=message
        ) as session:
            await checks(session, strays)
        closing = time.monotonic()
    # The SDK waits 2 s before it sends a signal, so an end within 1 s was the end of input.
    took = time.monotonic() - closing
    assert took < 1, f"the server took {took:.1f} s to end after close"
    done.append("close")


def causes(error):
    """The leaves of an exception group: its own text says nothing."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in causes(inner)]
    return [repr(error)]


if __name__ == "__main__":
    try:
        anyio.run(main, *sys.argv[sys.argv.index("--") + 1 :])
        verdict = {"ok": True}
    except Exception as error:
        traceback.print_exc()
        verdict = {"ok": False, "error": "; ".join(causes(error))}
    print(json.dumps(verdict | {"checks": done}))
    sys.exit(not verdict["ok"])
