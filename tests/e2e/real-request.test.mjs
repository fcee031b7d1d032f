// A request that crossed public relays in April 2025, served as on that day.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { REQUEST_KIND } from '../harness/customer.mjs';
import { assertClean, assertNothingTwice, buy, MODES, openMarket, untilState } from '../harness/market.mjs';
import { skipWithoutProgram as skip } from '../harness/provider.mjs';

const file = new URL('../../fixtures/vectors/real-events.jsonl', import.meta.url);
const events = readFileSync(file, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
assert.equal(events.length, 2, 'real-events.jsonl must hold two events');
const request = events.find((event) => event.kind === REQUEST_KIND);

for (const mode of MODES) {
  test(`${mode}: the real 5050, a broadcast, is answered and paid`, { skip, timeout: 300_000 }, async (t) => {
    const market = await openMarket(t, { mode, start: { clockMs: (request.created_at + 5) * 1000 } });
    const job = await market.customer.publish(request);
    await buy(market, job);
    assert.deepEqual(market.ollama.chats[0].body.messages, [{ role: 'user', content: 'What is a data vending machine?' }]);
    await untilState(market, job, 'settled');
    assertNothingTwice(market, job);
    await assertClean(market);
  });
}

test('years later it is too old, and the market hears nothing of it', { skip, timeout: 300_000 }, async (t) => {
  const market = await openMarket(t);
  const job = await market.customer.publish(request);
  await (await market.customer.ask({ tags: [['i', 'hello', 'text'], ['p', market.provider.pubkey]] })).result();
  assert.equal(job.events.size, 0);
  assert.equal(market.ollama.chats.length, 1);
  await assertClean(market);
});
