// What is owed back is paid back by `jobs refund`: to an invoice of the customer's, once, whatever dies meanwhile; in the
// sandbox, and with every wallet that can pay.
import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { finalizeEvent, generateSecretKey } from 'nostr-tools/pure';
import { nowSeconds, readInvoice, wireOf } from '../harness/customer.mjs';
import { eventually } from '../harness/eventually.mjs';
import { addressed, assertClean, buy, earnings, openMarket, openWalletMarket, untilState } from '../harness/market.mjs';
import { createProvider, skipWithoutProgram } from '../harness/provider.mjs';
import { startCoreLightning } from '../harness/wallets/core-lightning.mjs';
import { skipWithoutElectrum, startElectrum } from '../harness/wallets/electrum.mjs';
import { LightningNode, sha256 } from '../harness/wallets/lightning-node.mjs';
import { startLnbits } from '../harness/wallets/lnbits.mjs';
import { startLnd } from '../harness/wallets/lnd.mjs';
import { startNwc } from '../harness/wallets/nwc.mjs';
import { startPhoenixd } from '../harness/wallets/phoenixd.mjs';

const options = { skip: skipWithoutProgram, timeout: 180_000 };
const [DONE, FAILED, USAGE, UNREACHABLE] = [0, 1, 2, 3]; // exit codes
const HOUR_MS = 3_600_000;

// ---- both sides -------------------------------------------------------------------------------------------------------
//
// A market here has besides: payProvider(invoice); invoiceFor(msat, clockMs), an invoice of the customer's, good also when the
// provider's clock shows clockMs; received(), the payment hashes of those that were paid.

// The customer has a sandbox too, in the same folder: one can pay the other.
async function openSandboxes(t) {
  const market = await openMarket(t, { mode: 'payment_first' });
  const { relay, ollama, provider } = market;
  const folder = join(provider.folder, 'data', 'wallet');
  const theirs = await createProvider({ relay, ollama, settings: { 'wallet.folder': folder } });
  t.after(theirs.remove);
  return {
    ...market,
    payProvider: provider.pay,
    async invoiceFor(msat, clockMs) {
      const env = clockMs ? { SELLCOMPUTE_TEST_CLOCK_MS: String(clockMs) } : {};
      const { code, stdout, stderr } = await theirs.cli(['wallet', 'invoice', String(msat / 1000), '--json'], { env });
      assert.equal(code, DONE, stderr);
      return JSON.parse(stdout).bolt11;
    },
    async received() {
      const names = await readdir(folder);
      return names.filter((name) => name.endsWith('.sent')).map((name) => name.slice(0, 64)).filter((hash) => names.includes(`${hash}.paid`));
    },
  };
}

async function openPayingMarket(t, counterpart, credential = counterpart.refundCredential) {
  const files = { ...counterpart.files, ...(credential && { refund_credential: credential }) };
  const market = await openWalletMarket(t, counterpart, { mode: 'payment_first', files });
  const customer = counterpart.customer ?? customerBehind(counterpart.node);
  return {
    ...market,
    payProvider: counterpart.pay,
    invoiceFor: (msat, clockMs) => customer.invoiceFor(msat, clockMs ? 86_400 : 3600),
    received: customer.received,
  };
}

function customerBehind(node) {
  const theirs = new LightningNode();
  node.reach(theirs);
  return {
    invoiceFor: async (msat, expirySeconds) => theirs.create({ amountMsat: msat, expirySeconds }).bolt11,
    received: async () => theirs.settledAfter(0).map(({ paymentHash }) => paymentHash),
  };
}

// A job that was paid, and cannot be served. All of them cost the same.
async function owe(market) {
  market.ollama.fail('truncation');
  const job = await market.customer.ask(addressed(market.provider, [['param', 'max_tokens', '20']], `Question ${Math.random().toFixed(15)}?`));
  await market.payProvider(await job.invoice(30_000));
  await untilState(market, job, 'refund_owed', 30_000);
  return job;
}

