// A customer takes a request back (NIP-09), or the operator gives a job up, in each state of a job; answers shown while they
// grow; pings.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nowSeconds, openCustomer, statusOf, tagsOf, wireOf } from '../harness/customer.mjs';
import { eventually } from '../harness/eventually.mjs';
import { addressed, assertClean, assertNothingTwice, buy, earnings, openMarket, pay, untilState } from '../harness/market.mjs';
import { skipWithoutProgram } from '../harness/provider.mjs';

const options = { skip: skipWithoutProgram, timeout: 300_000 };
const SLOW = { wordDelayMs: 250 };
const STREAM = [['param', 'stream', 'true']];

// The npm relay carries deletions out and passes none on; others do, so this one is made to.
function passOnDeletions({ relay }) {
  relay.onEvent = (event) => void (event.kind === 5 && relay.inject(wireOf(event), 5));
}

async function takeBack(market, job, by = market.customer) {
  passOnDeletions(market);
  await eventually(() => market.relay.subscribed(5, job.id) > 0, 'the provider to listen for its deletion');
  await by.publish(by.sign({ kind: 5, tags: [['e', job.id], ['k', '5050']], content: 'no longer needed' }));
}

const errorOf = async (job) => tagsOf(await job.status('error'), 'status')[0][2];

test('while it runs: the model is stopped at once, nothing is owed, and that is told', options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider, ollama } = market;
  ollama.hold();
  const job = await customer.ask(addressed(provider));
  await eventually(() => ollama.running() === 1, 'the model to run');
  await takeBack(market, job);
  assert.match(await errorOf(job), /cancelled as you asked; you owe nothing/);
  await eventually(() => ollama.chats[0].outcome === 'closed', 'the model to be stopped');
  const row = await untilState(market, job, 'cancelled');
  assert.match(row.remark, /cancelled by the customer: no longer needed/);
  assert.equal(job.results().length, 0);
  assert.equal(job.invoices().length, 0);
  await assertClean(market);
});

test('while it waits for a slot: it never runs', options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider, ollama } = market;
  const release = ollama.hold();
  const first = await customer.ask(addressed(provider));
  const second = await customer.ask(addressed(provider, [], 'And what is a second one?'));
  await second.status('processing');
  await takeBack(market, second);
  await untilState(market, second, 'cancelled');
  release();
  await buy(market, first);
  assert.equal(ollama.chats.length, 1);
  await assertClean(market);
});

test('before the payment that comes first: a payment after all is owed back', options, async (t) => {
  const market = await openMarket(t, { mode: 'payment_first' });
  const { customer, provider, ollama } = market;
  const job = await customer.ask(addressed(provider));
  const invoice = await job.invoice();
  await takeBack(market, job);
  await untilState(market, job, 'cancelled');
  assert.equal((await provider.pay(invoice)).code, 0);
  await untilState(market, job, 'refund_owed');
  assert.equal(ollama.chats.length, 0);
  assert.equal((await earnings(provider)).owed_back_msat, job.amountMsat());
  await assertClean(market);
});

test('paid, and while it runs: the payment is owed back', options, async (t) => {
  const market = await openMarket(t, { mode: 'payment_first' });
  const { customer, provider, ollama } = market;
  ollama.hold();
  const job = await customer.ask(addressed(provider));
  await pay(market, job);
  await eventually(() => ollama.running() === 1, 'the model to run');
  await takeBack(market, job);
  assert.match(await errorOf(job), /what you paid is owed back to you/);
  await untilState(market, job, 'refund_owed');
  await assertClean(market);
});

test('once it is delivered: too late, and it is to be paid', options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider } = market;
  const job = await customer.ask(addressed(provider));
  await untilState(market, job, 'delivered_unpaid');
  market.relay.inject(wireOf(customer.sign({ kind: 5, tags: [['e', job.id]] })), 5);
  await buy(market, job);
  await untilState(market, job, 'settled');
  await assertClean(market);
});

test('a deletion by somebody else changes nothing', options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider, ollama } = market;
  const release = ollama.hold();
  const other = await openCustomer({ relayUrl: market.relay.url, provider: provider.pubkey });
  t.after(() => other.close());
  const job = await customer.ask(addressed(provider));
  await job.status('processing');
  await takeBack(market, job, other);
  release();
  await buy(market, job);
  await untilState(market, job, 'settled');
  await assertClean(market);
});

