// Requests are read liberally: every shape that clients send is served, and every parameter reaches the backend.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressed, assertClean, assertNothingTwice, openMarket } from '../harness/market.mjs';
import { skipWithoutProgram } from '../harness/provider.mjs';
import { PARAMETERS, requestShapes } from '../harness/request-shapes.mjs';

const options = { skip: skipWithoutProgram, timeout: 300_000 };

test('every shape of request is served, with all of its inputs in their order', options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider, relay, ollama } = market;
  for (const { name, template, messages } of requestShapes({ provider: provider.pubkey, relayUrl: relay.url })) {
    await t.test(name, async () => {
      const job = await customer.ask(template);
      await job.result();
      const sent = ollama.chats.at(-1).body.messages;
      if (messages instanceof RegExp) assert.match(sent.map((message) => message.content).join('\n'), messages);
      else assert.deepEqual(sent, messages);
      assertNothingTwice(market, job);
    });
  }
  await assertClean(market);
});

test('every parameter is applied', options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider, ollama } = market;
  for (const { tags, options: wanted } of PARAMETERS) {
    const [, name, value] = tags[0];
    await t.test(`${name} ${value}`, async () => {
      await (await customer.ask(addressed(provider, tags))).result();
      const { body } = ollama.chats.at(-1);
      for (const [option, expected] of Object.entries(wanted)) assert.deepEqual(body.options[option], expected);
    });
  }
  await t.test('all of them at once', async () => {
    const tags = PARAMETERS.filter(({ tags: [[, name]] }) => !name.includes('-')).flatMap((parameter) => parameter.tags);
    await (await customer.ask(addressed(provider, tags))).result();
    const { body } = ollama.chats.at(-1);
    assert.deepEqual(body.options, { ...body.options, num_predict: 7, temperature: 0.7, top_k: 40, top_p: 0.9, seed: 42, stop: ['END'] });
  });
  await t.test('the model that was asked for, else the first that is offered', async () => {
    await (await customer.ask(addressed(provider, [['param', 'model', 'qwen3:8b']]))).result();
    assert.equal(ollama.chats.at(-1).body.model, 'qwen3:8b');
    await (await customer.ask(addressed(provider))).result();
    assert.equal(ollama.chats.at(-1).body.model, 'llama3.2');
  });
  await t.test('JSON is asked of the backend', async () => {
    const result = await (await customer.ask(addressed(provider, [['output', 'application/json']]))).result();
    assert.equal(ollama.chats.at(-1).body.format, 'json');
    JSON.parse(result.content);
  });
  await t.test('the cap, the pinned context and no silent truncation, always', () => {
    for (const { body } of ollama.chats) {
      assert.ok(body.options.num_predict > 0 && body.options.num_predict <= 512);
      assert.ok(body.options.num_ctx > 0);
      assert.equal(body.truncate, false);
    }
  });
  await assertClean(market);
});

test('the same seed gives the same text', options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider } = market;
  const ask = async (seed, topic) =>
    (await (await customer.ask(addressed(provider, [['param', 'seed', seed], ['t', topic]]))).result()).content;
  const text = await ask('7', 'first');
  assert.equal(await ask('7', 'second'), text);
  assert.notEqual(await ask('8', 'third'), text);
});

test('never billed above the bid; a bid that is too low is refused with the price', options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider } = market;
  const fair = await customer.ask(addressed(provider, [['bid', '50000']]));
  await fair.result();
  assert.ok(fair.amountMsat() <= 50_000);
  const low = await customer.ask(addressed(provider, [['bid', '1']]));
  assert.match(await low.refusal(), /bid|price|msat|sat/i);
  assert.equal(low.invoices().length, 0);
  await assertClean(market);
});

test('a broadcast that cannot be served is declined in silence; one addressed to us is told', options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider } = market;
  const tags = [['i', 'hello', 'text'], ['param', 'model', 'gpt-17']];
  const broadcast = await customer.ask({ tags });
  const told = await customer.ask({ tags: [...tags, ['p', provider.pubkey]] });
  assert.match(await told.refusal(), /gpt-17/);
  const other = await customer.ask({ tags: [['i', 'hello', 'text'], ['p', customer.pubkey]] });
  await (await customer.ask(addressed(provider))).result();
  assert.equal(broadcast.events.size, 0, 'the customer asked the market, not us');
  assert.equal(other.events.size, 0, 'addressed to somebody else');
  assert.equal((await provider.job(broadcast.id)).state, 'declined');
  assert.equal(await provider.job(other.id), undefined);
  await assertClean(market);
});
