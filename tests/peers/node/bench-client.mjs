// The client of the official TypeScript SDK 1.x with a server that it starts, for the bench.
// usage: node bench-client.mjs COMMAND [ARG...]
// Each line of stdin is `IN_FLIGHT REQUESTS BYTES`; the answer is one line on stdout: the seconds that it took.
import { createInterface } from 'node:readline';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';

const [command, ...args] = process.argv.slice(2);
const client = new Client({ name: 'bench', version: '1' });
await client.connect(new StdioClientTransport({ command, args, maxBufferSize: 64 * 1024 * 1024 }));

for await (const line of createInterface({ input: process.stdin })) {
  const [inFlight, requests, bytes] = line.split(' ').map(Number);
  const text = 'x'.repeat(bytes);
  let left = requests;
  const started = performance.now();
  const lane = async () => {
    while (left-- > 0) {
      const { content } = await client.callTool({ name: 'echo', arguments: { text } });
      if (content[0].text.length !== bytes) throw new Error('another text came back');
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  console.log((performance.now() - started) / 1000);
}
await client.close();