test('the operator cancels with `jobs cancel`', options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider, ollama } = market;
  ollama.hold();
  const job = await customer.ask(addressed(provider));
  await eventually(() => ollama.running() === 1, 'the model to run');
  const told = await provider.cli(['jobs', 'cancel', job.id.slice(0, 10)]);
  assert.equal(told.code, 0, told.stderr);
  assert.match(told.stderr, /cancelled; the customer is told/);
  assert.match(await errorOf(job), /the provider cancelled the job; you owe nothing/);
  await untilState(market, job, 'cancelled');
  const again = await provider.cli(['jobs', 'cancel', job.id]);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /too late/);
  await assertClean(market);
});

// ---- shown while it grows -------------------------------------------------------------------------------------------

// Customers whose payment comes first may see it grow; so may those with credit.
const openStream = (t) => openMarket(t, { mode: 'payment_first', ollamaOptions: { wordDelayMs: 400 } });

test('an answer is shown while it grows to who asks for that, each part the beginning of the next', options, async (t) => {
  const market = await openStream(t);
  const { customer, provider } = market;
  const job = await customer.ask(addressed(provider, STREAM));
  await buy(market, job);
  const parts = job.feedback('partial').map((event) => event.content).sort((a, b) => a.length - b.length);
  assert.ok(parts.length >= 3, `only ${parts.length} parts`);
  const whole = job.results()[0].content;
  parts.forEach((part, i) => assert.ok((parts[i + 1] ?? whole).startsWith(part), `"${part}" is not how the next begins`));
  const times = job.feedback('partial').map((event) => event.created_at);
  assert.ok(parts.length <= Math.max(...times) - Math.min(...times) + 2, 'more than one a second');
  assert.ok(job.feedback('partial').every((event) => Number(tagsOf(event, 'expiration')[0][1]) > nowSeconds()));
  await untilState(market, job, 'settled');
  const [shown] = await provider.json(['jobs', 'show', job.id, '--json']);
  assert.ok(!JSON.stringify(shown.notices).includes('partial'), 'parts are not kept');
  assertNothingTwice(market, job);
  await assertClean(market);
});

test('strangers who would pay last, and who did not ask, see no parts', options, async (t) => {
  const market = await openMarket(t, { ollamaOptions: SLOW });
  const job = await market.customer.ask(addressed(market.provider, STREAM));
  await buy(market, job);
  assert.deepEqual(job.feedback('partial'), []);
  const paidFirst = await openMarket(t, { mode: 'payment_first', ollamaOptions: SLOW });
  const silent = await paidFirst.customer.ask(addressed(paidFirst.provider));
  await buy(paidFirst, silent);
  assert.deepEqual(silent.feedback('partial'), []);
});

test('taken back after parts were seen: what there is is delivered, and the rest of the payment owed back', options, async (t) => {
  const market = await openStream(t);
  const { customer, provider, ollama } = market;
  ollama.hold();
  const job = await customer.ask(addressed(provider, STREAM));
  await pay(market, job);
  await job.until(() => job.feedback('partial').length >= 2, 'two parts');
  await takeBack(market, job);
  const result = await job.result();
  await eventually(() => ollama.chats[0].outcome === 'closed', 'the model to be stopped');
  assert.ok(result.content.startsWith(job.feedback('partial')[0].content));
  await untilState(market, job, 'refund_owed');
  const total = await earnings(provider);
  assert.ok(total.owed_back_msat > 0 && total.owed_back_msat < job.amountMsat(), JSON.stringify(total));
  await assertClean(market);
});

// ---- pings ----------------------------------------------------------------------------------------------------------

test('a ping is answered with a pong, an old one is not', options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider, relay } = market;
  await eventually(() => relay.subscribed(7007) > 0, 'the provider to listen for pings');
  const ping = (age) => customer.sign({ kind: 7007, created_at: nowSeconds() - age, tags: [['p', provider.pubkey]] });
  const old = await customer.publish(ping(600));
  const fresh = await customer.publish(ping(0));
  const pong = await fresh.until(() => fresh.feedback('pong')[0], 'a pong');
  assert.equal(statusOf(pong), 'pong');
  assert.deepEqual(old.feedback(), []);
  assert.equal((await provider.jobs()).length, 0);
});
