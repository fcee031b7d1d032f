// Being found and being alive, as a client that we did not write sees it: nostr-tools asks the relay.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { finalizeEvent, verifyEvent } from 'nostr-tools/pure';
import { Relay } from 'nostr-tools/relay';
import { decode } from 'nostr-tools/nip19';
import { nowSeconds, tagsOf } from '../harness/customer.mjs';
import { eventually } from '../harness/eventually.mjs';
import { assertClean, openMarket } from '../harness/market.mjs';
import { skipWithoutProgram } from '../harness/provider.mjs';

const options = { skip: skipWithoutProgram, timeout: 300_000 };
const ANNOUNCEMENT = 31990;
const HEARTBEAT = 11998;
const RELAY_LIST = 10002;
const PROFILE = 0;

test('online it is found: a signed announcement with the right prices, a heartbeat, a relay list', options, async (t) => {
  const market = await openMarket(t, { settings: { 'announce.name': 'A shop', 'announce.lud16': 'me@pay.example' } });
  const { relay, provider } = market;
  const find = await openClient(t, relay);
  const announcement = await eventually(async () => (await find(provider, ANNOUNCEMENT))[0], 'the announcement');
  assert.ok(verifyEvent(announcement));
  assert.equal(tagsOf(announcement, 'd')[0][1], 'sellcompute');
  assert.deepEqual(tagsOf(announcement, 'k'), [['k', '5050']]);
  const content = JSON.parse(announcement.content);
  assert.equal(content.name, 'A shop');
  assert.equal(content.encryptionSupported, true);
  assert.deepEqual(content.nip90Params.model, { required: false, values: content.prices.map((price) => price.model) });
  const price = content.prices.find(({ model }) => model === 'llama3.2');
  assert.equal(price.base_msat, 1000);
  assert.equal(price.input_msat_per_1k_tokens, 2000);
  assert.equal(price.output_msat_per_1k_tokens, 10000);
  assert.equal(price.max_output_tokens, 512);

  const [beat] = await eventually(async () => {
    const found = await find(provider, HEARTBEAT);
    return found.length > 0 && found;
  }, 'a heartbeat');
  assert.ok(verifyEvent(beat));
  assert.deepEqual(tagsOf(beat, 'd'), [['d', 'sellcompute']]);
  assert.equal(Number(tagsOf(beat, 'expiration')[0][1]), beat.created_at + 300);
  const [list] = await find(provider, RELAY_LIST);
  assert.deepEqual(list.tags, [['r', relay.url]]);
  const [profile] = await find(provider, PROFILE);
  assert.deepEqual(JSON.parse(profile.content), { name: 'A shop', lud16: 'me@pay.example' });

  const rows = await status(provider);
  assert.match(rows.find((row) => row.what === 'announced').note, /^seen there .* ago$/);
  assert.match(rows.find((row) => row.what === 'heartbeat').note, /^last .* ago$/);
  await assertClean(market);
});

test('a restart publishes nothing that is there already; a new price replaces the old one', options, async (t) => {
  const { relay, provider } = await openMarket(t);
  const find = await openClient(t, relay);
  await untilSeen(provider);
  const [before] = await find(provider, ANNOUNCEMENT);
  assert.equal(await provider.stop(), 0);
  await provider.start();
  await untilSeen(provider);
  assert.equal(heard(relay, ANNOUNCEMENT).length, 1);
  assert.equal(heard(relay, RELAY_LIST).length, 1);
  assert.equal(await provider.stop(), 0);

  const file = join(provider.folder, 'config.toml');
  await writeFile(file, (await readFile(file, 'utf8')).replaceAll('base_msat = 1000', 'base_msat = 1500'));
  await provider.start();
  await untilSeen(provider);
  const found = await find(provider, ANNOUNCEMENT);
  assert.equal(found.length, 1);
  assert.ok(verifyEvent(found[0]));
  assert.ok(found[0].created_at > before.created_at);
  assert.ok(JSON.parse(found[0].content).prices.every((price) => price.base_msat === 1500));
  assert.equal(heard(relay, RELAY_LIST).length, 1);
});

