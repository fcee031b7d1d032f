// Payment in escrow: it waits in the wallet while the model works, is taken when the signed result is durable, and goes back
// when there is none.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressed, assertClean, assertNothingTwice, earnings, openMarket, openWalletMarket, pay, untilState } from './market.mjs';
import { eventually, skipWithoutProgram } from './provider.mjs';
import { startLnd } from './wallets/lnd.mjs';
import { stateOf } from './wallets/node.mjs';

const options = { skip: skipWithoutProgram, timeout: 120_000 };
const SLOW = { wordDelayMs: 250 };
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
  await eventually(async () => (await factsOf(provider, job)).includes('InvoiceExpired'), 'the payment to go back');
  const total = await earnings(provider);
  assert.equal(total.settled_msat + total.owed_back_msat, 0);
  assert.equal(await balance(provider), 0);
  await assertClean(market);
});

test('a customer who takes the request back gets the payment back', options, async (t) => {
  const market = await openEscrow(t, { ollamaOptions: SLOW });
  const { customer, provider, ollama } = market;
  const job = await customer.ask(addressed(provider));
  await pay(market, job);
  await eventually(() => ollama.running() === 1, 'the model to run');
  assert.equal((await provider.cli(['jobs', 'cancel', job.id])).code, 0);
  await untilState(market, job, 'cancelled');
  await eventually(async () => (await factsOf(provider, job)).includes('InvoiceExpired'), 'the payment to go back');
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
    await provider.death(30_000);
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

// ---- with LND ---------------------------------------------------------------------------------------------------------

async function openLnd(t, more = {}) {
  const counterpart = await startLnd();
  t.after(counterpart.close);
  return openWalletMarket(t, counterpart, { mode: 'escrow', settings, ...more });
}

// The customer's payment, as the node has it.
async function payAtNode({ counterpart }, job) {
  const invoice = await job.invoice();
  await counterpart.pay(invoice);
  return counterpart.node.find(invoice);
}

test('LND: held, taken with the preimage, and published', options, async (t) => {
  const market = await openLnd(t);
  const { customer, provider, ollama, counterpart } = market;
  const job = await customer.ask(addressed(provider));
  await job.invoice();
  assert.equal(ollama.chats.length, 0);
  const held = await payAtNode(market, job);
  assert.equal(stateOf(held), 'accepted');
  await job.result();
  assert.equal(stateOf(held), 'settled', 'before the result is published');
  await untilState(market, job, 'settled');
  assert.equal((await earnings(provider)).settled_msat, job.amountMsat());
  assert.equal(counterpart.made(), 1);
  await assertClean(market);
});

test('LND: an answer to the taking that is lost changes nothing', options, async (t) => {
  const market = await openLnd(t);
  const { customer, provider, counterpart } = market;
  counterpart.fail('lost-answer', '/v2/invoices/settle');
  const job = await customer.ask(addressed(provider));
  await payAtNode(market, job);
  await job.result();
  await untilState(market, job, 'settled');
  await assertClean(market);
});

test('LND: away when the answer is there: taken when it is back', options, async (t) => {
  const market = await openLnd(t, { ollamaOptions: SLOW });
  const { customer, provider, ollama, counterpart } = market;
  const job = await customer.ask(addressed(provider));
  const held = await payAtNode(market, job);
  await eventually(() => ollama.running() === 1, 'the model to run');
  await counterpart.down();
  await eventually(() => ollama.running() === 0, 'the answer', 30_000);
  assert.equal(job.results().length, 0);
  await counterpart.up();
  await job.result(30_000);
  assert.equal(stateOf(held), 'settled');
  await assertClean(market);
});

test('LND: what cannot be served is given back', options, async (t) => {
  const market = await openLnd(t);
  const { customer, provider, ollama } = market;
  ollama.fail('error-500');
  const job = await customer.ask(addressed(provider));
  const held = await payAtNode(market, job);
  assert.ok(await job.refusal());
  await eventually(() => stateOf(held) === 'canceled', 'the payment to go back');
  await eventually(async () => (await factsOf(provider, job)).includes('InvoiceExpired'), 'the ledger to know it');
  await assertClean(market);
});

test('LND: a payment that went back by itself ends the job, and the model stops', options, async (t) => {
  const market = await openLnd(t, { ollamaOptions: SLOW });
  const { customer, provider, ollama } = market;
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