const invoiceOf = (market, job) => market.invoiceFor(job.amountMsat());
const hashOf = (invoice) => readInvoice(invoice).paymentHash;
const refund = ({ provider }, job, ...how) => provider.cli(['jobs', 'refund', job.id, ...how]);

async function payBack(market, job, invoice) {
  const told = await refund(market, job, '--invoice', invoice);
  assert.equal(told.code, DONE, told.stderr);
  await untilState(market, job, 'refunded', 60_000);
  return told.stdout;
}

async function factsOf({ provider }, job, type) {
  const [shown] = await provider.json(['jobs', 'show', job.id, '--json']);
  return shown.facts.filter((entry) => entry.type === type).map(({ facts }) => facts);
}

const attemptsOf = async (market, job, type) => (await factsOf(market, job, type)).map(({ attempt }) => attempt);

// Refused before anything is begun: nothing new in the ledger, nothing paid.
async function assertRefused(market, job, reason, ...how) {
  const begun = await attemptsOf(market, job, 'RefundStarted');
  const paid = await market.received();
  const told = await refund(market, job, ...how);
  assert.equal(told.code, FAILED, told.stdout + told.stderr);
  assert.match(told.stderr, reason);
  assert.deepEqual(await attemptsOf(market, job, 'RefundStarted'), begun);
  assert.deepEqual(await market.received(), paid);
}

// ---- in the sandbox ---------------------------------------------------------------------------------------------------

test('paid, failed, owed back: paid back, and all of it is shown', options, async (t) => {
  const market = await openSandboxes(t);
  const { provider } = market;
  const job = await owe(market);
  const owed = job.amountMsat();
  const warning = provider.log.map((line) => JSON.parse(line)).find(({ type }) => type === 'RefundOwed');
  assert.deepEqual([warning.level, warning.job], ['warning', job.id]);
  assert.match(warning.text, /WE OWE BACK/);
  assert.equal((await earnings(provider)).owed_back_msat, owed);

  const invoice = await invoiceOf(market, job);
  const told = await payBack(market, job, invoice);
  assert.match(told, new RegExp(`paid back ${owed / 1000} sat, for a fee of 0 sat; preimage [0-9a-f]{64}`));
  assert.equal(sha256(told.match(/preimage ([0-9a-f]+)/)[1]), hashOf(invoice));
  assert.deepEqual(await market.received(), [hashOf(invoice)]);

  const total = await earnings(provider);
  assert.deepEqual([total.settled_msat, total.owed_back_msat, total.refunded_msat], [owed, 0, owed]);
  assert.match((await provider.cli(['earnings', 'report'])).stdout, /REFUNDED[^]*paid back; nothing owed back/);
  const shown = (await provider.cli(['jobs', 'show', job.id])).stdout;
  assert.match(shown, /state +refunded[^]*why +.*; paid back[^]*WE OWE BACK[^]*paying back[^]*paid back/);
  assert.equal((await provider.json(['wallet', 'status', '--json']))[0].balance_msat, 0);
  assert.equal((await provider.json(['jobs', 'list', '--state', 'refunded', '--json'])).length, 1);
  await assertClean(market);
});

test('nothing is paid back a second time, also after a restart', options, async (t) => {
  const market = await openSandboxes(t);
  const job = await owe(market);
  await payBack(market, job, await invoiceOf(market, job));
  await assertRefused(market, job, /nothing is owed back/, '--invoice', await invoiceOf(market, job));
  assert.equal(await market.provider.stop(), DONE);
  await market.provider.start();
  await assertRefused(market, job, /nothing is owed back/, '--invoice', await invoiceOf(market, job));
  await assertClean(market);
});

