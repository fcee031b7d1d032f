// Reports are read while `serve` holds the ledger, and never stand in its way.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressed, assertClean, buy, earnings, openMarket, untilState } from '../harness/market.mjs';
import { skipWithoutProgram } from '../harness/provider.mjs';

const options = { skip: skipWithoutProgram, timeout: 300_000 };
const COMMANDS = [['jobs', 'list', '--json'], ['jobs', 'list'], ['earnings', 'report', '--json'], ['earnings', 'report'], ['audit'], ['ledger', 'stats']];

test('jobs, earnings and audit are read during sales, each a consistent state', options, async (t) => {
  const market = await openMarket(t, { settings: { 'selling.slots': 2 }, ollamaOptions: { wordDelayMs: 5 } });
  const { customer, provider } = market;
  let selling = true;
  const readers = [0, 1].map(async (first) => {
    let settled = 0;
    for (let i = first; selling; i += 1) {
      const args = COMMANDS[i % COMMANDS.length];
      const { code, stderr } = await provider.cli(args);
      assert.equal(code, 0, `${args.join(' ')}: ${stderr}`);
      const now = (await earnings(provider)).settled_msat;
      assert.ok(now >= settled, 'what was earned is never less than before');
      settled = now;
    }
  });
  const jobs = [];
  for (let i = 0; i < 10; i += 1) {
    const job = await customer.ask(addressed(provider, [], `What is ${i}?`));
    await buy(market, job);
    jobs.push(job);
  }
  selling = false;
  await Promise.all(readers);
  for (const job of jobs) await untilState(market, job, 'settled');
  const rows = await provider.jobs();
  assert.deepEqual(rows.map((row) => row.job), jobs.map((job) => job.id).reverse(), 'newest first');
  await assertClean(market);
});

test('a second serve on the same ledger is refused with 5 and the first goes on', options, async (t) => {
  const market = await openMarket(t);
  const second = await market.provider.cli(['serve']);
  assert.equal(second.code, 5, second.stderr);
  await (await market.customer.ask(addressed(market.provider))).result();
  await assertClean(market);
});

test('everything can be read when nothing serves', options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider } = market;
  const job = await customer.ask(addressed(provider));
  await buy(market, job);
  await untilState(market, job, 'settled');
  assert.equal(await provider.stop(), 0);
  assert.equal((await provider.job(job.id)).state, 'settled');
  assert.equal((await earnings(provider)).settled_msat, job.amountMsat());
  for (const args of [['jobs', 'show', job.id], ['jobs', 'show', job.id.slice(0, 8)], ['replay', '--job', job.id]]) {
    const { code, stdout, stderr } = await provider.cli(args);
    assert.equal(code, 0, `${args.join(' ')}: ${stderr}`);
    assert.ok(stdout.length > 0);
  }
  await assertClean(market);
});
