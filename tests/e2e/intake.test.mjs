// What strangers leave at a relay while the provider is away, and how relays answer, hides no customer's request.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { finalizeEvent, generateSecretKey } from 'nostr-tools/pure';
import { nowSeconds } from '../harness/customer.mjs';
import { eventually } from '../harness/eventually.mjs';
import { addressed, assertClean, openMarket } from '../harness/market.mjs';
import { startPagingRelay } from '../harness/paging-relay.mjs';
import { skipWithoutProgram } from '../harness/provider.mjs';

const options = { skip: skipWithoutProgram, timeout: 300_000 };
const stranger = generateSecretKey();

// A provider with a paging relay beside the market's own, which was here before and is away now.
async function away(t, relayOptions = {}) {
  const paging = await startPagingRelay(relayOptions);
  t.after(paging.close);
  const market = await openMarket(t, { start: false, moreRelays: [paging.url], settings: { 'selling.slots': 8, 'selling.queue_limit': 1000 } });
  await market.provider.start();
  await eventually(() => paging.subscribed(5050) > 0, 'the provider to read the relay');
  assert.equal(await market.provider.stop(), 0);
  return { ...market, paging };
}

// Leaves a customer's request with the relay alone.
function leave({ paging, provider, customer }, prompt, created_at) {
  const job = customer.follow(customer.sign({ ...addressed(provider, [], prompt), created_at }));
  paging.store(job.request);
  return job;
}

// `count` requests of one second, valid and for somebody else.
function crowd(paging, count, created_at) {
  for (let n = 0; n < count; n += 1) {
    paging.store(finalizeEvent({ kind: 5050, created_at, content: '', tags: [['i', `crowd ${n}`, 'text'], ['p', 'b'.repeat(64)]] }, stranger));
  }
}

for (const page of [500, 5000]) {
  test(`1260 requests of one second at a relay with pages of ${page} hide none before, within and after it`, options, async (t) => {
    const market = await away(t, { page });
    const second = nowSeconds() - 300;
    const jobs = [];
    for (let n = 0; n < 20; n += 1) jobs.push(leave(market, `Before ${n}?`, second - 200 + n));
    for (let n = 0; n < 20; n += 1) jobs.push(leave(market, `After ${n}?`, second + 1 + n));
    jobs.push(leave(market, 'Within?', second));
    crowd(market.paging, 1260, second);
    await market.provider.start();
    await Promise.all(jobs.map((job) => job.result(200_000)));
    const warned = market.provider.log.some((line) => line.includes('cannot be read whole'));
    assert.equal(warned, page === 500, 'what else there was of that second, only a larger page can show');
    const { stdout } = await market.provider.cli(['status']);
    assert.equal(stdout.includes('cannot be read whole'), page === 500, stdout);
    await assertClean(market);
  });
}

test('stored events whose bytes break a websocket, or that are huge, cost no reconnect and hide nothing', options, async (t) => {
  const market = await away(t);
  const { paging, provider } = market;
  const second = nowSeconds() - 300;
  const poison = (created_at, raw) => paging.store(finalizeEvent({ kind: 5050, created_at, content: '', tags: [['i', String(created_at), 'text']] }, stranger), raw);
  const jobs = [leave(market, 'Before?', second - 10)];
  for (let n = 0; n < 30; n += 1) {
    poison(second + n, Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d])); // no UTF-8
    poison(second + n, Buffer.from(String.raw`{"content":"\ud800"}`)); // half a character
  }
  poison(second, Buffer.alloc(2 * 1024 * 1024, 'x'));
  poison(second, Buffer.alloc(5 * 1024 * 1024, 'x'));
  jobs.push(leave(market, 'Within?', second), leave(market, 'After?', second + 40));
  const before = paging.connections;
  await provider.start();
  await Promise.all(jobs.map((job) => job.result()));
  assert.equal(paging.connections, before + 1, 'one connection, and no other');
  await eventually(async () => (await provider.cli(['status'])).stdout.includes(paging.url), 'status');
  assert.equal(await provider.stop(), 0);
  await assertClean(market);
});

test('a relay that answers with a notice alone, or never ends its answer, is named with what it said', options, async (t) => {
  const noticing = await startPagingRelay({ notice: 'ERROR: bad req: too many filters\u001b[31m' });
  const endless = await startPagingRelay({ sendsEose: false });
  const closing = await startPagingRelay({ closed: [] });
  const relays = [noticing, endless, closing];
  t.after(() => Promise.all(relays.map((relay) => relay.close())));
  const market = await openMarket(t, { moreRelays: relays.map(({ url }) => url) });
  const { provider } = market;
  const shows = (line, text) => provider.eventually(async () => {
    const { stdout } = await provider.cli(['status', '--json']);
    return stdout.split('\n').filter(Boolean).map((row) => JSON.parse(row)).some((row) => row.what === 'relays' && row.which === line && row.note.includes(text));
  }, `status to say ${text}`);
  await shows(noticing.url, 'its last notice: ERROR: bad req: too many filters [31m');
  await shows(closing.url, 'subscription closed by the relay');
  assert.ok(provider.log.some((line) => line.includes('says: ERROR: bad req')));
  // What such a relay brings is served all the same.
  assert.ok(await leave({ ...market, paging: endless }, 'Live?', nowSeconds()).result());
  await eventually(() => provider.log.some((line) => line.includes(`${endless.url} catching up: subscription: no answer within 60 s`)), 'the time-out', 90_000);
  await assertClean(market);
});

test('requests that were made up to an hour before they were sent are served', options, async (t) => {
  const market = await openMarket(t);
  const { provider, customer } = market;
  for (const minutes of [16, 20, 40, 59]) {
    const job = await customer.publish(customer.sign({ ...addressed(provider, [], `${minutes} minutes?`), created_at: nowSeconds() - minutes * 60 }));
    await job.result();
  }
  await assertClean(market);
});

test('after a clock that ran ahead requests are served, and status and log name the ledger that ends in the future', options, async (t) => {
  const market = await openMarket(t, { start: { clockMs: Date.now() + 3 * 3_600_000 } });
  const { provider, customer } = market;
  assert.equal(await provider.stop(), 0);
  await provider.start({ clockMs: Date.now() });
  const job = await customer.ask(addressed(provider, [], 'New?'));
  await job.result();
  assert.ok(provider.log.some((line) => line.includes('the ledger ends in the future')));
  assert.match((await provider.cli(['status'])).stdout, /the ledger ends in the future/);
  await assertClean(market);
});