test("the customer's own event brings the invoice", options, async (t) => {
  const market = await openSandboxes(t);
  const { customer, provider } = market;
  const job = await owe(market);
  const invoice = await invoiceOf(market, job);
  const template = { kind: 1, created_at: nowSeconds(), content: 'pay me back', tags: [['e', job.id], ['bolt11', invoice]] };
  const good = customer.sign(template);
  const file = join(provider.folder, 'event.json');
  const bring = (text) => writeFile(file, text);
  const BAD = [
    ['by somebody else', wireOf(finalizeEvent({ ...template }, generateSecretKey())), /not by the customer/],
    ['about another job', wireOf(customer.sign({ ...template, tags: [['e', 'ab'.repeat(32)], ['bolt11', invoice]] })), /not about this job/],
    ['about no job', wireOf(customer.sign({ ...template, tags: [['bolt11', invoice]] })), /not about this job/],
    ['with a bad signature', wireOf({ ...good, sig: 'cd'.repeat(64) }), /signature/],
    ['changed after it was signed', wireOf({ ...good, content: 'pay him back' }), /signature|id/],
    ['without an invoice', wireOf(customer.sign({ ...template, tags: [['e', job.id]] })), /invoice/],
    ['no event', '{"kind":1}', /event/],
    ['no JSON', 'pay me', /JSON/],
  ];
  for (const [name, text, reason] of BAD) {
    await t.test(name, async () => {
      await bring(text);
      await assertRefused(market, job, reason, '--event', file);
    });
  }
  await bring(wireOf(good));
  assert.equal((await refund(market, job, '--event', file)).code, DONE);
  await untilState(market, job, 'refunded');
  assert.equal((await factsOf(market, job, 'RefundStarted'))[0].event, good.id);
  const other = await owe(market);
  await bring(wireOf(customer.sign({ kind: 30078, tags: [['d', 'x'], ['e', other.id]], content: await invoiceOf(market, other) })));
  assert.equal((await refund(market, other, '--event', file)).code, DONE, 'the invoice as the content');
  await assertClean(market);
});

test('what is wrong is refused before anything is paid or written', options, async (t) => {
  const market = await openSandboxes(t);
  const { customer, provider } = market;
  const job = await owe(market);
  const owed = job.amountMsat();
  const made = (network, fault) => {
    const node = new LightningNode({ network });
    if (fault) node.fail(fault);
    return node.create({ amountMsat: owed }).bolt11;
  };
  const BAD = [
    ['a sat too much', await market.invoiceFor(owed + 1000), /instead of .*exactly/s],
    ['a sat too little', await market.invoiceFor(owed - 1000), /instead of .*exactly/s],
    ['no amount', made('regtest', 'amountless'), /leaves the amount/],
    ['another network', made('bitcoin'), /bitcoin, a network that is not accepted/],
    ['expired', made('regtest', 'expired-invoice'), /expired/],
    ['our own invoice', job.invoices()[0], /our own invoice/],
    ['no invoice', 'lnbcrt1nonsense', /invoice|bech32|checksum/],
  ];
  for (const [name, invoice, reason] of BAD) await t.test(name, () => assertRefused(market, job, reason, '--invoice', invoice));

  await t.test('nothing that says where to', async () => {
    for (const how of [[], ['--invoice', made('regtest'), '--event', '/nowhere'], ['--invoice', made('regtest'), '--max-fee', 'little']]) {
      const told = await refund(market, job, ...how);
      assert.equal(told.code, USAGE, told.stdout + told.stderr);
      assert.match(told.stderr, /--invoice or --event|--max-fee/);
    }
  });
  await t.test('an unknown job', async () => {
    for (const id of ['ab'.repeat(32), 'abcdef']) {
      const told = await refund(market, { id }, '--invoice', made('regtest'));
      assert.equal(told.code, FAILED);
      assert.match(told.stderr, /no such job/);
    }
  });
  await t.test('a job that was served', async () => {
    const served = await customer.ask(addressed(provider));
    await buy(market, served);
    await untilState(market, served, 'settled');
    await assertRefused(market, served, /nothing is owed back/, '--invoice', await invoiceOf(market, served));
  });
  await t.test('one invoice for two jobs', async () => {
    const other = await owe(market);
    assert.equal(other.amountMsat(), owed);
    const invoice = await invoiceOf(market, other);
    await payBack(market, other, invoice);
    await assertRefused(market, job, /paid before/, '--invoice', invoice);
  });
  await t.test('no serve that could pay', async () => {
    const invoice = await invoiceOf(market, job);
    await provider.stop();
    const told = await refund(market, job, '--invoice', invoice);
    assert.equal(told.code, UNREACHABLE);
    assert.match(told.stderr, /no `sellcompute serve` is running/);
    await provider.start();
  });
  assert.deepEqual(await factsOf(market, job, 'RefundStarted'), []);
  await payBack(market, job, await invoiceOf(market, job));
  await assertClean(market);
});

