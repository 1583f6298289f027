// What every client script here shares: the server's command line, checks by name, one verdict as the last line.

/** The server to start: everything after `--`. */
export function serverCommand() {
  const at = process.argv.indexOf('--');
  const [command, ...args] = at < 0 ? [] : process.argv.slice(at + 1);
  if (!command) throw new Error('usage: node SCRIPT [OPTION...] -- COMMAND [ARG...]');
  return { command, args };
}

const done = [];

/** Runs one named check; a failure says which. */
export async function check(name, body) {
  try {
    const value = await body();
    done.push(name);
    return value;
  } catch (error) {
    throw new Error(`${name}: ${error?.message ?? error}`, { cause: error });
  }
}

/** Throws unless both are the same text once printed as JSON. */
export function same(seen, wanted, what = 'value') {
  const [a, b] = [JSON.stringify(seen), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${what} is ${clip(a)}, expected ${clip(b)}`);
}

/** The text of a tool's only content block. */
export function textOf(result) {
  same(result.content?.map(block => block.type), ['text'], 'content');
  return result.content[0].text;
}

/** 20 calls of 200 KB at once, every answer compared with its own question. */
export async function parallelEchoes(call) {
  const texts = Array.from({ length: 20 }, (_, n) => `${n}:${'x'.repeat(200_000)}`);
  const results = await Promise.all(texts.map(call));
  results.forEach((result, n) => same(textOf(result), texts[n], `answer ${n}`));
}

/**
 * Collects what `client` complains about and the progress that arrives.
 *
 * Both SDKs run notification handlers a microtask later, and forget a call's progress handler when its answer is
 * read: progress that arrives in one read with the answer reaches `onerror` ("unknown token") and not the callback.
 * So progress is looked at where it comes in, and that one complaint is left out.
 */
export function watch(client, transport) {
  const strays = [];
  client.onerror = error => {
    const text = String(error?.message ?? error);
    if (!text.includes('progress notification for an unknown token')) strays.push(text);
  };
  const progress = [];
  const tokens = [];
  return {
    strays,
    progress,
    tokens,
    /** To be called once connected: connecting is what sets `onmessage`. */
    connected() {
      const inner = transport.onmessage;
      transport.onmessage = (message, extra) => {
        if (message.method === 'notifications/progress') progress.push(message.params);
        inner(message, extra);
      };
      const send = transport.send.bind(transport);
      transport.send = (message, options) => {
        const token = message.params?._meta?.progressToken;
        if (token !== undefined) tokens.push(token);
        return send(message, options);
      };
    },
  };
}

/** Five steps of progress, in order, under the token that was asked for; returns how many the callback saw. */
export async function fiveSteps(watched, call) {
  let called = 0;
  await call('progress', { steps: 5 }, { onprogress: () => (called += 1) });
  const [token] = watched.tokens;
  same(watched.progress.map(params => params.progressToken), Array(5).fill(token), 'progress tokens');
  const steps = watched.progress.map(params => params.progress);
  same(steps, [...new Set(steps)].sort((a, b) => a - b), 'progress');
  return called;
}

/** Closes, waits for `child` to end and looks how: it must have been the end of input, not a signal. */
export async function endsByItself(child, close) {
  const exit = new Promise(resolve => child.once('exit', (status, signal) => resolve({ status, signal })));
  const before = performance.now();
  await close();
  same(await exit, { status: 0, signal: null }, 'exit');
  const took = performance.now() - before;
  if (took >= 1000) throw new Error(`the server took ${Math.round(took)} ms to end after close`);
}

/** Runs `body`, prints the verdict and leaves. */
export async function verdict(body) {
  let last;
  try {
    last = { ok: true, ...(await body()), checks: done };
  } catch (error) {
    console.error(error);
    last = { ok: false, error: String(error?.message ?? error), checks: done };
  }
  // Not before the pipe has it: process.exit does not wait for stdout.
  process.stdout.write(JSON.stringify(last) + '\n', () => process.exit(last.ok ? 0 : 1));
}

function clip(text) {
  return text?.length > 120 ? `${text.slice(0, 120)}… (${text.length} characters)` : text;
}
