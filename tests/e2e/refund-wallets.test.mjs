// What is owed back is paid back with every wallet that can pay, whatever goes wrong meanwhile.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eventually } from '../harness/eventually.mjs';
import { assertClean, earnings, untilState } from '../harness/market.mjs';
import { skipWithoutProgram } from '../harness/provider.mjs';
import { assertPaidOnce, assertRefused, attemptsOf, FAILED, invoiceOf, openPayingMarket, owe, payBack, refund, toldToPay, UNREACHABLE } from '../harness/refunds.mjs';
import { startCoreLightning } from '../harness/wallets/core-lightning.mjs';
import { skipWithoutElectrum, startElectrum } from '../harness/wallets/electrum.mjs';
import { startLnbits } from '../harness/wallets/lnbits.mjs';
import { startLnd } from '../harness/wallets/lnd.mjs';
import { startNwc } from '../harness/wallets/nwc.mjs';
import { startPhoenixd } from '../harness/wallets/phoenixd.mjs';

const options = { skip: skipWithoutProgram, timeout: 300_000 };

// pay: the call that pays, as a pattern of the counterpart's book. limits: whether it holds to --max-fee. ownAccess: what
// receives may spend too. oneCredential: there is none that may not spend.
const WALLETS = [
  { name: 'LND', start: startLnd, pay: 'POST /v2/router/send', limits: true },
  { name: 'Core Lightning', start: startCoreLightning, pay: '^pay$', limits: true, ownAccess: true },
  { name: 'phoenixd', start: startPhoenixd, pay: 'POST /payinvoice', limits: true },
  { name: 'LNbits', start: startLnbits, pay: 'POST /api/v1/payments' },
  { name: 'NWC', start: startNwc, pay: 'pay_invoice' },
  { name: 'Electrum', start: startElectrum, pay: 'lnpay', limits: true, oneCredential: true, skip: skipWithoutElectrum },
];

// They wait more than they work.
describe('a refund with each wallet', { concurrency: 4 }, () => {
  for (const wallet of WALLETS) {
    test(wallet.name, { skip: options.skip || wallet.skip, timeout: 300_000 }, async (t) => {
      const counterpart = await wallet.start();
      t.after(counterpart.close);
      const market = await openPayingMarket(t, counterpart);
      await t.test('paid back', () => payOnce(market));
      for (const fault of ['no-route', 'no-balance', 'unsupported']) await t.test(`refused: ${fault}`, () => refuseOnce(market, fault));
      await t.test('a fee beyond the limit', { skip: !wallet.limits }, () => exceedLimit(market));
      await t.test('an answer that is lost', () => loseAnswer(market, wallet));
      await t.test('a preimage that is not the one', () => forgePreimage(market));
      await t.test('killed while it is on its way', () => dieMeanwhile(market));
      await t.test('a credential that may not spend', { skip: wallet.ownAccess || wallet.oneCredential }, () => lackRights(market));
      await assertClean(market);
    });

    test(`${wallet.name}: without a credential that may spend`, { skip: options.skip || wallet.skip || wallet.ownAccess, timeout: 300_000 }, async (t) => {
      const counterpart = await wallet.start();
      t.after(counterpart.close);
      const market = await openPayingMarket(t, counterpart, null);
      const job = await owe(market);
      await assertRefused(market, job, /only receives[^]*wallet\.refund_credential_file/, '--invoice', await invoiceOf(market, job));
      await assertClean(market);
    });
  }
});

async function payOnce(market) {
  const job = await owe(market);
  const invoice = await invoiceOf(market, job);
  const before = await earnings(market.provider);
  assert.match(await payBack(market, job, invoice), /paid back .* for a fee of [1-9]/);
  await assertPaidOnce(market, job, invoice);
  const after = await earnings(market.provider);
  assert.equal(after.refunded_msat - before.refunded_msat, job.amountMsat());
  assert.equal(before.owed_back_msat - after.owed_back_msat, job.amountMsat());
  assert.equal(after.fees_msat - before.fees_msat, toldToPay(market, invoice)[0].feeMsat);
}

// Owed as before, and paid to the next invoice.
async function assertFailedThenPaid(market, job, told) {
  assert.equal(told.code, FAILED, told.stdout);
  assert.match(told.stderr, /it was not paid[^]*owed as before/);
  assert.equal((await market.provider.job(job.id)).state, 'refund_owed');
  assert.deepEqual(await attemptsOf(market, job, 'RefundFailed'), [1]);
  const invoice = await invoiceOf(market, job);
  await payBack(market, job, invoice);
  await assertPaidOnce(market, job, invoice);
}

async function refuseOnce(market, fault) {
  const job = await owe(market);
  market.counterpart.fail(fault);
  await assertFailedThenPaid(market, job, await refund(market, job, '--invoice', await invoiceOf(market, job)));
  assert.equal(market.counterpart.faultsLeft(), 0, 'it never came to that');
}

async function exceedLimit(market) {
  const job = await owe(market);
  await assertFailedThenPaid(market, job, await refund(market, job, '--invoice', await invoiceOf(market, job), '--max-fee', '0'));
}

async function loseAnswer(market, { pay }) {
  const job = await owe(market);
  const invoice = await invoiceOf(market, job);
  market.counterpart.fail('lost-answer', pay);
  await payBack(market, job, invoice);
  await market.counterpart.listens?.();
  assert.equal(market.counterpart.faultsLeft(), 0, 'it never came to that');
  await assertPaidOnce(market, job, invoice);
}

async function forgePreimage(market) {
  const job = await owe(market);
  const invoice = await invoiceOf(market, job);
  market.counterpart.fail('wrong-preimage');
  await payBack(market, job, invoice);
  assert.equal(market.counterpart.faultsLeft(), 0, 'it never came to that');
  await assertPaidOnce(market, job, invoice);
}

async function dieMeanwhile(market) {
  const job = await owe(market);
  const invoice = await invoiceOf(market, job);
  market.counterpart.fail('held');
  const told = refund(market, job, '--invoice', invoice);
  await eventually(() => toldToPay(market, invoice).length > 0, 'the wallet to pay');
  await market.provider.kill();
  assert.equal((await told).code, UNREACHABLE);
  market.counterpart.land();
  await market.provider.start();
  await untilState(market, job, 'refunded');
  await assertPaidOnce(market, job, invoice);
}

async function lackRights(market) {
  const { counterpart, provider, keep } = market;
  const restartWith = async (credential) => {
    await provider.stop();
    await keep('refund_credential', credential);
    await provider.start();
  };
  const job = await owe(market);
  await restartWith(counterpart.files.credential);
  const told = await refund(market, job, '--invoice', await invoiceOf(market, job));
  await restartWith(counterpart.refundCredential);
  await assertFailedThenPaid(market, job, told);
}