test('withdrawn it is gone, with and without a running serve; announce brings it back', options, async (t) => {
  const { relay, provider } = await openMarket(t);
  const find = await openClient(t, relay);
  await untilSeen(provider);
  const [gone] = await provider.json(['announce', '--withdraw', '--json']);
  assert.deepEqual(gone, { relay: relay.url, withdrawn: true, note: '' });
  assert.deepEqual(await find(provider, ANNOUNCEMENT), []);
  const [deletion] = heard(relay, 5);
  assert.ok(verifyEvent(deletion));
  assert.deepEqual(tagsOf(deletion, 'a'), [['a', `${ANNOUNCEMENT}:${provider.pubkey}:sellcompute`]]);
  assert.equal((await status(provider)).find((row) => row.what === 'announced').which, 'withdrawn');

  const [announcing] = await provider.json(['announce', '--json']);
  assert.equal(announcing.announcing, true);
  assert.match(announcing.text, /sellcompute status/);
  await untilSeen(provider);
  assert.equal((await find(provider, ANNOUNCEMENT)).length, 1);
  assert.equal(await provider.stop(), 0);
  assert.equal((await find(provider, ANNOUNCEMENT)).length, 1, 'it stays while serve is away');
  assert.equal((await provider.cli(['announce'])).code, 3, 'serve announces, and none runs');
  assert.equal((await provider.cli(['announce', '--withdraw'])).code, 0);
  assert.deepEqual(await find(provider, ANNOUNCEMENT), []);
  await relay.close();
  const unreachable = await provider.cli(['announce', '--withdraw']);
  assert.equal(unreachable.code, 3, unreachable.stdout + unreachable.stderr);
  relay.close = async () => {};
});

test('a relay that refuses is named in status, and asked again', options, async (t) => {
  const { relay, provider } = await openMarket(t, { start: false });
  let refusals = 2;
  relay.onEvent = (event) => (event.kind === ANNOUNCEMENT && refusals-- > 0 ? 'error: the disk is busy' : undefined);
  await provider.start();
  await provider.eventually(async () => (await status(provider)).some((row) => row.what === 'announced' && /disk is busy/.test(row.note)), 'status to tell');
  await untilSeen(provider);
  const heardOf = heard(relay, ANNOUNCEMENT);
  assert.equal(heardOf.length, 3);
  assert.equal(new Set(heardOf.map(({ id }) => id)).size, 1, 'the same signed bytes each time');
});

test("the operator's own profile and relay list keep what they say", options, async (t) => {
  const { relay, provider } = await openMarket(t, { start: false, settings: { 'announce.name': 'A shop' } });
  const secretKey = decode((await readFile(join(provider.folder, 'nsec'), 'utf8')).trim()).data;
  const publish = async (template) => {
    const connection = await Relay.connect(relay.url);
    await connection.publish(finalizeEvent({ created_at: nowSeconds(), tags: [], content: '', ...template }, secretKey));
    connection.close();
  };
  await publish({ kind: PROFILE, content: '{"name":"Alice","website":"https://alice.example"}' });
  await publish({ kind: RELAY_LIST, tags: [['r', 'wss://hers.example', 'read']] });
  await provider.start();
  await untilSeen(provider);
  const find = await openClient(t, relay);
  const [profile] = await find(provider, PROFILE);
  assert.deepEqual(JSON.parse(profile.content), { name: 'A shop', website: 'https://alice.example' });
  const [list] = await find(provider, RELAY_LIST);
  assert.deepEqual(list.tags, [['r', 'wss://hers.example', 'read'], ['r', relay.url]]);
});

test('no heartbeat while the model server is away, and none of anything when it is told not to announce', options, async (t) => {
  const { relay, provider, ollama } = await openMarket(t, { start: false });
  await ollama.close();
  ollama.close = async () => {};
  await provider.start();
  await untilSeen(provider);
  const told = (rows) => rows.find((row) => row.what === 'heartbeat').note;
  await provider.eventually(async () => /none is sent: .*(refused|connect)/i.test(told(await status(provider))), 'status to tell why');
  assert.deepEqual(heard(relay, HEARTBEAT), []);

  const silent = await openMarket(t, { settings: { 'announce.enabled': false } });
  assert.equal((await status(silent.provider)).find((row) => row.what === 'announced').which, 'no');
  const CHECKPOINT = 30078; // not for buyers: what shows a rollback
  assert.deepEqual(silent.relay.heard.filter(({ event }) => event.kind !== CHECKPOINT), []);
  const refused = await silent.provider.cli(['announce']);
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /announce\.enabled/);
});

// Looks up what a provider has on the relay: stored events of a kind, the newest first.
async function openClient(t, relay) {
  const connection = await Relay.connect(relay.url);
  t.after(() => connection.close());
  return (provider, kind) =>
    new Promise((done) => {
      const found = [];
      const subscription = connection.subscribe([{ kinds: [kind], authors: [provider.pubkey], limit: 10 }], {
        onevent: (event) => found.push(event),
        oneose: () => {
          subscription.close();
          done(found.sort((a, b) => b.created_at - a.created_at));
        },
      });
    });
}

const heard = (relay, kind) => relay.heard.map(({ event }) => event).filter((event) => event.kind === kind);

async function status(provider) {
  const { stdout } = await provider.cli(['status', '--json']);
  return stdout.split('\n').filter(Boolean).map((text) => JSON.parse(text));
}

async function untilSeen(provider) {
  await provider.eventually(
    async () => (await status(provider)).some((row) => row.what === 'announced' && /^seen there/.test(row.note)),
    'the announcement to be read back');
}
