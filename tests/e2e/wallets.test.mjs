// Every wallet under the same trials, in whole sales by the real program: paid and seen at once, ordered again after a lost
// answer, paid while we were away, out for a while, telling lies, paid at the edge of expiry and never. What each of them can is in CAN.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eventually } from '../harness/eventually.mjs';
import { addressed, assertClean, assertNothingTwice, openWalletMarket, untilState } from '../harness/market.mjs';
import { skipWithoutProgram } from '../harness/provider.mjs';
import { startCoreLightning } from '../harness/wallets/core-lightning.mjs';
import { skipWithoutElectrum, startElectrum } from '../harness/wallets/electrum.mjs';
import { startLightningAddress } from '../harness/wallets/lightning-address.mjs';
import { startLnbits } from '../harness/wallets/lnbits.mjs';
import { startLnd } from '../harness/wallets/lnd.mjs';
import { startNwc } from '../harness/wallets/nwc.mjs';
import { startPhoenixd } from '../harness/wallets/phoenixd.mjs';
import { skipWithoutSpark, startSpark } from '../harness/wallets/spark.mjs';

const LIES = ['garbage', 'wrong-amount', 'wrong-hash', 'wrong-network', 'amountless', 'expired-invoice'];
const HOUR_MS = 3_600_000;

// create: the call that makes an invoice, as a pattern of the counterpart's book. repeats: whether an order whose answer was
// lost is found again. pushes: whether a payment is told. lies: those that it can be made to tell and that can be seen.
const WALLETS = [
  { name: 'LND', start: startLnd, create: 'POST /v1/invoices', repeats: true, pushes: true },
  { name: 'Core Lightning', start: startCoreLightning, create: '^invoice$', repeats: true, pushes: true },
  { name: 'phoenixd', start: startPhoenixd, create: 'POST /createinvoice', repeats: true, pushes: true },
  { name: 'LNbits', start: startLnbits, create: 'POST /api/v1/payments', repeats: true, pushes: true },
  { name: 'NWC', start: startNwc, create: 'make_invoice', repeats: true, pushes: true, livesToday: 'its relay takes no events from another day' },
  { name: 'Lightning address', start: startLightningAddress, create: 'GET .*callback', repeats: false, pushes: false, listsNot: true, lies: LIES.filter((lie) => lie !== 'wrong-hash') }, // it names no hash beside the invoice
  { name: 'Electrum', start: startElectrum, create: 'add_request', repeats: false, pushes: false, skip: skipWithoutElectrum },
  { name: 'Spark', start: startSpark, create: 'RequestLightningReceive', repeats: true, pushes: true, skip: skipWithoutSpark },
];

// They wait more than they work.
describe('each wallet', { concurrency: 4 }, () => {
  for (const wallet of WALLETS) {
    test(wallet.name, { skip: skipWithoutProgram || wallet.skip, timeout: 300_000 }, async (t) => {
      const counterpart = await wallet.start();
      t.after(() => counterpart.close());
      const market = await openWalletMarket(t, counterpart);
      await t.test('status and an invoice by hand', () => tryByHand(market, wallet));
      await t.test('paid, and seen at once', (t) => sell(t, market, wallet));
      await t.test('its own list beside the ledger', () => audit(market, wallet));
      await t.test('an answer that is lost', () => loseAnswer(market, wallet));
      for (const lie of wallet.lies ?? LIES) await t.test(`a lie: ${lie}`, () => lieOnce(market, wallet, lie));
      await t.test('a preimage that is not the one', () => forgePreimage(market));
      await t.test('away while it is paid', () => payWhileAway(market));
      await t.test('out for a while', () => goOut(market));
      await t.test('paid at the edge of expiry, and never paid', { skip: wallet.livesToday }, () => goBeyondExpiry(market));
      await assertClean(market);
    });
  }
});

async function tryByHand({ provider, counterpart }, wallet) {
  const [status] = await provider.json(['wallet', 'status', '--json']);
  assert.equal(status.kind, counterpart.settings['wallet.kind']);
  assert.equal(status.play_money, true);
  assert.equal(status.pushes, wallet.pushes);
  assert.equal(status.repeats !== 'never', wallet.repeats);
  const before = await counterpart.lastInvoice();
  const waiting = provider.cli(['wallet', 'invoice', '21', '--wait', '--json']);
  const made = await eventually(async () => {
    const last = await counterpart.lastInvoice();
    return last !== before && last;
  }, 'an invoice');
  await counterpart.pay(made);
  const { code, stdout, stderr } = await waiting;
  assert.equal(code, 0, stderr);
  const [invoice, settled] = stdout.trim().split('\n').map(JSON.parse);
  assert.equal(invoice.bolt11, made);
  assert.equal(settled.received_msat, 21_000);
}

