// Every event that the program publishes, of whatever kind, has the shape that others' schemas say it has. The other tests
// hold what is published in their course against the same schemas (assertClean); here every kind is published once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as nip44 from 'nostr-tools/nip44';
import { nowSeconds } from '../harness/customer.mjs';
import { judge, nameOf } from '../harness/event-schemas.mjs';
import { eventually } from '../harness/eventually.mjs';
import { addressed, buy, MODES, openMarket } from '../harness/market.mjs';
import { skipWithoutProgram } from '../harness/provider.mjs';

const options = { skip: skipWithoutProgram, timeout: 300_000 };

const ALWAYS = [
  '0', '5', '10002', '11998 heartbeat', '22242', '31990', '5050', '5050 encrypted', '6050', '6050 encrypted', '7000 error', '7000 error encrypted', '7000 pong',
  '7000 processing', '7000 processing encrypted', '7000 success', '7000 success encrypted',
];
const EXPECTED = {
  result_first: ALWAYS,
  payment_first: [...ALWAYS, '7000 partial', '7000 partial encrypted', '7000 payment-required', '7000 payment-required encrypted'],
};

for (const mode of MODES) {
  test(`${mode}: each kind of event is what its schema says`, options, async (t) => {
    const market = await openMarket(t, {
      mode,
      settings: { 'announce.name': 'A shop', 'announce.lud16': 'me@pay.example' },
      relayOptions: { hostname: '127.0.0.1', demandAuth: 'auth-required: sign in first' },
      ollamaOptions: { wordDelayMs: 60 },
    });
    await publishEverything(market);
    const byName = new Map();
    for (const event of publishedByUs(market)) byName.set(nameOf(event), [...(byName.get(nameOf(event)) ?? []), event]);
    for (const [name, events] of [...byName].sort()) {
      await t.test(`${name}, by ${judge(events[0]).schema}`, (t) => {
        for (const event of events) assert.deepEqual(judge(event).faults, [], JSON.stringify(event));
        for (const words of new Set(events.flatMap((event) => judge(event).excused))) t.diagnostic(`${name} is excused: ${words}`);
      });
    }
    const missing = EXPECTED[mode].filter((name) => !byName.has(name));
    assert.deepEqual(missing, [], 'not published, so not seen');
  });
}

test('the schemas see what is wrong', () => {
  const hex = (digit, length) => digit.repeat(length);
  const event = (kind, tags, more = {}) => ({ id: hex('1', 64), pubkey: hex('2', 64), sig: hex('3', 128), created_at: nowSeconds(), kind, content: '', tags, ...more });
  const about = [['e', hex('4', 64)], ['p', hex('5', 64)]];
  const processing = ['status', 'processing', 'working on it'];
  const wrong = [
    [event(7000, about), /must include a status tag/],
    [event(7000, [...about, ['status', 'working']]), /must include a status tag/],
    [event(7000, [processing, ['p', hex('5', 64)], ['alt', 'x']]), /must include an e tag/],
    [event(7000, [...about, processing, ['amount', '9 sat']]), /amount.*must match pattern/],
    [event(7000, [...about, processing, ['amount', '9000', 'lightning:me']]), /valid bolt11 invoice/],
    [event(6050, [['p', hex('5', 64)], ['amount', '9000'], ['alt', 'x']]), /must include an e tag/],
    [event(6050, [...about, ['amount', '9000'], ['request', '']]), /must match the request tag schema/],
    [event(7000, [...about, processing], { sig: 'none' }), /sig must be 128/],
    [event(31990, [['d', 'x']], { content: '{"name":"A shop"}' }), /must include a k tag/],
    [event(31990, [['d', 'x'], ['k', '5050']], { content: '{"about":"A shop"}' }), /required property 'name'/],
    [event(10002, []), /at least one r tag/],
    [event(29999, []), /no schema for 29999/],
  ];
  for (const [bad, words] of wrong) assert.match(judge(bad).faults.join('\n'), words);
  assert.deepEqual(judge(event(7000, [...about, processing, ['amount', '9000']])).faults, []);
  assert.match(judge(event(6050, about)).excused.join('\n'), /must include an amount tag/);
});

// One of each, in few sales.
async function publishEverything(market) {
  const { customer, provider, relay } = market;
  const heard = (name) => eventually(() => publishedByUs(market).some((event) => nameOf(event) === name), name);
  await heard('31990');
  await heard('11998 heartbeat');
  const text = ['i', 'What is this?', 'text'];
  for (const made of [(tags) => addressed(provider, tags), (tags) => hidden(market, [text, ...tags])]) {
    await buy(market, await customer.ask(made([['param', 'stream', 'true']])));
    const refused = await customer.ask(made([['param', 'temperature', '9']]));
    await refused.status('error');
  }
  // Of our own customer too, who asks in our words.
  for (const form of [[], ['--encrypt', 'nip44'], ['--encrypt', 'nip04']]) {
    const { code, stderr } = await provider.cli(['request', '--to', provider.pubkey, '--relay', relay.url, ...form, '--pay', 'What is this?']);
    assert.equal(code, 0, stderr);
  }
  await customer.publish(customer.sign({ kind: 7007, tags: [['p', provider.pubkey]] }));
  await heard('7000 pong');
  assert.equal((await provider.cli(['announce', '--withdraw'])).code, 0);
  await heard('5');
}

function hidden({ customer, provider }, tags) {
  const key = nip44.getConversationKey(customer.secretKey, provider.pubkey);
  return { content: nip44.encrypt(JSON.stringify(tags), key), tags: [['p', provider.pubkey], ['encrypted']] };
}

function publishedByUs({ relay, customer }) {
  return [...relay.heard.map(({ event }) => event), ...relay.auths].filter((event) => event.pubkey !== customer.pubkey);
}
