"""httpx-sse on the bench's event streams.

Each line of stdin is `BYTES CHUNK`; the answer is one line on stdout: bytes each second.
"""

import sys
import time

from httpx_sse import EventSource

STREAM = 4 * 1024 * 1024
ENOUGH = 0.1


def cut(stream, most):
    chunks, state, at = [], 1, 0
    while at < len(stream):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        end = min(len(stream), at + 1 + (state >> 8) % most)
        chunks.append(stream[at:end])
        at = end
    return chunks


class Response:
    """As much of a response as is asked for."""

    headers = {"content-type": "text/event-stream"}

    def __init__(self, chunks):
        self.chunks = chunks

    def iter_bytes(self):
        return iter(self.chunks)

    def iter_text(self):
        return (chunk.decode() for chunk in self.chunks)


def read(chunks):
    events = length = 0
    for event in EventSource(Response(chunks)).iter_sse():
        events += 1
        length += len(event.data)
    return events, length


for line in sys.stdin:
    data, most = map(int, line.split())
    event = b"event: message\ndata: " + b"x" * data + b"\n\n"
    count = STREAM // len(event)
    stream = event * count
    chunks = cut(stream, most)
    times, started = 0, time.perf_counter()
    while times == 0 or time.perf_counter() - started < ENOUGH:
        assert read(chunks) == (count, count * data)
        times += 1
    print(len(stream) * times / (time.perf_counter() - started), flush=True)
