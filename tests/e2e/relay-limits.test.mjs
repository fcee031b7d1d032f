// What a relay demands of events (NIP-13, NIP-11), told in its information document or in its refusals, is heeded.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { getPow } from 'nostr-tools/nip13';
import { tagsOf } from '../harness/customer.mjs';
import { eventually } from '../harness/eventually.mjs';
import { addressed, assertClean, assertNothingTwice, buy, openMarket, untilState } from '../harness/market.mjs';
import { skipWithoutProgram } from '../harness/provider.mjs';

const options = { skip: skipWithoutProgram, timeout: 300_000 };
const BITS = 10;

// What the relay refuses with, or nothing.
function judgeWork(event, provider) {
  const committed = Number(tagsOf(event, 'nonce')[0]?.[2] ?? 0);
  const enough = event.pubkey !== provider() || (getPow(event.id) >= BITS && committed >= BITS);
  return enough ? undefined : `pow: ${BITS} bits needed`;
}

async function openDemandingMarket(t, information) {
  let provider;
  const refused = [];
  const market = await openMarket(t, {
    relayOptions: {
      information,
      onEvent(event) {
        const refusal = judgeWork(event, () => provider ?? event.pubkey);
        if (refusal) refused.push(event);
        return refusal;
      },
    },
  });
  provider = market.provider.pubkey;
  return { ...market, refused };
}

test('told by the document: no answer is ever refused', options, async (t) => {
  const market = await openDemandingMarket(t, { name: 'A demanding relay', limitation: { min_pow_difficulty: BITS } });
  const { customer, provider, relay, refused } = market;
  await eventually(() => relay.asked.length > 0, 'the document to be asked for');
  assert.ok(relay.asked.every(({ accept }) => accept === 'application/nostr+json'));
  await eventually(() => relay.heard.some(({ event }) => event.kind === 31990 && !judgeWork(event, () => event.pubkey)), 'an announcement with its work');
  const job = await customer.ask(addressed(provider));
  await buy(market, job);
  await untilState(market, job, 'settled');
  assert.deepEqual(refused.filter(({ kind }) => kind === 7000 || kind === 6050), []);
  assertNothingTwice(market, job);
  await assertClean(market);
});

test('told by a refusal: it is worked for from then on', options, async (t) => {
  const market = await openDemandingMarket(t);
  const { customer, provider, relay } = market;
  const job = await customer.ask(addressed(provider));
  await buy(market, job);
  await eventually(() => relay.heard.some(({ event }) => event.kind === 11998 && !judgeWork(event, () => event.pubkey)), 'a heartbeat with its work');
});

test('a relay that takes short messages only gets no long one, and the job says so', options, async (t) => {
  const market = await openMarket(t, { relayOptions: { information: { limitation: { max_message_length: 900 } } } });
  const { customer, provider, relay } = market;
  await eventually(() => relay.asked.length > 0, 'the document to be asked for');
  const job = await customer.ask(addressed(provider));
  await job.status('processing');
  await untilState(market, job, 'undelivered');
  const said = await provider.eventually(async () => {
    const { stdout } = await provider.cli(['jobs', 'show', job.id]);
    return /900 bytes/.test(stdout) && stdout;
  }, 'the reason in the job');
  assert.match(said, /6050|result/);
  assert.deepEqual(relay.heard.filter(({ event }) => event.kind === 6050), []);
});