test('two orders at once pay once', options, async (t) => {
  const market = await openSandboxes(t);
  const codesOf = (told) => told.map(({ code }) => code).sort();
  await t.test('for one job, to two invoices', async () => {
    const job = await owe(market);
    const invoices = [await invoiceOf(market, job), await invoiceOf(market, job)];
    const told = await Promise.all(invoices.map((invoice) => refund(market, job, '--invoice', invoice)));
    assert.deepEqual(codesOf(told), [DONE, FAILED]);
    assert.match(told.find(({ code }) => code).stderr, /being paid back already|nothing is owed back/);
    assert.equal((await market.received()).length, 1);
  });
  await t.test('for two jobs, to one invoice', async () => {
    const jobs = [await owe(market), await owe(market)];
    const invoice = await invoiceOf(market, jobs[0]);
    const told = await Promise.all(jobs.map((job) => refund(market, job, '--invoice', invoice)));
    assert.deepEqual(codesOf(told), [DONE, FAILED]);
    assert.match(told.find(({ code }) => code).stderr, /being paid back already|paid before/);
    assert.equal((await market.received()).length, 2);
    const states = await Promise.all(jobs.map(async ({ id }) => (await market.provider.job(id)).state));
    assert.deepEqual(states.sort(), ['refund_owed', 'refunded']);
  });
  await assertClean(market);
});

test('what the wallet cannot pay is owed as before', options, async (t) => {
  const market = await openSandboxes(t);
  const job = await owe(market);
  const elsewhere = new LightningNode().create({ amountMsat: job.amountMsat() }).bolt11;
  const told = await refund(market, job, '--invoice', elsewhere);
  assert.equal(told.code, FAILED);
  assert.match(told.stderr, /it was not paid: .*never made this invoice[^]*owed as before/);
  assert.match((await market.provider.job(job.id)).remark, /paying back failed/);
  assert.equal((await earnings(market.provider)).owed_back_msat, job.amountMsat());
  await payBack(market, job, await invoiceOf(market, job));
  assert.deepEqual(await attemptsOf(market, job, 'RefundStarted'), [1, 2]);
  assert.deepEqual(await attemptsOf(market, job, 'RefundFailed'), [1]);
  await assertClean(market);
});

test('one invoice for two jobs is refused, however late the wallet says that it was unpaid', options, async (t) => {
  const market = await openWithLnd(t);
  const [job, other] = [await owe(market), await owe(market)];
  assert.equal(job.amountMsat(), other.amountMsat());
  const invoice = await invoiceOf(market, job);
  market.counterpart.fail('late-answer', 'GET /v2/router/track');
  const late = refund(market, other, '--invoice', invoice);
  await eventually(() => market.counterpart.faultsLeft() === 0, 'the first order to be looked up');
  await payBack(market, job, invoice);
  const told = await late;
  assert.equal(told.code, FAILED, told.stdout + told.stderr);
  assert.match(told.stderr, /paid before|being paid/);
  assert.deepEqual(await attemptsOf(market, other, 'RefundStarted'), []);
  assert.equal((await market.provider.job(other.id)).state, 'refund_owed');
  await assertClean(market);
});

