// What Ollama does wrong is tried again, and when trying again cannot help, the customer is told. A broken-off answer is never
// sold.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../harness/eventually.mjs';
import { addressed, assertClean, assertNothingTwice, buy, earnings, MODES, openMarket, untilState } from '../harness/market.mjs';
import { startOllama } from '../harness/ollama.mjs';
import { skipWithoutProgram } from '../harness/provider.mjs';

const options = { skip: skipWithoutProgram, timeout: 300_000 };
const PASSING = ['busy', 'error-500', 'error-line', 'cut', 'bad-json', 'stall', 'silent'];
const LASTING = ['unknown-model', 'truncation'];
const settings = { 'inference.stall_timeout': '3 s', 'inference.first_token_timeout': '3 s', 'selling.inference_attempts': 3 };

for (const mode of MODES) {
  test(`${mode}: a fault that passes is tried again, and billed once`, options, async (t) => {
    const market = await openMarket(t, { mode, settings });
    const { customer, provider, ollama } = market;
    for (const fault of PASSING) {
      await t.test(fault, async () => {
        const before = ollama.chats.length;
        ollama.fail(fault);
        const job = await customer.ask(addressed(provider, [], `What of ${fault}?`));
        await buy(market, job);
        assert.equal(ollama.chats.length, before + 2);
        assert.equal(job.results()[0].content, ollama.chats.at(-1).answer, 'the whole answer, not the half of it');
        assert.equal(job.feedback('error').length, 0);
        assertNothingTwice(market, job);
        await untilState(market, job, 'settled');
      });
    }
    await assertClean(market);
  });
}

test('result first: what cannot get better is told at once, and nothing is asked for it', options, async (t) => {
  const market = await openMarket(t, { settings });
  const { customer, provider, ollama } = market;
  for (const fault of LASTING) {
    await t.test(fault, async () => {
      const before = ollama.chats.length;
      ollama.fail(fault);
      const job = await customer.ask(addressed(provider, [], `What of ${fault}?`));
      assert.ok(await job.refusal());
      assert.equal(ollama.chats.length, before + 1, 'the same request would fail again');
      assert.equal(job.results().length + job.invoices().length, 0);
      await untilState(market, job, 'failed');
    });
  }
  await (await customer.ask(addressed(provider))).result();
  await assertClean(market);
});

test('result first: after the last attempt the customer is told', options, async (t) => {
  const market = await openMarket(t, { settings });
  const { customer, provider, ollama } = market;
  for (let i = 0; i < 3; i += 1) ollama.fail('error-500', 'llama runner process has terminated');
  const job = await customer.ask(addressed(provider));
  assert.ok(await job.refusal());
  assert.equal(ollama.chats.length, 3);
  await untilState(market, job, 'failed');
  await (await customer.ask(addressed(provider, [], 'And now?'))).result();
  await assertClean(market);
});

test('payment first: paid and failed for good is money owed back, and said so', options, async (t) => {
  const market = await openMarket(t, { mode: 'payment_first', settings });
  const { customer, provider, ollama } = market;
  for (let i = 0; i < 3; i += 1) ollama.fail('error-500');
  const job = await customer.ask(addressed(provider));
  const invoice = await job.invoice();
  assert.equal((await provider.pay(invoice)).code, 0);
  assert.ok(await job.refusal());
  await untilState(market, job, 'refund_owed');
  const report = await earnings(provider);
  assert.equal(report.settled_msat, job.amountMsat());
  assert.equal(report.owed_back_msat, job.amountMsat());
  await assertClean(market);
});

test('a slow answer is waited for as long as it comes', options, async (t) => {
  const market = await openMarket(t, { settings });
  const { customer, provider, ollama } = market;
  ollama.fail('slow', 150);
  const job = await customer.ask(addressed(provider));
  await job.result();
  assert.equal(ollama.chats.length, 1);
  await assertClean(market);
});

test('Ollama away and back: requests meanwhile are told or wait, and then it sells again', options, async (t) => {
  const market = await openMarket(t, { settings });
  const { customer, provider, ollama } = market;
  const port = Number(new URL(ollama.url).port);
  await ollama.close();
  const job = await customer.ask(addressed(provider));
  await job.until(() => job.feedback('error').length > 0, 'to be told');
  assert.equal(job.results().length + job.invoices().length, 0);
  const back = await startOllama({ port });
  t.after(back.close);
  await eventually(async () => {
    const next = await customer.ask(addressed(provider, [], `Are you back? ${Date.now()}`));
    await Promise.race([next.result().catch(() => {}), next.status('error').catch(() => {}), sleep(2000, undefined, { ref: false })]);
    return next.results().length > 0;
  }, 'it to sell again');
  await assertClean(market);
});
