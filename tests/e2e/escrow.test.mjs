// Payment in escrow: it waits in the wallet while the model works, is taken when the signed result is durable, and goes back
// when there is none.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../harness/eventually.mjs';
import { addressed, assertClean, assertNothingTwice, earnings, openMarket, openWalletMarket, pay, untilState } from '../harness/market.mjs';
import { skipWithoutProgram } from '../harness/provider.mjs';
import { stateOf } from '../harness/wallets/lightning-node.mjs';
import { startLnd } from '../harness/wallets/lnd.mjs';
import { startNwc } from '../harness/wallets/nwc.mjs';
import { skipWithoutSpark, startSpark } from '../harness/wallets/spark.mjs';

const options = { skip: skipWithoutProgram, timeout: 300_000 };
const settings = { 'selling.inference_attempts': 1 };
const openEscrow = (t, more = {}) => openMarket(t, { mode: 'escrow', settings, ...more });

const balance = async (provider) => (await provider.json(['wallet', 'status', '--json']))[0].balance_msat;
const factsOf = async (provider, job) => (await provider.json(['jobs', 'show', job.id, '--json']))[0].facts.map((fact) => fact.type);

test('a whole sale: held, answered, taken, published', options, async (t) => {
  const market = await openEscrow(t);
  const { customer, provider, ollama } = market;
  const job = await customer.ask(addressed(provider));
  await job.invoice();
  assert.equal(ollama.chats.length, 0, 'nothing runs before the payment is held');
  const paid = await pay(market, job);
  assert.match(paid.stdout, /^held: \d+ sat of play money, until the answer is there/);
  await job.result();
  await job.status('success');
  await untilState(market, job, 'settled');
  const facts = await factsOf(provider, job);
  const order = ['InvoiceIssued', 'InvoiceHeld', 'InferenceStarted', 'InferenceCompleted', 'NoticeSigned', 'InvoiceSettled'].map((type) =>
    type === 'NoticeSigned' ? facts.lastIndexOf(type, facts.indexOf('InvoiceSettled')) : facts.indexOf(type),
  );
  assert.deepEqual(order, [...order].sort((a, b) => a - b), facts.join(' '));
  assert.equal(await balance(provider), job.amountMsat());
  assert.equal((await earnings(provider)).settled_msat, job.amountMsat());
  assertNothingTwice(market, job);
  await assertClean(market);
});

test('what cannot be served is given back, and nothing is owed', options, async (t) => {
  const market = await openEscrow(t);
  const { customer, provider, ollama } = market;
  ollama.fail('error-500');
  const job = await customer.ask(addressed(provider));
  await pay(market, job);
  assert.ok(await job.refusal());
  await untilState(market, job, 'failed');
  await provider.eventually(async () => (await factsOf(provider, job)).includes('InvoiceExpired'), 'the payment to go back');
  const total = await earnings(provider);
  assert.equal(total.settled_msat + total.owed_back_msat, 0);
  assert.equal(await balance(provider), 0);
  await assertClean(market);
});

test('a customer who takes the request back gets the payment back', options, async (t) => {
  const market = await openEscrow(t);
  const { customer, provider, ollama } = market;
  ollama.hold();
  const job = await customer.ask(addressed(provider));
  await pay(market, job);
  await eventually(() => ollama.running() === 1, 'the model to run');
  assert.equal((await provider.cli(['jobs', 'cancel', job.id])).code, 0);
  await untilState(market, job, 'cancelled');
  await provider.eventually(async () => (await factsOf(provider, job)).includes('InvoiceExpired'), 'the payment to go back');
  assert.equal(await balance(provider), 0);
  await assertClean(market);
});

for (const point of ['after-append:InvoiceHeld', 'before-append:InvoiceHeld', 'after-append:InferenceCompleted', 'before-append:InvoiceSettled', 'after-append:InvoiceSettled']) {
  test(`killed at ${point}: taken once, and delivered`, options, async (t) => {
    const market = await openEscrow(t, { start: { killAt: point } });
    const { customer, provider, relay } = market;
    await eventually(() => relay.subscribed(5050) > 0, 'serve to go online');
    const job = await customer.ask(addressed(provider));
    await pay(market, job);
    await provider.death();
    await provider.start();
    await job.result();
    await untilState(market, job, 'settled');
    assert.equal(await balance(provider), job.amountMsat());
    assertNothingTwice(market, job);
    await assertClean(market);
  });
}

