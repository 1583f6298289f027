// The two ways to a server, over stdio and over HTTP+SSE, and what a clean end is on each.
import { same } from './verdict.mjs';

/** Longest that a server may take to end after its client closed. */
const PATIENCE_MS = 1000;

/** What the command line names, `-- COMMAND [ARG...]` or a URL, as a transport and a way to close it. */
export function reach([where, command, ...args], { StdioClientTransport, SSEClientTransport }) {
  if (where === '--' && command) {
    const transport = new StdioClientTransport({ command, args });
    // A private field, in a version that is pinned: only it can tell a clean exit from a kill.
    return { transport, close: client => endsByItself(transport._process, () => client.close()) };
  }
  const transport = new SSEClientTransport(new URL(where));
  // As above: it is said to nobody but the transport.
  return { transport, close: client => sessionEnds(transport._endpoint, () => client.close()) };
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

/** Closes, and asks the session's endpoint until it says that there is none. */
async function sessionEnds(endpoint, close) {
  const before = performance.now();
  await close();
  for (;;) {
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"jsonrpc":"2.0","method":"notifications/late"}',
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    await response.text();
    if (response.status === 404) return;
    same(response.status, 202, 'status of a message to a session that was just closed');
    if (performance.now() - before >= PATIENCE_MS) throw new Error(`the session lives on after ${PATIENCE_MS} ms`);
    await new Promise(resolve => setTimeout(resolve, 10));
  }
}
