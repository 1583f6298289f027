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

/** The servers, whether they speak 2026-07-28, and which of their tools does what, if they have one for it. */
const SERVERS = {
  demo: { name: 'mcp-bridge-demo', modern: true, ...SAME_AS_THE_DEMO },
  'python-peer': { name: 'python-peer', modern: true, ...SAME_AS_THE_DEMO },
  'v1-peer': { name: 'v1-peer', modern: false, ...SAME_AS_THE_DEMO },
  'v2-peer': { name: 'v2-peer', modern: true, ...SAME_AS_THE_DEMO },
  'rust-peer': { name: 'rmcp', modern: true, echo: SAME_AS_THE_DEMO.echo, echoed: SAME_AS_THE_DEMO.echoed },
  everything: {
    name: 'mcp-servers/everything',
    modern: false,
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
 *
 * In `mode` auto it takes the newer era of a server that speaks both; others name the era, and that is all that is said
 * to a server that does not have it.
 */
export async function converse(peer, which, mode = 'legacy') {
  const server = SERVERS[which];
  if (!server) throw new Error(`no server ${which}, only ${Object.keys(SERVERS)}`);
  const { watched } = peer;
  const call = ([tool, args], options = {}) => peer.call(tool, args, options);

  if (!['legacy', 'auto'].includes(mode) && !server.modern) {
    return await check('refusal', async () => {
      const error = await peer.connect().then(() => undefined, error => error);
      same(error?.code, -32022, 'code');
      same(error.data?.supported?.includes('2025-11-25'), true, 'what is supported instead has 2025-11-25');
      return { detail: error.message };
    });
  }
  const era = await check('initialize', async () => {
    const { name, era } = await peer.connect();
    watched.connected();
    same(name, server.name, 'serverInfo.name');
    same(era, mode === 'legacy' || (mode === 'auto' && !server.modern) ? 'legacy' : 'modern', 'era');
    return era;
  });
  await check('tools/list', async () => {
    const names = await peer.list();
    const wanted = [server.echo(''), server.steps, server.fail, server.ask].filter(Boolean);
    same(wanted.map(([tool]) => tool).filter(tool => !names.includes(tool)), [], 'missing tools');
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
  let detail = `${era} era`;
  if (server.steps) {
    const callbacks = await check('progress', () => fiveSteps(watched, options => call(server.steps, options)));
    detail += `, ${callbacks} of 5 progress callbacks`;
  }
  if (server.fail) {
    await check('tool error', async () => same((await call(server.fail)).isError, true, 'isError'));
  }
  if (which === 'demo') await onlyTheDemo(peer, era);
  if (server.ask) {
    // In 2026-07-28 the answer says that input is required, and the client asks again with it.
    await check('sampling', async () => {
      const text = textOf(await call(server.ask));
      same(text.includes(SAMPLE.content.text), true, 'answer carries what the client said');
    });
  }
  // It does not exist in 2026-07-28.
  if (era === 'legacy') await check('ping', () => peer.ping());
  await watched.allSent();
  await check('close', () => peer.close());
  await check('no stray messages', () => same(watched.strays, [], 'errors the client saw'));
  return { detail };
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
