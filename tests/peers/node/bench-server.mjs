// An echo server of the official TypeScript SDK 1.x for the bench; over HTTP its URL is its first line on stderr.
// usage: node bench-server.mjs stdio|sse|sse-express|json|stateless|stream
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { z } from 'zod';

const mode = process.argv[2];

function session() {
  const server = new McpServer({ name: 'bench', version: '1' });
  server.registerTool('echo', { inputSchema: { text: z.string() } }, async ({ text }) => ({
    content: [{ type: 'text', text }],
  }));
  return server;
}

const transports = new Map();

async function sse(request, response, body) {
  if (request.method === 'GET') {
    const transport = new SSEServerTransport('/message', response);
    transports.set(transport.sessionId, transport);
    response.on('close', () => transports.delete(transport.sessionId));
    return session().connect(transport);
  }
  const { searchParams } = new URL(request.url, 'http://localhost');
  const transport = transports.get(searchParams.get('sessionId'));
  if (!transport) return response.writeHead(404).end('Session not found');
  await transport.handlePostMessage(request, response, body);
}

async function streamable(request, response, body) {
  const enableJsonResponse = mode !== 'stream';
  let transport = transports.get(request.headers['mcp-session-id']);
  if (!transport) {
    transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: mode === 'stateless' ? undefined : randomUUID,
      enableJsonResponse,
      onsessioninitialized: id => transports.set(id, transport),
    });
    await session().connect(transport);
  }
  await transport.handleRequest(request, response, body);
}

function listening() {
  console.error(`listening on http://127.0.0.1:${this.address().port}`);
}

if (mode === 'stdio') {
  // Its own limit is 10 MiB.
  const transport = new StdioServerTransport(undefined, undefined, { maxBufferSize: 64 * 1024 * 1024 });
  await session().connect(transport);
} else if (mode === 'sse') {
  http.createServer((request, response) => sse(request, response)).listen(0, '127.0.0.1', listening);
} else {
  // As the SDK's examples do.
  const { default: express } = await import('express');
  const app = express();
  app.use(express.json({ limit: '64mb' }));
  const serve = mode === 'sse-express' ? sse : streamable;
  app.use((request, response) => serve(request, response, request.body));
  app.listen(0, '127.0.0.1', listening);
}
