// What is said to a server and must come back, whichever SDK says it and whichever way it goes.
import { check, same, textOf } from './verdict.mjs';

/** What the SDKs' clients answer to a sampling request. */
export const SAMPLE = {
  model: 'none',
  role: 'assistant',
  content: { type: 'text', text: 'the client said this' },
};

const SAME_AS_THE_DEMO = {
  echo: text => ['echo', { text }],
  echoed: text => text,
  steps: ['progress', { steps: 5 }],
  fail: ['fail', {}],
  ask: ['ask', {}],
};

/** The servers, and which of their tools does what. */
const SERVERS = {
  demo: { name: 'mcp-bridge-demo', ...SAME_AS_THE_DEMO },
  'python-peer': { name: 'python-peer', ...SAME_AS_THE_DEMO },
  'v1-peer': { name: 'v1-peer', ...SAME_AS_THE_DEMO },
  everything: {
    name: 'mcp-servers/everything',
    echo: message => ['echo', { message }],
    echoed: text => `Echo: ${text}`,
    steps: ['trigger-long-running-operation', { duration: 0.1, steps: 5 }],
    // What it throws is the same: its argument is missing.
    fail: ['echo', {}],
    ask: ['trigger-sampling-request', { prompt: 'say something' }],
  },
};

/**
 * All of it, from connecting to closing. `peer` is a client of one SDK:
 *
 * - `connect()` returns the server's name and the era,
 * - `list()` the names of the tools, `call(tool, args, options)` a result,
 * - `request(method)`, where the SDK lets one ask for any method, rejects with a code,
 * - `ping()`, `close()`, and `watched` of watch.mjs.
 */
export async function converse(peer, which) {
  const server = SERVERS[which];
  if (!server) throw new Error(`no server ${which}, only ${Object.keys(SERVERS)}`);
  const { watched } = peer;
  const call = ([tool, args], options = {}) => peer.call(tool, args, options);

  const era = await check('initialize', async () => {
    const { name, era } = await peer.connect();
    watched.connected();
    same(name, server.name, 'serverInfo.name');
    return era;
  });
  await check('tools/list', async () => {
    const names = await peer.list();
    const wanted = [server.echo('')[0], server.steps[0], server.fail[0], server.ask[0]];
    same(wanted.filter(name => !names.includes(name)), [], 'missing tools');
  });
  await check('echo', async () => {
    const text = 'héllo\u2028x\u0000\\"\r\n😀';
    same(textOf(await call(server.echo(text))), server.echoed(text));
  });
  await check('20 parallel 200 KB echoes', async () => {
    const texts = Array.from({ length: 20 }, (_, n) => `${n}:${'x'.repeat(200_000)}`);
    const results = await Promise.all(texts.map(text => call(server.echo(text))));
    results.forEach((result, n) => same(textOf(result), server.echoed(texts[n]), `answer ${n}`));
  });
  const callbacks = await check('progress', () => fiveSteps(watched, options => call(server.steps, options)));
  await check('tool error', async () => same((await call(server.fail)).isError, true, 'isError'));
  if (which === 'demo') await onlyTheDemo(peer, era);
  if (era === 'legacy') {
    // Neither exists in 2026-07-28.
    await check('sampling', async () => {
      const text = textOf(await call(server.ask));
      same(text.includes(SAMPLE.content.text), true, 'answer carries what the client said');
    });
    await check('ping', () => peer.ping());
  }
  await watched.allSent();
  await check('close', () => peer.close());
  await check('no stray messages', () => same(watched.strays, [], 'errors the client saw'));
  return { detail: `${era} era, ${callbacks} of 5 progress callbacks` };
}

async function onlyTheDemo({ watched, call, request }, era) {
  const codeOf = answer => answer.then(() => 'an answer', error => error.code);
  await check('add', async () => same(textOf(await call('add', { a: 2, b: 40 }, {})), '42'));
  await check('large result', async () => {
    same(textOf(await call('large', { bytes: 2_000_000 }, {})).length, 2_000_000, 'length');
  });
  await check('unknown tool', async () => same(await codeOf(call('no-such-tool', {}, {})), -32602, 'code'));
  if (request) {
    await check('unknown method', async () => same(await codeOf(request('no/such-method')), -32601, 'code'));
  }
  if (era === 'legacy') {
    await check('log', async () => {
      await call('log', { level: 'warning', text: 'logged' }, {});
      same(watched.notified('notifications/message').map(params => params.level), ['warning'], 'levels logged');
    });
  }
}

/** Five steps of progress, in order, under the token that was asked for; returns how many the callback saw. */
async function fiveSteps(watched, call) {
  let called = 0;
  await call({ onprogress: () => (called += 1) });
  const progress = watched.notified('notifications/progress');
  const [token] = watched.tokens;
  same(progress.map(params => params.progressToken), Array(5).fill(token), 'progress tokens');
  const steps = progress.map(params => params.progress);
  same(steps, [...new Set(steps)].sort((a, b) => a - b), 'progress');
  return called;
}
