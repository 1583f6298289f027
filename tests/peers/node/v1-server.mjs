// A server of the official TypeScript SDK 1.x; its URL is its first line on stderr.
// usage: node v1-server.mjs sse|http
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { z } from 'zod';
import './listening.mjs';

const text = text => ({ content: [{ type: 'text', text }] });

function session() {
  const server = new McpServer({ name: 'v1-peer', version: '1' });
  server.registerTool('echo', { inputSchema: { text: z.string() } }, async args => text(args.text));
  server.registerTool('progress', { inputSchema: { steps: z.number() } }, async ({ steps }, extra) => {
    const { progressToken } = extra._meta;
    for (let progress = 1; progress <= steps; progress += 1) {
      const params = { progressToken, progress, total: steps };
      await extra.sendNotification({ method: 'notifications/progress', params });
      // Progress that shares a read with the answer is lost in the TypeScript clients.
      await new Promise(resolve => setTimeout(resolve, 5));
    }
    return text('done');
  });
  server.registerTool('fail', {}, async () => {
    throw new Error('as asked');
  });
  server.registerTool('ask', {}, async () => {
    const content = { type: 'text', text: 'say something' };
    const answer = await server.server.createMessage({ messages: [{ role: 'user', content }], maxTokens: 10 });
    return text(answer.content.text);
  });
  return server;
}

const transports = new Map();

async function sse(request, response) {
  if (request.method === 'GET') {
    // The query is the application's own, and a client must keep it.
    const transport = new SSEServerTransport('/messages?x=1', response);
    transports.set(transport.sessionId, transport);
    response.on('close', () => transports.delete(transport.sessionId));
    return session().connect(transport);
  }
  const { searchParams } = new URL(request.url, 'http://localhost');
  const transport = transports.get(searchParams.get('sessionId'));
  if (!transport || searchParams.get('x') !== '1') return response.writeHead(404).end('Session not found');
  await transport.handlePostMessage(request, response);
}

async function streamable(request, response) {
  const id = request.headers['mcp-session-id'];
  if (id !== undefined && !transports.has(id)) return response.writeHead(404).end('Session not found');
  let transport = transports.get(id);
  if (!transport) {
    transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: id => transports.set(id, transport),
    });
    transport.onclose = () => transports.delete(transport.sessionId);
    await session().connect(transport);
  }
  await transport.handleRequest(request, response);
}

http.createServer({ sse, http: streamable }[process.argv[2]]).listen(0, '127.0.0.1');