const ask = ({ customer, provider }) => customer.ask(addressed(provider, [['param', 'max_tokens', '20']], `Question ${Math.random()}?`));

// The moment at which a job's payment is in the ledger, as its own journal has it.
const settledAt = async ({ provider }, job) => {
  const events = await provider.json(['replay', '--job', job.id, '--json']).catch(() => []);
  return events.find(({ type }) => type === 'InvoiceSettled')?.time_ms;
};

async function buyWith(market, job) {
  const invoice = await job.invoice();
  await market.counterpart.pay(invoice);
  await untilState(market, job, 'settled');
  assertNothingTwice(market, job);
}

async function sell(t, market, wallet) {
  const delays = [];
  for (let n = 0; n < 3; n += 1) {
    const job = await ask(market);
    const invoice = await job.invoice();
    await market.counterpart.pay(invoice);
    const paidAt = Date.now();
    await untilState(market, job, 'settled');
    delays.push((await settledAt(market, job) ?? Date.now()) - paidAt);
    assertNothingTwice(market, job);
  }
  t.diagnostic(`${wallet.name}: from payment to InvoiceSettled ${delays.sort((a, b) => a - b).join(', ')} ms`);
}

async function audit({ provider }, wallet) {
  const { code, stdout, stderr } = await provider.cli(['audit', '--wallet', '--json']);
  if (wallet.listsNot) return assert.match(stderr, /does not list/);
  assert.equal(code, 0, stdout + stderr);
  const { wallet: books } = JSON.parse(stdout);
  assert.equal(books.matched, 3);
  assert.deepEqual(books.differences, []);
  const listed = await provider.json(['wallet', 'settlements', '--json']);
  assert.deepEqual(listed.map(({ job, received_msat }) => job ?? received_msat).filter((one) => one === 21_000), [21_000]);
  assert.equal(listed.filter(({ job }) => job).length, 3);
}

async function loseAnswer(market, wallet) {
  market.counterpart.fail('lost-answer', wallet.create);
  const before = market.counterpart.made();
  const job = await ask(market);
  await buyWith(market, job);
  await market.counterpart.listens?.();
  assert.equal(market.counterpart.faultsLeft(), 0);
  assert.equal(market.counterpart.made() - before, wallet.repeats ? 1 : 2, 'orphans');
}

async function lieOnce(market, wallet, lie) {
  market.counterpart.fail(lie, lie === 'garbage' ? wallet.create : undefined);
  const job = await ask(market);
  await buyWith(market, job);
  assert.equal(market.counterpart.faultsLeft(), 0, 'it never came to that');
  assert.equal(job.invoices().length, 1, 'only the good one was ever shown');
}

async function forgePreimage(market) {
  const job = await ask(market);
  await job.invoice();
  market.counterpart.fail('wrong-preimage');
  await buyWith(market, job);
  assert.equal(market.counterpart.faultsLeft(), 0, 'it never came to that');
}

async function payWhileAway(market) {
  const job = await ask(market);
  const invoice = await job.invoice();
  await job.status('success');
  await market.provider.kill();
  await market.counterpart.pay(invoice);
  await market.provider.start();
  await untilState(market, job, 'settled');
}

async function goOut(market) {
  const job = await ask(market);
  const invoice = await job.invoice();
  await job.status('success');
  await market.counterpart.down();
  const { code, stderr } = await market.provider.cli(['wallet', 'status']);
  assert.notEqual(code, 0);
  assert.match(stderr, /wallet/);
  await market.counterpart.up();
  await market.counterpart.pay(invoice);
  await untilState(market, job, 'settled');
}

// By the time we look, both invoices are over: one was paid while it could be.
async function goBeyondExpiry(market) {
  const [late, never] = [await ask(market), await ask(market)];
  const invoice = await late.invoice();
  await never.invoice();
  for (const job of [late, never]) await job.status('success');
  await market.provider.kill();
  await market.counterpart.pay(invoice);
  await market.provider.start({ clockMs: Date.now() + 2 * HOUR_MS });
  await untilState(market, late, 'settled');
  await untilState(market, never, 'unpaid');
}
