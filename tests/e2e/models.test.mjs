// What is sold: models that answer prompts, answers with a text, and no answer without an end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressed, assertClean, earnings, MODES, openMarket, untilState } from '../harness/market.mjs';
import { skipWithoutProgram } from '../harness/provider.mjs';

const options = { skip: skipWithoutProgram, timeout: 300_000 };
const EMBEDDINGS = { context: 2048, capabilities: ['embedding'] };

for (const mode of MODES) {
  test(`${mode}: an answer without text is not sold`, options, async (t) => {
    const market = await openMarket(t, { mode });
    const { customer, provider, ollama } = market;
    let paid = 0;
    for (const fault of ['thinking', 'tool-call', 'blank']) {
      await t.test(fault, async () => {
        const before = ollama.chats.length;
        ollama.fail(fault);
        const job = await customer.ask(addressed(provider, [['param', 'stream', 'true']], `What of ${fault}?`));
        if (mode === 'payment_first') assert.equal((await provider.pay(await job.invoice())).code, 0);
        assert.match(await job.refusal(), /the model ended without any text.*; (you owe nothing|what you paid is owed back to you)$/);
        assert.equal(ollama.chats.length, before + 1, 'the same request would end the same way');
        assert.deepEqual([job.results().length, job.feedback('partial').length], [0, 0]);
        const row = await untilState(market, job, mode === 'payment_first' ? 'refund_owed' : 'failed');
        paid += row.settled_msat ?? 0;
        const shown = await provider.cli(['jobs', 'show', job.id]);
        assert.match(shown.stdout, /empty/);
      });
    }
    const report = await earnings(provider);
    assert.equal(report.owed_back_msat, paid);
    assert.equal(paid > 0, mode === 'payment_first');
    await assertClean(market);
  });
}

test('a generation without end is ended, and its slot is free again', options, async (t) => {
  const settings = { 'inference.answer_timeout': '2 s', 'selling.inference_attempts': 2, 'selling.slots': 1 };
  const market = await openMarket(t, { mode: 'payment_first', settings });
  const { customer, provider, ollama } = market;
  ollama.fail('endless');
  ollama.fail('endless');
  const job = await customer.ask(addressed(provider));
  assert.equal((await provider.pay(await job.invoice())).code, 0);
  assert.match(await job.refusal(), /the model did not answer in time; what you paid is owed back to you/);
  assert.deepEqual(ollama.chats.map((chat) => chat.outcome), ['closed', 'closed']);
  await untilState(market, job, 'refund_owed');
  const next = await customer.ask(addressed(provider, [], 'And now?'));
  assert.equal((await provider.pay(await next.invoice())).code, 0);
  await next.result();
  await assertClean(market);
});

test('a model that makes embeddings is neither announced nor sold nor the default', options, async (t) => {
  for (const configured of [false, true]) {
    await t.test(configured ? 'though it is configured' : 'when all models are', async (t2) => {
      const market = await openMarket(t2, {
        ollamaOptions: { models: { 'nomic-embed-text': EMBEDDINGS, 'llama3.2': 8192 } },
        ownModels: configured,
        settings: { 'announce.enabled': true },
      });
      const { customer, provider, ollama, relay } = market;
      await (await customer.ask(addressed(provider))).result();
      assert.match(ollama.chats.at(-1).body.model, /^llama3\.2/);
      const job = await customer.ask(addressed(provider, [['param', 'model', 'nomic-embed-text']]));
      assert.match(await job.refusal(), /no model "nomic-embed-text" here; we serve llama3\.2/);
      const announced = () => relay.heard.map(({ event }) => event).filter((event) => event.kind === 31990);
      await provider.eventually(async () => announced().length > 0, 'the announcement');
      for (const event of announced()) assert.doesNotMatch(event.content, /nomic/);
      const status = await provider.cli(['status']);
      assert.match(status.stdout, configured ? /cannot answer prompts/ : /nomic-embed-text:latest \(embeddings only, not sold\)/);
      await assertClean(market);
    });
  }
});

test('a prompt that is too long for the model is told as such', options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider, ollama } = market;
  ollama.fail('truncation');
  const job = await customer.ask(addressed(provider));
  assert.match(await job.refusal(), /the prompt is too long for llama3\.2, which takes \d+ tokens .*; you owe nothing/);
  await assertClean(market);
});
