// What is wrong is refused with its reason, counted, and does not stop the next good request.
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { test } from 'node:test';
import { nowSeconds, wireOf } from '../harness/customer.mjs';
import { eventually } from '../harness/eventually.mjs';
import { addressed, assertClean, assertNothingTwice, openMarket } from '../harness/market.mjs';
import { skipWithoutProgram } from '../harness/provider.mjs';

const options = { skip: skipWithoutProgram, timeout: 300_000 };
const text = ['i', 'hello', 'text'];

// Addressed to us, well formed and signed, but not to be served: told why, with what would work.
const REFUSED = [
  ['a temperature beyond its range', [text, ['param', 'temperature', '99']], /temperature/],
  ['a temperature below its range', [text, ['param', 'temperature', '-1']], /temperature/],
  ['a temperature that is no number', [text, ['param', 'temperature', 'warm']], /temperature/],
  ['a temperature that is not finite', [text, ['param', 'temperature', 'NaN']], /temperature/],
  ['a temperature with a tail', [text, ['param', 'temperature', '0.7; drop table']], /temperature/],
  ['top_k that is no integer', [text, ['param', 'top_k', '4.5']], /top.k/],
  ['top_p beyond its range', [text, ['param', 'top_p', '1.5']], /top.p/],
  ['max_tokens of zero', [text, ['param', 'max_tokens', '0']], /max_tokens/],
  ['max_tokens below zero', [text, ['param', 'max_tokens', '-5']], /max_tokens/],
  ['max_tokens beyond all integers', [text, ['param', 'max_tokens', '99999999999999999999999']], /max_tokens/],
  ['a frequency_penalty beyond its range', [text, ['param', 'frequency_penalty', '17']], /frequency_penalty/],
  ['a seed that is no number', [text, ['param', 'seed', '0x2a']], /seed/],
  ['a bid that is no number', [text, ['bid', 'a lot']], /bid/],
  ['a bid below zero', [text, ['bid', '-1']], /bid/],
  ['no prompt', [], /prompt|input/i],
  ['an empty prompt', [['i', '', 'text']], /prompt|input|empty/i],
  ['an unknown type of input', [['i', 'hello', 'hologram']], /hologram|input/],
  ['an unknown output', [text, ['output', 'image/png']], /output|image\/png/],
  ['an unknown model', [text, ['param', 'model', 'gpt-17']], /gpt-17/],
  ['a prompt beyond the context', [['i', 'word '.repeat(10_000), 'text']], /long|context|tokens|bytes/i],
  ['encrypted by a scheme of its own', [['encrypted']], /encrypt|decrypt/i, { content: 'not really encrypted' }],
];

test('what cannot be served is refused with the reason', options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider, ollama } = market;
  for (const [name, tags, reason, more] of REFUSED) {
    await t.test(name, async () => {
      const job = await customer.ask({ tags: [...tags, ['p', provider.pubkey]], ...more });
      assert.match(await job.refusal(), reason);
      assert.equal(job.results().length + job.invoices().length, 0);
      assert.equal((await provider.job(job.id)).state, 'declined');
    });
  }
  assert.equal(ollama.chats.length, 0);
  await (await customer.ask(addressed(provider))).result();
  await assertClean(market);
});

test('too many refusals: the notices stop, the decisions go on', options, async (t) => {
  const market = await openMarket(t, { settings: { 'selling.error_notices_per_customer': 3 } });
  const { customer, provider } = market;
  const jobs = [];
  for (let i = 0; i < 8; i += 1) jobs.push(await customer.ask(addressed(provider, [['param', 'temperature', `9${i}`]])));
  await (await customer.ask(addressed(provider))).result();
  assert.equal(jobs.filter((job) => job.feedback('error').length > 0).length, 3);
  for (const job of jobs) assert.equal((await provider.job(job.id)).state, 'declined');
  await assertClean(market);
});

test('a request that is too old, from the future or past its expiration is not served', options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider, relay, ollama } = market;
  const at = (created_at, tags = []) => customer.sign({ ...addressed(provider, tags), created_at });
  const requests = [
    at(nowSeconds() - 7 * 86_400),
    at(0),
    at(nowSeconds() + 86_400),
    at(Number.MAX_SAFE_INTEGER),
    at(nowSeconds(), [['expiration', String(nowSeconds() - 60)]]),
    at(nowSeconds(), [['expiration', 'never']]),
  ];
  for (const request of requests) assert.equal(relay.inject(wireOf(request)), 1);
  await (await customer.ask(addressed(provider, [], 'And now?'))).result();
  assert.equal(ollama.chats.length, 1);
  await assertClean(market);
});

