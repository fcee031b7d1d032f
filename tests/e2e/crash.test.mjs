// kill -9 at any moment of a sale: after the restart the sale ends as it should, with one result and one invoice in the
// customer's own books, and the money is what was paid.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readInvoice } from '../harness/customer.mjs';
import { eventually } from '../harness/eventually.mjs';
import { OUTSIDE_POINTS, OWN_POINTS } from '../harness/kill-points.mjs';
import { addressed, assertClean, assertNothingTwice, buy, earnings, MODES, openMarket, pay, untilState } from '../harness/market.mjs';
import { skipWithoutProgram } from '../harness/provider.mjs';

const options = { skip: skipWithoutProgram, timeout: 600_000, concurrency: 4 }; // they wait more than they work

for (const mode of MODES) {
  test(`${mode}: killed at its own named points`, options, async (t) => {
    const deaths = OWN_POINTS.map((point) =>
      t.test(point, { timeout: 300_000 }, async (t) => {
        const market = await openMarket(t, { mode, start: { killAt: point } });
        await sellThroughDeath(market, () => {});
      }),
    );
    await Promise.all(deaths);
  });

  test(`${mode}: killed from outside`, options, async (t) => {
    const deaths = Object.entries(OUTSIDE_POINTS).map(([point, arm]) =>
      t.test(point, { timeout: 300_000 }, async (t) => {
        const market = await openMarket(t, { mode, ollamaOptions: { wordDelayMs: 5 } });
        await sellThroughDeath(market, arm);
      }),
    );
    await Promise.all(deaths);
  });

  test(`${mode}: killed again and again, at every moment of one sale`, options, async (t) => {
    const market = await openMarket(t, { mode, start: false, ollamaOptions: { wordDelayMs: 2 } });
    const { customer, provider } = market;
    const job = await customer.ask(addressed(provider));
    for (const point of OWN_POINTS.filter((name) => name.startsWith('after'))) {
      await provider.start({ killAt: point });
      // A point that an earlier life has passed does not come again.
      await Promise.race([provider.death(), sleep(1500, undefined, { ref: false })]).catch(() => {});
      if (provider.running()) await provider.kill();
      if (job.invoices()[0]) await pay(market, job);
    }
    await provider.start();
    await finish(market, [job]);
  });

  test(`${mode}: killed at arbitrary times under load`, options, async (t) => {
    const market = await openMarket(t, { mode, settings: { 'selling.slots': 3, 'selling.queue_limit': 64 }, ollamaOptions: { wordDelayMs: 2 } });
    const { customer, provider } = market;
    const jobs = [];
    for (let i = 0; i < 8; i += 1) {
      for (let j = 0; j < 2; j += 1) jobs.push(await customer.ask(addressed(provider, [], `Question ${i}.${j}?`)));
      await sleep(37 * i);
      await provider.kill();
      await provider.start();
    }
    await finish(market, jobs);
  });
}

// One sale in which the program dies once, at the armed moment, while the customer goes on as if nothing had happened.
async function sellThroughDeath(market, arm) {
  const { customer, provider } = market;
  const died = provider.death();
  arm(market, () => provider.signal('SIGKILL'));
  if (!provider.online()) await eventually(() => provider.online() || !provider.running(), 'serve to go online or to die');
  const job = await customer.ask(addressed(provider));
  const bought = buy(market, job).catch((error) => error);
  assert.equal(await died, 'SIGKILL', 'it never came to this point');
  market.relay.onEvent = market.ollama.onChat = market.onPaid = undefined;
  await provider.start();
  const failure = await bought;
  if (failure instanceof Error) throw failure;
  await finish(market, [job]);
}

async function finish(market, jobs) {
  const { provider } = market;
  await Promise.all(jobs.map((job) => buy(market, job)));
  for (const job of jobs) {
    await untilState(market, job, 'settled');
    assert.equal(job.results().length, 1);
    assert.equal(job.invoices().length, 1);
    assertNothingTwice(market, job);
  }
  const paid = jobs.reduce((sum, job) => sum + Number(readInvoice(job.invoices()[0]).amountMsat), 0);
  assert.equal((await earnings(provider)).settled_msat, paid);
  assert.equal((await provider.jobs()).length, jobs.length);
  await assertClean(market);
  assert.equal(await provider.stop(), 0);
  await assertClean(market);
}