test('a wallet that cannot hold payments does not sell in escrow', options, async (t) => {
  const market = await openMarket(t, {
    mode: 'escrow',
    settings: { 'wallet.kind': 'lightning_address', 'wallet.address': 'me@example.com' },
    start: false,
  });
  const { code, stderr } = await market.provider.cli(['serve']);
  assert.equal(code, 2);
  assert.match(stderr, /cannot hold payments/);
});

test('nor does one that says so only when it is asked', options, async (t) => {
  const counterpart = await startNwc();
  t.after(counterpart.close);
  const { provider } = await openWalletMarket(t, counterpart, { mode: 'escrow', start: false });
  const { code, stderr } = await provider.cli(['serve']);
  assert.equal(code, 2);
  assert.match(stderr, /cannot hold payments/);
});

// ---- with wallets that can hold ----------------------------------------------------------------------------------------

// take: the call that takes what is held, as a pattern of the counterpart's book.
const WALLETS = [
  { name: 'LND', start: startLnd, take: '/v2/invoices/settle' },
  { name: 'NWC', start: () => startNwc({ holds: true }), take: 'settle_hold_invoice' },
];

async function openHolding(t, start, more = {}) {
  const counterpart = await start();
  t.after(counterpart.close);
  return openWalletMarket(t, counterpart, { mode: 'escrow', settings, ...more });
}

// The customer's payment, as the node has it.
async function payAtNode({ counterpart }, job) {
  const invoice = await job.invoice();
  await counterpart.pay(invoice);
  return counterpart.node.find(invoice);
}

// The moment at which it is known that the payment waits.
async function heldAt(provider, job) {
  const [{ facts }] = await provider.json(['jobs', 'show', job.id, '--json']);
  return facts.find(({ type }) => type === 'InvoiceHeld').time_ms;
}

for (const { name, start, take } of WALLETS) {
  test(`${name}: held, taken with the preimage, and published`, options, async (t) => {
    const market = await openHolding(t, start);
    const { customer, provider, ollama, counterpart } = market;
    const job = await customer.ask(addressed(provider));
    await job.invoice();
    assert.equal(ollama.chats.length, 0);
    const paidAt = Date.now();
    const held = await payAtNode(market, job);
    assert.equal(stateOf(held), 'accepted');
    await job.result();
    assert.equal(stateOf(held), 'settled', 'before the result is published');
    await untilState(market, job, 'settled');
    t.diagnostic(`${name}: from payment to InvoiceHeld ${(await heldAt(provider, job)) - paidAt} ms`);
    assert.equal((await earnings(provider)).settled_msat, job.amountMsat());
    assert.equal(counterpart.made(), 1);
    await assertClean(market);
  });

  test(`${name}: an answer to the taking that is lost changes nothing`, options, async (t) => {
    const market = await openHolding(t, start);
    const { customer, provider, counterpart } = market;
    counterpart.fail('lost-answer', take);
    const job = await customer.ask(addressed(provider));
    await payAtNode(market, job);
    await job.result();
    await untilState(market, job, 'settled');
    assert.equal(counterpart.faultsLeft(), 0);
    await assertClean(market);
  });

  test(`${name}: away when the answer is there: taken when it is back`, options, async (t) => {
    const market = await openHolding(t, start);
    const { customer, provider, ollama, counterpart } = market;
    const release = ollama.hold();
    const job = await customer.ask(addressed(provider));
    const held = await payAtNode(market, job);
    await eventually(() => ollama.running() === 1, 'the model to run');
    await counterpart.down();
    release();
    await eventually(() => ollama.running() === 0, 'the answer');
    assert.equal(job.results().length, 0);
    await counterpart.up();
    await job.result();
    assert.equal(stateOf(held), 'settled');
    await assertClean(market);
  });

  test(`${name}: what cannot be served is given back`, options, async (t) => {
    const market = await openHolding(t, start);
    const { customer, provider, ollama } = market;
    ollama.fail('error-500');
    const job = await customer.ask(addressed(provider));
    const held = await payAtNode(market, job);
    assert.ok(await job.refusal());
    await eventually(() => stateOf(held) === 'canceled', 'the payment to go back');
    await provider.eventually(async () => (await factsOf(provider, job)).includes('InvoiceExpired'), 'the ledger to know it');
    await assertClean(market);
  });

  test(`${name}: a payment that went back by itself ends the job, and the model stops`, options, async (t) => {
    const market = await openHolding(t, start);
    const { customer, provider, ollama } = market;
    ollama.hold();
    const job = await customer.ask(addressed(provider));
    const held = await payAtNode(market, job);
    await eventually(() => ollama.running() === 1, 'the model to run');
    held.canceled = true;
    assert.ok(await job.refusal());
    await eventually(() => ollama.chats[0].outcome === 'closed', 'the model to be stopped');
    await untilState(market, job, 'expired');
    assert.equal(job.results().length, 0);
    await assertClean(market);
  });

  for (const point of ['after-append:InvoiceHeld', 'before-append:InvoiceSettled']) {
    test(`${name}: killed at ${point}: taken once, and delivered`, options, async (t) => {
      const market = await openHolding(t, start, { start: { killAt: point } });
      const { customer, provider, relay, counterpart } = market;
      await eventually(() => relay.subscribed(5050) > 0, 'serve to go online');
      const job = await customer.ask(addressed(provider));
      const held = await payAtNode(market, job);
      await provider.death();
      await provider.start();
      await job.result();
      await untilState(market, job, 'settled');
      assert.equal(stateOf(held), 'settled');
      assert.equal(counterpart.made(), 1);
      assertNothingTwice(market, job);
      await assertClean(market);
    });
  }
}

