// Other kinds of text jobs, by prompt templates in the configuration.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tagsOf } from '../harness/customer.mjs';
import { assertClean, buy, openMarket, untilState } from '../harness/market.mjs';
import { skipWithoutProgram } from '../harness/provider.mjs';

const options = { skip: skipWithoutProgram, timeout: 300_000 };
const tables = `
[[kinds]]
kind = 5002
instruction = "Translate into {language}. Say nothing else."
`;

test('a translation is asked for as kind 5002 and answered as kind 6002', options, async (t) => {
  const market = await openMarket(t, { tables });
  const { customer, provider, ollama } = market;
  const job = await customer.ask({ kind: 5002, tags: [['i', 'Good morning', 'text'], ['param', 'language', 'Dutch'], ['p', provider.pubkey]] });
  await buy(market, job);
  assert.equal(job.results()[0].kind, 6002);
  assert.deepEqual(ollama.chats[0].body.messages, [
    { role: 'system', content: 'Translate into Dutch. Say nothing else.' },
    { role: 'user', content: 'Good morning' },
  ]);
  await untilState(market, job, 'settled');
  const lost = await customer.ask({ kind: 5002, tags: [['i', 'Good evening', 'text'], ['p', provider.pubkey]] });
  assert.match(tagsOf(await lost.status('error'), 'status')[0][2], /the parameter language is missing/);
  await assertClean(market);
});
