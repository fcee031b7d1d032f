// Killed or stopped while it pays back: what is owed is paid back once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../harness/eventually.mjs';
import { assertClean, untilState } from '../harness/market.mjs';
import { skipWithoutProgram } from '../harness/provider.mjs';
import { assertPaidOnce, assertRefused, attemptsOf, DONE, factsOf, HOUR_MS, invoiceOf, openSandboxes, openWithLnd, owe, payBack, refund } from '../harness/refunds.mjs';

const options = { skip: skipWithoutProgram, timeout: 300_000 };

const DEATHS = {
  'before-append:RefundStarted': isOwedAsBefore,
  'before-append:RefundPaid': isFoundPaid,
  'after-append:RefundPaid': isFoundPaid,
  'after-append:RefundStarted': isGivenUpWhenItsInvoiceExpires, // the last: it ends on another day
};

for (const [place, open] of [['the sandbox', openSandboxes], ['LND', openWithLnd]]) {
  test(`${place}: killed at its own named points`, options, async (t) => {
    const market = await open(t);
    for (const [point, check] of Object.entries(DEATHS)) {
      await t.test(point, async () => {
        const before = (await market.received()).length;
        const job = await owe(market);
        await market.provider.kill();
        await market.provider.start({ killAt: point });
        await eventually(market.provider.online, 'serve to go online');
        await refund(market, job, '--invoice', await invoiceOf(market, job));
        assert.equal(await market.provider.death(), 'SIGKILL', 'it never came to this point');
        await market.provider.start();
        await check(market, job);
        assert.equal((await market.received()).length - before, 1);
      });
    }
    await assertClean(market);
  });
}

async function isOwedAsBefore(market, job) {
  assert.equal((await market.provider.job(job.id)).state, 'refund_owed');
  assert.deepEqual(await factsOf(market, job, 'RefundStarted'), []);
  await payBack(market, job, await invoiceOf(market, job));
}

async function isFoundPaid(market, job) {
  await untilState(market, job, 'refunded');
  assert.deepEqual(await attemptsOf(market, job, 'RefundPaid'), [1]);
  await assertRefused(market, job, /nothing is owed back/, '--invoice', await invoiceOf(market, job));
}

// The wallet knows nothing of it, but might be told yet: until nobody can pay that invoice any more, no other is paid.
async function isGivenUpWhenItsInvoiceExpires(market, job) {
  assert.match((await market.provider.job(job.id)).remark, /being paid back/);
  await assertRefused(market, job, /being paid back already/, '--invoice', await invoiceOf(market, job));
  await market.provider.kill();
  const clockMs = Date.now() + 2 * HOUR_MS;
  await market.provider.start({ clockMs });
  await market.provider.eventually(async () => (await factsOf(market, job, 'RefundFailed')).length > 0, 'it to be given up');
  await payBack(market, job, await market.invoiceFor(job.amountMsat(), clockMs));
  assert.deepEqual(await attemptsOf(market, job, 'RefundStarted'), [1, 2]);
}

test('long on its way: that is told, and going offline does not wait for it', options, async (t) => {
  const market = await openWithLnd(t);
  const job = await owe(market);
  const invoice = await invoiceOf(market, job);
  market.counterpart.fail('held');
  const told = await refund(market, job, '--invoice', invoice);
  assert.equal(told.code, DONE, told.stderr);
  assert.match(told.stdout, /under way/);
  await assertRefused(market, job, /being paid back already/, '--invoice', await invoiceOf(market, job));
  assert.equal(await market.provider.stop(), DONE);
  market.counterpart.land();
  await market.provider.start();
  await untilState(market, job, 'refunded');
  await assertPaidOnce(market, job, invoice);
  await assertClean(market);
});