test('frames that no honest relay would send are dropped and counted, and the service goes on', options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider, relay, ollama } = market;
  const good = customer.sign(addressed(provider));
  const changed = (change) => JSON.stringify({ ...JSON.parse(wireOf(good)), ...change });
  const deep = '['.repeat(100_000) + ']'.repeat(100_000);
  const frames = {
    'a wrong id': changed({ id: 'ab'.repeat(32) }),
    'a wrong signature': changed({ sig: 'cd'.repeat(64) }),
    'a signature of another event': changed({ content: 'changed', id: good.id }),
    'a key that is no point': changed({ pubkey: 'ff'.repeat(32) }),
    'another kind': wireOf(customer.sign({ ...addressed(provider), kind: 5051 })),
    'a kind beyond all kinds': changed({ kind: 1e300 }),
    'a time below zero': changed({ created_at: -1 }),
    'a time that is text': changed({ created_at: 'now' }),
    'tags that are no list': changed({ tags: 'none' }),
    'a tag of numbers': changed({ tags: [[1, 2]] }),
    'no fields': '{}',
    'no object': '"hello"',
    'half a JSON': '{"id":',
    'deeply nested': deep,
    'deeply nested in its tags': changed({}).replace('"tags":[', `"tags":[${deep},`),
    'a million empty tags': changed({ tags: Array(300_000).fill([]) }),
    'two mebibytes of content': wireOf(customer.sign({ ...addressed(provider), content: 'x'.repeat(2 << 20) })),
    'an embedded zero': changed({ content: 'a\u0000b' }),
    'a lone surrogate': changed({}).replace('"content":""', '"content":"\\ud800"'),
    'invalid UTF-8': Buffer.concat([Buffer.from('{"content":"'), Buffer.from([0xff, 0xfe, 0xc0]), Buffer.from('"}')]),
  };
  let number = 0;
  for (const [name, frame] of Object.entries(frames)) {
    await t.test(name, async () => {
      // A frame may cost its relay the connection; it is dialled again.
      await eventually(() => relay.subscribed(5050) > 0, 'the provider to be connected');
      assert.equal(relay.inject(frame), 1);
      const next = await customer.ask(addressed(provider, [], `Still there, ${number++}?`));
      await next.result();
    });
  }
  assert.equal(ollama.chats.length, number, 'no bad frame was served');
  assert.equal(await provider.stop(), 0);
  const dropped = (await provider.json(['ledger', 'export']))
    .filter((entry) => entry.type === 'RequestsDropped')
    .flatMap((entry) => entry.facts.counts)
    .reduce((sum, { count }) => sum + count, 0);
  assert.ok(dropped >= 4, `only ${dropped} were counted`);
  await assertClean(market);
});

test('the same request a hundred times is one job', options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider, relay, ollama } = market;
  const job = await customer.ask(addressed(provider));
  for (let i = 0; i < 50; i += 1) relay.inject(wireOf(job.request));
  await job.status('success');
  for (let i = 0; i < 50; i += 1) relay.inject(wireOf(job.request));
  await (await customer.ask(addressed(provider, [], 'Another?'))).result();
  assert.equal(ollama.chats.length, 2);
  assert.equal((await provider.jobs()).length, 2);
  assertNothingTwice(market, job);
  await assertClean(market);
});

test('addresses inside the network are never dialled for a customer', options, async (t) => {
  let knocks = 0;
  const trap = createServer((socket) => {
    knocks += 1;
    socket.destroy();
  }).listen(0, '127.0.0.1');
  t.after(() => trap.close());
  await once(trap, 'listening');
  const port = trap.address().port;
  const market = await openMarket(t, { settings: { 'relays.allow_private': false } });
  const { customer, provider } = market;
  const inside = [`ws://127.0.0.1:${port}`, `ws://localhost:${port}`, `ws://[::1]:${port}`, `ws://2130706433:${port}`, `ws://0x7f.1:${port}`,
    `ws://[::ffff:127.0.0.1]:${port}`, `ws://0.0.0.0:${port}`, 'ws://169.254.169.254', 'ws://10.0.0.1', 'file:///etc/passwd', 'not a url'];
  const job = await customer.ask(addressed(provider, [['relays', ...inside]]));
  await job.result();
  const url = await customer.ask({ tags: [['i', `http://127.0.0.1:${port}/`, 'url'], ['p', provider.pubkey]] });
  assert.ok(await url.refusal());
  assert.equal(knocks, 0);
  await assertClean(market);
});
