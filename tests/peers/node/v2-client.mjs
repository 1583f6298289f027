// The client of the official TypeScript SDK 2.x, over stdio, against the demo server.
// usage: node v2-client.mjs legacy|auto|2026-07-28 -- COMMAND [ARG...]
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import {
  check,
  endsByItself,
  fiveSteps,
  parallelEchoes,
  same,
  serverCommand,
  textOf,
  verdict,
  watch,
} from './verdict.mjs';

const mode = process.argv[2];

await verdict(async () => {
  const transport = new StdioClientTransport(serverCommand());
  const versionNegotiation = { mode: ['legacy', 'auto'].includes(mode) ? mode : { pin: mode } };
  const client = new Client(
    { name: 'v2-client', version: '1' },
    { versionNegotiation, capabilities: { sampling: {} } },
  );
  const watched = watch(client, transport);
  client.setRequestHandler('sampling/createMessage', async () => ({
    model: 'none',
    role: 'assistant',
    content: { type: 'text', text: 'the client said this' },
  }));
  const call = (name, args = {}, options = {}) => client.callTool({ name, arguments: args }, options);

  const era = await check('connect', async () => {
    await client.connect(transport);
    watched.connected();
    same(client.getServerVersion()?.name, 'mcp-bridge-demo', 'serverInfo.name');
    // The demo speaks both eras, and a client that may choose takes the newer.
    same(client.getProtocolEra(), mode === 'legacy' ? 'legacy' : 'modern', 'era');
    return client.getProtocolEra();
  });
  await check('tools/list', async () => {
    const names = (await client.listTools()).tools.map(tool => tool.name);
    const missing = ['echo', 'add', 'progress', 'fail', 'large'].filter(n => !names.includes(n));
    same(missing, [], 'missing tools');
  });
  await check('echo', async () => {
    const text = 'héllo\u2028x\u0000\\"\r\n😀';
    same(textOf(await call('echo', { text })), text);
  });
  await check('20 parallel 200 KB echoes', () => parallelEchoes(text => call('echo', { text })));
  const callbacks = await check('progress', () => fiveSteps(watched, call));
  await check('tool error', async () => same((await call('fail')).isError, true, 'isError'));
  await check('unknown tool', async () => {
    const code = await call('no-such-tool').then(() => 'an answer', error => error.code);
    same(code, -32602, 'code');
  });
  if (mode === 'legacy') {
    // Neither exists in 2026-07-28.
    await check('sampling', async () => {
      same(textOf(await call('ask')).includes('the client said this'), true, 'answer carries what the client said');
    });
    await check('ping', () => client.ping());
  }
  await check('close', () => endsByItself(transport._process, () => client.close()));
  await check('no stray messages', () => same(watched.strays, [], 'errors the client saw'));
  return { detail: `${era} era, ${callbacks} of 5 progress callbacks` };
});