// LND cancels what nobody has paid yet; with NIP-47 only what is held can be given back.
test('NWC: a payment that comes when the job is over goes back', options, async (t) => {
  const market = await openHolding(t, () => startNwc({ holds: true }));
  const { customer, provider, ollama, counterpart } = market;
  const job = await customer.ask(addressed(provider));
  await job.invoice();
  assert.equal((await provider.cli(['jobs', 'cancel', job.id])).code, 0);
  await eventually(() => counterpart.asked.some(({ method }) => method === 'cancel_hold_invoice'), 'it to be cancelled in vain');
  const held = await payAtNode(market, job);
  await eventually(() => stateOf(held) === 'canceled', 'the payment to go back');
  await provider.eventually(async () => (await factsOf(provider, job)).includes('InvoiceExpired'), 'the ledger to know it');
  assert.equal(ollama.chats.length, 0);
  await assertClean(market);
});

// ---- with Spark: the real SDK, which cannot refuse a payment -----------------------------------------------------------

const sparkOptions = { ...options, skip: skipWithoutProgram || skipWithoutSpark };

async function openSpark(t) {
  const counterpart = await startSpark();
  t.after(counterpart.close);
  return openWalletMarket(t, counterpart, { mode: 'escrow', settings });
}

test('Spark: held, taken with the preimage, and published', sparkOptions, async (t) => {
  const market = await openSpark(t);
  const { customer, provider, ollama, counterpart } = market;
  const job = await customer.ask(addressed(provider));
  const invoice = await job.invoice();
  assert.equal(ollama.chats.length, 0);
  const paidAt = Date.now();
  await counterpart.pay(invoice);
  await job.result();
  await untilState(market, job, 'settled');
  t.diagnostic(`Spark: from payment to InvoiceHeld ${(await heldAt(provider, job)) - paidAt} ms`);
  assert.equal((await earnings(provider)).settled_msat, job.amountMsat());
  assertNothingTwice(market, job);
  await assertClean(market);
});

test('Spark: what cannot be served goes back by itself, and the ledger sees it', sparkOptions, async (t) => {
  const market = await openSpark(t);
  const { customer, provider, ollama, counterpart } = market;
  ollama.fail('error-500');
  const job = await customer.ask(addressed(provider));
  const invoice = await job.invoice();
  await counterpart.pay(invoice);
  assert.ok(await job.refusal());
  assert.ok(!(await factsOf(provider, job)).includes('InvoiceExpired'), 'it waits still');
  counterpart.giveBack(invoice);
  await provider.eventually(async () => (await factsOf(provider, job)).includes('InvoiceExpired'), 'the ledger to know it');
  assert.equal((await earnings(provider)).settled_msat, 0);
  await assertClean(market);
});