// ---- killed while it pays ---------------------------------------------------------------------------------------------

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

async function openWithLnd(t) {
  const counterpart = await startLnd();
  t.after(counterpart.close);
  return openPayingMarket(t, counterpart);
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
  await eventually(async () => (await factsOf(market, job, 'RefundFailed')).length > 0, 'it to be given up');
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
  await untilState(market, job, 'refunded', 60_000);
  await assertPaidOnce(market, job, invoice);
  await assertClean(market);
});

// ---- with each wallet -------------------------------------------------------------------------------------------------

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

  test(`${wallet.name}: without a credential that may spend`, { skip: options.skip || wallet.skip || wallet.ownAccess, timeout: 60_000 }, async (t) => {
    const counterpart = await wallet.start();
    t.after(counterpart.close);
    const market = await openPayingMarket(t, counterpart, null);
    const job = await owe(market);
    await assertRefused(market, job, /only receives[^]*wallet\.refund_credential_file/, '--invoice', await invoiceOf(market, job));
    await assertClean(market);
  });
}

const UNPAID = 0; // in Electrum's words

test('Electrum: killed itself while it pays', { skip: options.skip || skipWithoutElectrum, timeout: 180_000 }, async (t) => {
  const counterpart = await startElectrum();
  t.after(counterpart.close);
  const market = await openPayingMarket(t, counterpart);
  await t.test('and paid after all', async () => {
    const { job, invoice } = await killWallet(market);
    await untilState(market, job, 'refunded', 60_000);
    await assertPaidOnce(market, job, invoice);
  });
  // It says "unpaid" then, as it does of one that it never tried.
  await t.test('and failed after all: a person has to look', async () => {
    const { job, invoice } = await killWallet(market, { forgotten: true });
    await eventually(async () => (await counterpart.statusOf(hashOf(invoice))) === UNPAID, 'it to fail', 60_000);
    const clockMs = Date.now() + 2 * HOUR_MS; // nobody can pay that invoice any more
    await market.provider.stop();
    const looks = () => counterpart.asked.filter(({ method }) => method === 'list_invoices').length;
    const before = looks();
    await market.provider.start({ clockMs });
    await eventually(() => looks() - before >= 3, 'it to be looked up', 30_000);
    await assertRefused(market, job, /being paid back already/, '--invoice', await market.invoiceFor(job.amountMsat(), clockMs));
    assert.deepEqual(await attemptsOf(market, job, 'RefundFailed'), []);
    assert.equal((await market.received()).includes(hashOf(invoice)), false);
    assert.equal((await refund(market, job, '--not-paid', 'it is in no history')).code, DONE);
    await eventually(async () => (await attemptsOf(market, job, 'RefundFailed')).length === 1, 'its end to be a fact');
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
  await eventually(() => toldToPay(market, invoice).length > 0 && counterpart.underWay(), 'the payment to be on its way', 30_000);
  await counterpart.kill();
  counterpart.land();
  if (forgotten) await counterpart.customer.forget(hashOf(invoice));
  await counterpart.revive();
  assert.equal((await told).code, DONE);
  return { job, invoice };
}

const toldToPay = ({ counterpart }, invoice) => counterpart.node.told(hashOf(invoice));

// One payment, whatever came between, which the ledger can prove.
async function assertPaidOnce(market, job, invoice) {
  assert.equal((await market.received()).filter((hash) => hash === hashOf(invoice)).length, 1);
  assert.equal(toldToPay(market, invoice).length, 1);
  const [paid, ...others] = await factsOf(market, job, 'RefundPaid');
  assert.deepEqual(others, []);
  assert.equal(sha256(paid.preimage), hashOf(invoice));
  assert.deepEqual([paid.amount_msat, paid.fee_msat], [job.amountMsat(), toldToPay(market, invoice)[0].feeMsat]);
}

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
  await untilState(market, job, 'refunded', 60_000);
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
