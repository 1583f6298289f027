// The client of the official TypeScript SDK 1.x.
// usage: node v1-client.mjs SERVER URL|-- COMMAND [ARG...]
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { CreateMessageRequestSchema, EmptyResultSchema } from '@modelcontextprotocol/sdk/types.js';
import { SAMPLE, converse } from './conversation.mjs';
import { reach } from './reach.mjs';
import { verdict } from './verdict.mjs';
import { watch } from './watch.mjs';

const [server, ...where] = process.argv.slice(2);

await verdict(() => {
  const transports = { StdioClientTransport, SSEClientTransport, StreamableHTTPClientTransport };
  const { transport, close } = reach(where, transports);
  const client = new Client({ name: 'v1-client', version: '1' }, { capabilities: { sampling: {} } });
  client.setRequestHandler(CreateMessageRequestSchema, async () => SAMPLE);
  const peer = {
    watched: watch(client, transport),
    async connect() {
      await client.connect(transport);
      return { name: client.getServerVersion()?.name, era: 'legacy' };
    },
    list: async () => (await client.listTools()).tools.map(tool => tool.name),
    call: (name, args, options) => client.callTool({ name, arguments: args }, undefined, options),
    request: method => client.request({ method }, EmptyResultSchema),
    ping: () => client.ping(),
    close: () => close(client),
  };
  return converse(peer, server);
});
