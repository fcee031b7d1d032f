// What is owed back is paid back by `jobs refund`: to an invoice of the customer's, once.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { finalizeEvent, generateSecretKey } from 'nostr-tools/pure';
import { nowSeconds, wireOf } from '../harness/customer.mjs';
import { eventually } from '../harness/eventually.mjs';
import { addressed, assertClean, buy, earnings, untilState } from '../harness/market.mjs';
import { skipWithoutProgram } from '../harness/provider.mjs';
import { assertRefused, attemptsOf, DONE, FAILED, factsOf, hashOf, invoiceOf, openSandboxes, openWithLnd, owe, payBack, refund, UNREACHABLE, USAGE } from '../harness/refunds.mjs';
import { LightningNode, sha256 } from '../harness/wallets/lightning-node.mjs';

const options = { skip: skipWithoutProgram, timeout: 300_000 };

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
  ];
  for (const [name, invoice, reason] of BAD) await t.test(name, () => assertRefused(market, job, reason, '--invoice', invoice));

  await t.test('nothing that says where to', async () => {
    for (const how of [[], ['--invoice', 'lnbcrt1nonsense'], ['--invoice', made('regtest'), '--event', '/nowhere'], ['--invoice', made('regtest'), '--max-fee', 'little']]) {
      const told = await refund(market, job, ...how);
      assert.equal(told.code, USAGE, told.stdout + told.stderr);
      assert.match(told.stderr, /--invoice BOLT11 or --event FILE|--max-fee|no Lightning invoice/);
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
