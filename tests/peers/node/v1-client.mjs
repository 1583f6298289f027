// The client of the official TypeScript SDK 1.x, over stdio, against the demo server.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import {
  CreateMessageRequestSchema,
  EmptyResultSchema,
  LoggingMessageNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
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

await verdict(async () => {
  const transport = new StdioClientTransport(serverCommand());
  const client = new Client({ name: 'v1-client', version: '1' }, { capabilities: { sampling: {} } });
  const watched = watch(client, transport);
  const logged = [];
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void logged.push(params));
  client.setRequestHandler(CreateMessageRequestSchema, async () => ({
    model: 'none',
    role: 'assistant',
    content: { type: 'text', text: 'the client said this' },
  }));
  const call = (name, args = {}, options = {}) =>
    client.callTool({ name, arguments: args }, undefined, options);

  await check('initialize', async () => {
    await client.connect(transport);
    watched.connected();
    same(client.getServerVersion()?.name, 'mcp-bridge-demo', 'serverInfo.name');
  });
  await check('tools/list', async () => {
    const names = (await client.listTools()).tools.map(tool => tool.name);
    const missing = ['echo', 'add', 'progress', 'log', 'fail', 'large', 'ask'].filter(n => !names.includes(n));
    same(missing, [], 'missing tools');
  });
  await check('echo', async () => {
    const text = 'héllo\u2028x\u0000\\"\r\n😀';
    same(textOf(await call('echo', { text })), text);
  });
  await check('add', async () => same(textOf(await call('add', { a: 2, b: 40 })), '42'));
  await check('20 parallel 200 KB echoes', () => parallelEchoes(text => call('echo', { text })));
  await check('large result', async () => same(textOf(await call('large', { bytes: 2_000_000 })).length, 2_000_000));
  const callbacks = await check('progress', () => fiveSteps(watched, call));
  await check('log', async () => {
    await call('log', { level: 'warning', text: 'logged' });
    same(logged.map(params => params.level), ['warning'], 'levels logged');
  });
  await check('tool error', async () => same((await call('fail')).isError, true, 'isError'));
  await check('unknown tool', async () => {
    const code = await call('no-such-tool').then(() => 'an answer', error => error.code);
    same(code, -32602, 'code');
  });
  await check('unknown method', async () => {
    const code = await client
      .request({ method: 'no/such-method' }, EmptyResultSchema)
      .then(() => 'an answer', error => error.code);
    same(code, -32601, 'code');
  });
  await check('sampling', async () => {
    same(textOf(await call('ask')).includes('the client said this'), true, 'answer carries what the client said');
  });
  await check('ping', () => client.ping());
  // A private field, in a version that is pinned: only it can tell a clean exit from a kill.
  await check('close', () => endsByItself(transport._process, () => client.close()));
  await check('no stray messages', () => same(watched.strays, [], 'errors the client saw'));
  return { detail: `${callbacks} of 5 progress callbacks` };
});
