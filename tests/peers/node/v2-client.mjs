// The client of the official TypeScript SDK 2.x.
// usage: node v2-client.mjs legacy|auto|2026-07-28 SERVER URL|-- COMMAND [ARG...]
import { Client, SSEClientTransport, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { SAMPLE, converse } from './conversation.mjs';
import { reach } from './reach.mjs';
import { verdict } from './verdict.mjs';
import { watch } from './watch.mjs';

const [mode, server, ...where] = process.argv.slice(2);

await verdict(() => {
  const transports = { StdioClientTransport, SSEClientTransport, StreamableHTTPClientTransport };
  const { transport, close } = reach(where, transports);
  const versionNegotiation = { mode: ['legacy', 'auto'].includes(mode) ? mode : { pin: mode } };
  const client = new Client(
    { name: 'v2-client', version: '1' },
    { versionNegotiation, capabilities: { sampling: {} } },
  );
  client.setRequestHandler('sampling/createMessage', async () => SAMPLE);
  const peer = {
    watched: watch(client, transport),
    async connect() {
      await client.connect(transport);
      return { name: client.getServerVersion()?.name, era: client.getProtocolEra() };
    },
    list: async () => (await client.listTools()).tools.map(tool => tool.name),
    call: (name, args, options) => client.callTool({ name, arguments: args }, options),
    ping: () => client.ping(),
    close: () => close(client),
  };
  return converse(peer, server, mode);
});
