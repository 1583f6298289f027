// npm's eventsource-parser on the bench's event streams.
// Each line of stdin is `BYTES CHUNK`; the answer is one line on stdout: bytes each second.
import { createInterface } from 'node:readline';
import { createParser } from 'eventsource-parser';

const STREAM = 4 * 1024 * 1024;
const ENOUGH = 100;

function cut(bytes, most) {
  const chunks = [];
  for (let state = 1, at = 0; at < bytes.length; ) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const end = Math.min(bytes.length, at + 1 + ((state >>> 8) % most));
    chunks.push(bytes.subarray(at, end));
    at = end;
  }
  return chunks;
}

function read(chunks) {
  let events = 0;
  let bytes = 0;
  const onEvent = ({ data }) => {
    events += 1;
    bytes += data.length;
  };
  const parser = createParser({ onEvent, maxBufferSize: Infinity });
  const decoder = new TextDecoder();
  for (const chunk of chunks) parser.feed(decoder.decode(chunk, { stream: true }));
  return [events, bytes];
}

for await (const line of createInterface({ input: process.stdin })) {
  const [data, most] = line.split(' ').map(Number);
  const event = `event: message\ndata: ${'x'.repeat(data)}\n\n`;
  const count = Math.floor(STREAM / event.length);
  const stream = Buffer.from(event.repeat(count));
  const chunks = cut(stream, most);
  let times = 0;
  read(chunks);
  const started = performance.now();
  do {
    const [events, bytes] = read(chunks);
    if (events !== count || bytes !== count * data) throw new Error(`read ${events} events, ${bytes} bytes`);
    times += 1;
  } while (performance.now() - started < ENOUGH);
  console.log((stream.length * times * 1000) / (performance.now() - started));
}
