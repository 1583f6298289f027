// The ways to a server, over stdio, HTTP+SSE and Streamable HTTP, and what a clean end is on each.
import { subscribe } from 'node:diagnostics_channel';
import { Agent, fetch as fetchByVersion } from 'undici';
import { same } from './verdict.mjs';

/** Longest that a server may take to end after its client closed. */
const PATIENCE_MS = 1000;

// Who we are, and whether HTTP/2 is spoken, where the server says that it can.
const { PEER_TOKEN, PEER_HTTP2 } = process.env;
const authorization = PEER_TOKEN ? { authorization: `Bearer ${PEER_TOKEN}` } : {};
const dispatcher = PEER_HTTP2 ? new Agent({ allowH2: true }) : undefined;
const ask = dispatcher ? (url, init) => fetchByVersion(url, { ...init, dispatcher }) : fetch;

const versions = new Set();
subscribe('undici:client:connected', ({ connectParams }) => versions.add(connectParams.version));

/** What every transport over HTTP is told. */
const options = { requestInit: { headers: authorization }, fetch: ask };

/** Whether every connection spoke the version of HTTP that it should. */
function spoken() {
  if (dispatcher) same([...versions], ['h2'], 'versions of HTTP');
}

/** What the command line names, `-- COMMAND [ARG...]` or a URL, as a transport and a way to close it. */
export function reach([where, command, ...args], transports) {
  const { StdioClientTransport, SSEClientTransport, StreamableHTTPClientTransport } = transports;
  if (where === '--' && command) {
    const transport = new StdioClientTransport({ command, args });
    // A private field, in a version that is pinned: only it can tell a clean exit from a kill.
    return { transport, close: client => endsByItself(transport._process, () => client.close()) };
  }
  const url = new URL(where);
  if (url.pathname.endsWith('/sse')) {
    const transport = new SSEClientTransport(url, options);
    // As above: it is said to nobody but the transport.
    return { transport, close: client => sessionEnds(transport._endpoint, {}, () => client.close()) };
  }
  const transport = new StreamableHTTPClientTransport(url, options);
  return { transport, close: client => deleted(transport, url, client) };
}

/** Closes, waits for `child` to end and looks how: it must have been the end of input, not a signal. */
async function endsByItself(child, close) {
  const exit = new Promise(resolve => child.once('exit', (status, signal) => resolve({ status, signal })));
  const before = performance.now();
  await close();
  same(await exit, { status: 0, signal: null }, 'exit');
  const took = performance.now() - before;
  if (took >= PATIENCE_MS) throw new Error(`the server took ${Math.round(took)} ms to end after close`);
}

/** Closes, and where there is a session deletes it, which closing alone does not. */
async function deleted(transport, url, client) {
  const { sessionId, protocolVersion } = transport;
  if (sessionId === undefined) return client.close().then(spoken);
  const headers = {
    accept: 'application/json, text/event-stream',
    'mcp-session-id': sessionId,
    'mcp-protocol-version': protocolVersion,
  };
  await sessionEnds(url, headers, async () => {
    await transport.terminateSession();
    await client.close();
  });
}

/** Closes, and asks the session's endpoint until it says that there is none. */
async function sessionEnds(endpoint, headers, close) {
  const before = performance.now();
  await close();
  for (;;) {
    const response = await ask(endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...authorization, ...headers },
      body: '{"jsonrpc":"2.0","method":"notifications/late"}',
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    await response.text();
    if (response.status === 404) return spoken();
    same(response.status, 202, 'status of a message to a session that was just closed');
    if (performance.now() - before >= PATIENCE_MS) throw new Error(`the session lives on after ${PATIENCE_MS} ms`);
    await new Promise(resolve => setTimeout(resolve, 10));
  }
}
