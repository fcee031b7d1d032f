// What a relay demands of events (NIP-13, NIP-11) and of filters, told in its information document or in its refusals, is
// heeded.
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

// As strfry with `filterValidation` and `requireAuthorOrTag`.
function judgeFilters(filters) {
  if (filters.length > 3) return `ERROR: bad req: invalid number of filters: ${filters.length}`;
  const wide = filters.find(({ kinds }) => kinds?.length > 3);
  if (wide) return `ERROR: bad req: too many kinds in filter: ${wide.kinds.length}`;
  const namesOne = (filter) => [filter.authors, filter['#p'], filter['#e']].some((names) => names?.length === 1);
  return filters.every(namesOne) ? undefined : 'ERROR: bad req: filter must have exactly one author, p tag, or e tag';
}

const MORE_KINDS = [5001, 5002, 5003].map((kind) => `[[kinds]]\nkind = ${kind}\ninstruction = "Answer."\n`).join('\n');

test('a relay that checks filters is asked for what it takes, is live, and says what it withholds', options, async (t) => {
  const refused = [];
  const isCustomers = ([filter]) => filter.kinds?.includes(7000) && !filter.authors;
  const onReq = (filters) => {
    const why = isCustomers(filters) ? undefined : judgeFilters(filters);
    if (why) refused.push(why);
    return why;
  };
  const market = await openMarket(t, { relayOptions: { onReq }, settings: { 'selling.serve_broadcast': true }, tables: MORE_KINDS });
  const { customer, provider } = market;
  const job = await customer.ask(addressed(provider));
  await buy(market, job);
  await untilState(market, job, 'settled');
  const other = await customer.publish(customer.sign({ kind: 5003, tags: [['i', 'Why?', 'text'], ['p', provider.pubkey]] }));
  await other.status('processing');
  assert.ok(refused.every((why) => why.includes('exactly one author')), `not for their kinds: ${refused}`);
  assert.ok(provider.log.some((line) => /live.*sends us only what is addressed to us/.test(line)));
  await assertClean(market);
});

test('a question of more bytes than relays take in a tag is asked and answered', options, async (t) => {
  const tooLong = (event) => event.tags.find(([name, value]) => name.length === 1 && Buffer.byteLength(value ?? '') > 1024);
  const onEvent = (event) => (tooLong(event) ? `invalid: tag val too large: ${tooLong(event)[1].length}` : undefined);
  const market = await openMarket(t, { relayOptions: { onEvent } });
  const { provider, ollama, relay } = market;
  const question = 'A long question. '.repeat(200).trim();
  const { code, stderr } = await provider.cli(['request', '--to', provider.pubkey, '--relay', relay.url, question]);
  assert.equal(code, 0, stderr);
  assert.ok(ollama.chats.some(({ body }) => body.messages.at(-1).content === question));
  assert.deepEqual(relay.heard.filter(({ event }) => tooLong(event)), []);
});
