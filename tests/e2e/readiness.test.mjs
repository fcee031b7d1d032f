// What cannot be sold, and that every report of it agrees.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressed, assertClean, openMarket, pay, untilState } from '../harness/market.mjs';
import { skipWithoutProgram } from '../harness/provider.mjs';

const options = { skip: skipWithoutProgram, timeout: 120_000 };

async function status(provider) {
  const { code, stdout } = await provider.cli(['status', '--json']);
  return { code, rows: stdout.split('\n').filter(Boolean).map((row) => JSON.parse(row)) };
}
const rowOf = ({ rows }, what, which) => rows.find((row) => row.what === what && (which === undefined || row.which === which));

test('a model that is listed and cannot be loaded is not sold; the others are', options, async (t) => {
  const market = await openMarket(t, { start: false, settings: { 'announce.enabled': true } });
  const { provider, ollama, customer } = market;
  ollama.broken.add('qwen3:8b');
  await provider.start();
  const told = await provider.eventually(async () => {
    const report = await status(provider);
    return rowOf(report, 'inference', 'qwen3:8b') && report;
  }, 'status to name the model');
  assert.match(rowOf(told, 'inference', 'qwen3:8b').note, /does not work.*more system memory/);
  assert.equal(told.code, 1);
  assert.equal(rowOf(told, 'selling').which, 'online');
  assert.ok(provider.log.some((line) => /inference qwen3:8b: .*more system memory/.test(line)));
  const refused = await customer.ask(addressed(provider, [['param', 'model', 'qwen3:8b']]));
  assert.match(await refused.refusal(), /this model does not work now; try again later, or ask for another/);
  const served = await customer.ask(addressed(provider, [['param', 'model', 'llama3.2']], 'And the other?'));
  await provider.pay(await served.invoice());
  await served.result();
  assert.deepEqual(ollama.chats.map(({ body }) => body.model.replace(':latest', '')), ['llama3.2']);
  await assertClean(market);
});

test('a dead model server closes the shop, in every report, and opens it when it is back', options, async (t) => {
  const market = await openMarket(t, { settings: { 'announce.enabled': true } });
  const { provider, ollama, customer } = market;
  const port = Number(new URL(ollama.url).port);
  await ollama.close();
  const told = await provider.eventually(async () => {
    const report = await status(provider);
    return rowOf(report, 'selling').which === 'not ready' && report;
  }, 'status to tell', 60_000);
  assert.equal(told.code, 3);
  assert.match(rowOf(told, 'selling').note, /no jobs are accepted/);
  assert.ok(provider.log.some((line) => line.includes('no jobs are accepted')));
  const refused = await customer.ask(addressed(provider));
  assert.match(await refused.refusal(), /the model server is down/);
  const { startOllama } = await import('../harness/ollama.mjs');
  const again = await startOllama({ port });
  t.after(() => again.close());
  ollama.close = async () => {};
  await provider.eventually(async () => rowOf(await status(provider), 'selling').which === 'online', 'the shop to open', 60_000);
  assert.ok(provider.log.some((line) => line.includes('jobs are accepted again')));
  const facts = await provider.cli(['ledger', 'export']);
  const changes = facts.stdout.split('\n').filter(Boolean).map((row) => JSON.parse(row)).filter((row) => row.type === 'ReadinessChanged');
  assert.deepEqual(changes.slice(0, 1).map((row) => [row.facts.part, row.facts.ready, row.facts.code]), [['inference', false, 'inference.unreachable']]);
});

test('a paid job that nobody works on is in status, until serve goes on', options, async (t) => {
  const market = await openMarket(t, { mode: 'payment_first', ollamaOptions: { wordDelayMs: 300 } });
  const { provider, customer } = market;
  const job = await customer.ask(addressed(provider));
  await pay(market, job);
  await untilState(market, job, 'working');
  const busy = rowOf(await status(provider), 'selling').note;
  assert.equal(busy, '1 job in progress');
  await provider.kill();
  const left = rowOf(await status(provider), 'jobs');
  assert.equal(left.ok, true, 'it is a warning');
  assert.match(left.note, /^1 job is unfinished; [\d.,]+ sat was paid for it: `sellcompute serve` continues it$/);
  await provider.start();
  await job.result();
  await untilState(market, job, 'settled');
  assert.equal(rowOf(await status(provider), 'jobs'), undefined);
  await assertClean(market);
});
