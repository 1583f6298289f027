// What every client script here shares: checks by name, and one verdict as the last line.

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
