// Requests of keys that never pay, more than are recorded: those who have paid, and those who will, are served in the middle of
// them. tests/flood/run measures the same with many more.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buyAgainAndAgain, openCustomerOf, OWNERS_LIMITS, pour, signFlood } from '../harness/flood.mjs';
import { addressed, assertClean, buy, openMarket } from '../harness/market.mjs';
import { skipWithoutProgram } from '../harness/provider.mjs';

const options = { skip: skipWithoutProgram, timeout: 300_000 };
const COUNT = 2_000;
const SECONDS = 10;
const RECORDED_PER_KEY = OWNERS_LIMITS['selling.entries_per_key'];
const RECORDED_IN_ALL = OWNERS_LIMITS['selling.entries_of_strangers'];

for (const [keys, recorded] of [[1, RECORDED_PER_KEY], [1_000, RECORDED_IN_ALL]]) {
  test(`${COUNT} requests of ${keys} keys that never pay`, options, async (t) => {
    const market = await openMarket(t, { settings: OWNERS_LIMITS, start: false, ollamaOptions: { wordDelayMs: 20 } });
    const { relay, provider, customer } = market;
    const flood = await signFlood({ provider: provider.pubkey, count: COUNT, keys });
    await provider.start();
    const newcomer = await openCustomerOf(market);
    t.after(() => newcomer.close());
    await buy(market, await customer.ask(addressed(provider)));

    let over = false;
    const sales = Promise.all([customer, newcomer].map((one) => buyAgainAndAgain(market, one, () => over, { isNew: one === newcomer })));
    await pour(relay, flood, SECONDS);
    over = true;
    const [ofRegular, ofNewcomer] = await sales;
    assert.ok(ofRegular.length > 0 && ofRegular.every(Boolean), 'who has paid is served, each time');
    assert.ok(ofNewcomer.some(Boolean), 'a new customer who pays is served');
    const fromFlood = (await provider.jobs()).length - 1 - ofRegular.length - ofNewcomer.length;
    assert.ok(fromFlood <= recorded, `${fromFlood} of the flood are recorded`);
    assert.deepEqual(newcomer.complaints, []);
    await assertClean(market);
  });
}
