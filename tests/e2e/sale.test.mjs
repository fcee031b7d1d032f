// A whole sale, from the request to the money, in both orders; then what the program says about it.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { readInvoice, statusOf, tagsOf } from '../harness/customer.mjs';
import { eventually } from '../harness/eventually.mjs';
import { addressed, assertClean, assertNothingTwice, buy, earnings, openMarket, untilState } from '../harness/market.mjs';
import { skipWithoutProgram } from '../harness/provider.mjs';

const options = { skip: skipWithoutProgram, timeout: 300_000 };
const statuses = (job) => job.feedback().map(statusOf);

test('result first: processing, result with the invoice, success; settled when the wallet says so', options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider, ollama } = market;
  const job = await customer.ask(addressed(provider));
  const result = await job.result();
  await job.status('success');
  assert.equal(result.content, ollama.chats[0].answer);
  assert.equal(tagsOf(result, 'amount')[0][2], job.invoices()[0]);
  assert.deepEqual(statuses(job).sort(), ['processing', 'success']);
  await untilState(market, job, 'delivered_unpaid');
  assert.equal((await earnings(provider)).settled_msat, 0, 'delivered is not earned');
  await buy(market, job);
  await untilState(market, job, 'settled');
  await assertEarned(market, [job]);
  assertNothingTwice(market, job);
  await assertClean(market);
});

test('payment first: nothing happens until the invoice is paid, then result and success', options, async (t) => {
  const market = await openMarket(t, { mode: 'payment_first' });
  const { customer, provider, ollama } = market;
  const job = await customer.ask(addressed(provider));
  await job.status('payment-required');
  await untilState(market, job, 'awaiting_payment');
  assert.equal(ollama.chats.length, 0, 'no work before the money');
  await buy(market, job);
  assert.equal(job.invoices().length, 1);
  assert.equal(job.results()[0].content, ollama.chats[0].answer);
  assert.deepEqual([...new Set(statuses(job))].sort(), ['payment-required', 'processing', 'success']);
  await untilState(market, job, 'settled');
  await assertEarned(market, [job]);
  assertNothingTwice(market, job);
  await assertClean(market);
});

test('a payment is the preimage of its hash, and paying twice changes nothing', options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider } = market;
  const job = await customer.ask(addressed(provider));
  const paid = await buy(market, job);
  const [invoice] = job.invoices();
  const hashes = (paid.stdout.match(/\b[0-9a-f]{64}\b/g) ?? []).map((hex) => createHash('sha256').update(hex, 'hex').digest('hex'));
  assert.ok(hashes.includes(readInvoice(invoice).paymentHash), `no preimage in: ${paid.stdout}`);
  await untilState(market, job, 'settled');
  assert.notEqual((await provider.pay(invoice)).code, 0);
  await assertEarned(market, [job]);
  await assertClean(market);
});

test('twelve customers at once are all served, once each, and the sums agree', options, async (t) => {
  const market = await openMarket(t, { settings: { 'selling.slots': 4, 'selling.queue_limit': 32 } });
  const { customer, provider } = market;
  const jobs = await Promise.all(Array.from({ length: 12 }, (_, i) => customer.ask(addressed(provider, [], `Tell me about the number ${i}.`))));
  await Promise.all(jobs.slice(0, 9).map((job) => buy(market, job)));
  await Promise.all(jobs.map((job) => job.status('success')));
  for (const job of jobs.slice(0, 9)) await untilState(market, job, 'settled');
  for (const job of jobs.slice(9)) await untilState(market, job, 'delivered_unpaid');
  jobs.forEach((job) => assertNothingTwice(market, job));
  await assertEarned(market, jobs.slice(0, 9));
  const report = await earnings(provider);
  assert.equal(report.jobs, 12);
  assert.equal(report.invoiced_msat, jobs.reduce((sum, job) => sum + job.amountMsat(), 0));
  await assertClean(market);
});

test('Ctrl-C drains: what was started is finished, nothing new is taken, and it says goodbye with 0', options, async (t) => {
  const market = await openMarket(t, { ollamaOptions: { wordDelayMs: 40 } });
  const { customer, provider, ollama } = market;
  const job = await customer.ask(addressed(provider));
  await eventually(() => ollama.running() === 1, 'the inference to start');
  const ended = provider.stop();
  await job.result();
  assert.equal(await ended, 0);
  const late = await customer.ask(addressed(provider, [], 'Are you still there?'));
  assert.equal(ollama.chats.length, 1);
  // What was asked while it was away is found and served when it is back.
  await provider.start();
  await late.result();
  for (const each of [job, late]) {
    await buy(market, each);
    await untilState(market, each, 'settled');
    assertNothingTwice(market, each);
  }
  await assertEarned(market, [job, late]);
  await assertClean(market);
});

// Earned means settled: the report's sum is what the customer paid, to the millisatoshi.
async function assertEarned({ provider }, jobs) {
  const paid = jobs.reduce((sum, job) => sum + Number(readInvoice(job.invoices()[0]).amountMsat), 0);
  await provider.eventually(async () => (await earnings(provider)).settled_msat === paid, `${paid} msat to be earned`);
}
