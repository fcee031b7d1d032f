// Electrum is killed while it pays back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../harness/eventually.mjs';
import { assertClean, untilState } from '../harness/market.mjs';
import { skipWithoutProgram } from '../harness/provider.mjs';
import { assertPaidOnce, assertRefused, attemptsOf, DONE, hashOf, HOUR_MS, invoiceOf, openPayingMarket, owe, refund, toldToPay } from '../harness/refunds.mjs';
import { skipWithoutElectrum, startElectrum } from '../harness/wallets/electrum.mjs';

const options = { skip: skipWithoutProgram, timeout: 300_000 };

const UNPAID = 0; // in Electrum's words

test('Electrum: killed itself while it pays', { skip: options.skip || skipWithoutElectrum, timeout: 300_000 }, async (t) => {
  const counterpart = await startElectrum();
  t.after(counterpart.close);
  const market = await openPayingMarket(t, counterpart);
  await t.test('and paid after all', async () => {
    const { job, invoice } = await killWallet(market);
    await untilState(market, job, 'refunded');
    await assertPaidOnce(market, job, invoice);
  });
  // It says "unpaid" then, as it does of one that it never tried.
  await t.test('and failed after all: a person has to look', async () => {
    const { job, invoice } = await killWallet(market, { forgotten: true });
    await eventually(async () => (await counterpart.statusOf(hashOf(invoice))) === UNPAID, 'it to fail');
    const clockMs = Date.now() + 2 * HOUR_MS; // nobody can pay that invoice any more
    await market.provider.stop();
    const looks = () => counterpart.asked.filter(({ method }) => method === 'list_invoices').length;
    const before = looks();
    await market.provider.start({ clockMs });
    await eventually(() => looks() - before >= 3, 'it to be looked up');
    await assertRefused(market, job, /being paid back already/, '--invoice', await market.invoiceFor(job.amountMsat(), clockMs));
    assert.deepEqual(await attemptsOf(market, job, 'RefundFailed'), []);
    assert.equal((await market.received()).includes(hashOf(invoice)), false);
    assert.equal((await refund(market, job, '--not-paid', 'it is in no history')).code, DONE);
    await market.provider.eventually(async () => (await attemptsOf(market, job, 'RefundFailed')).length === 1, 'its end to be a fact');
    await untilState(market, job, 'refund_owed');
    await assertRefused(market, job, /nothing is being paid back/, '--not-paid', 'once more');
  });
  await assertClean(market);
});

// forgotten: by who is to be paid.
async function killWallet(market, { forgotten = false } = {}) {
  const { counterpart } = market;
  const job = await owe(market);
  const invoice = await invoiceOf(market, job);
  counterpart.fail('held');
  const told = refund(market, job, '--invoice', invoice);
  await eventually(() => toldToPay(market, invoice).length > 0 && counterpart.underWay(), 'the payment to be on its way');
  await counterpart.kill();
  counterpart.land();
  if (forgotten) await counterpart.customer.forget(hashOf(invoice));
  await counterpart.revive();
  assert.equal((await told).code, DONE);
  return { job, invoice };
}
