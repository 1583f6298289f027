// A server of the official TypeScript SDK 2.x over Streamable HTTP, for both eras; its URL is its first line on stderr.
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import { json } from 'node:stream/consumers';
import { NodeStreamableHTTPServerTransport, toNodeHandler, toWebRequest } from '@modelcontextprotocol/node';
import { McpServer, createMcpHandler, inputRequired, inputResponse, isLegacyRequest } from '@modelcontextprotocol/server';
import { z } from 'zod';
import './listening.mjs';

const text = text => ({ content: [{ type: 'text', text }] });

function session() {
  const server = new McpServer({ name: 'v2-peer', version: '1' });
  server.registerTool('echo', { inputSchema: z.object({ text: z.string() }) }, async args => text(args.text));
  server.registerTool('progress', { inputSchema: z.object({ steps: z.number() }) }, async ({ steps }, { mcpReq }) => {
    const { progressToken } = mcpReq._meta;
    for (let progress = 1; progress <= steps; progress += 1) {
      const params = { progressToken, progress, total: steps };
      await mcpReq.notify({ method: 'notifications/progress', params });
      // Progress that shares a read with the answer is lost in the TypeScript clients.
      await new Promise(resolve => setTimeout(resolve, 5));
    }
    return text('done');
  });
  server.registerTool('fail', {}, async () => {
    throw new Error('as asked');
  });
  // Where the era has requests to the client, the SDK makes one of what is required.
  server.registerTool('ask', {}, async ({ mcpReq }) => {
    const answer = inputResponse(mcpReq.inputResponses, 'sample');
    if (answer.kind === 'sampling') return text(answer.result.content.text);
    const messages = [{ role: 'user', content: { type: 'text', text: 'say something' } }];
    return inputRequired({
      inputRequests: { sample: inputRequired.createMessage({ messages, maxTokens: 10 }) },
    });
  });
  return server;
}

const modern = toNodeHandler(createMcpHandler(session, { legacy: 'reject' }));
const transports = new Map();

http
  .createServer(async (request, response) => {
    const body = request.method === 'POST' ? await json(request) : undefined;
    if (!(await isLegacyRequest(await toWebRequest(request, body)))) return modern(request, response, body);
    const id = request.headers['mcp-session-id'];
    if (id !== undefined && !transports.has(id)) return response.writeHead(404).end('Session not found');
    let transport = transports.get(id);
    if (!transport) {
      transport = new NodeStreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID,
        onsessioninitialized: id => transports.set(id, transport),
      });
      transport.onclose = () => transports.delete(transport.sessionId);
      await session().connect(transport);
    }
    await transport.handleRequest(request, response, body);
  })
  .listen(0, '127.0.0.1');
