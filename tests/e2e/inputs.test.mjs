// Inputs that are not in the request: pages of the web, events, and the results of other jobs.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import * as nip44 from 'nostr-tools/nip44';
import { finalizeEvent, generateSecretKey } from 'nostr-tools/pure';
import { Relay } from 'nostr-tools/relay';
import { nowSeconds, tagsOf } from '../harness/customer.mjs';
import { addressed, assertClean, assertNothingTwice, buy, openMarket, untilState } from '../harness/market.mjs';
import { skipWithoutProgram } from '../harness/provider.mjs';
import { startRelay } from '../harness/relay.mjs';

const options = { skip: skipWithoutProgram, timeout: 300_000 };
const NOWHERE = 'ab'.repeat(32); // an id that no event has
const ARTICLE = '<!doctype html><title>Bees</title><script>alert(1)</script><h1>Bees</h1><p>A bee has <b>four</b> wings&#33;</p>';

// A web server with these pages: path → [status, headers, body].
async function openSite(t, pages) {
  const site = { url: '', visits: [] };
  const server = createServer((request, response) => {
    site.visits.push(request.url);
    const [status, headers, body] = pages[request.url] ?? [404, { 'content-type': 'text/plain' }, 'no such page'];
    response.writeHead(status, headers).end(body);
  }).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  site.url = `http://127.0.0.1:${server.address().port}`;
  return site;
}

const text = (body) => [200, { 'content-type': 'text/plain; charset=utf-8' }, body];
const openMarketWithWeb = (t, more = {}) => openMarket(t, { settings: { 'web.allow_private': true }, ...more });
const promptOf = (ollama) => ollama.chats.at(-1).body.messages;

for (const mode of ['result_first', 'payment_first']) {
  test(`${mode}: a page is fetched, read as text, priced and answered; the result names its address`, options, async (t) => {
    const site = await openSite(t, { '/bees': [200, { 'content-type': 'text/html' }, ARTICLE], '/moved': [301, { location: '/bees' }, ''] });
    const market = await openMarketWithWeb(t, { mode });
    const { customer, provider, ollama } = market;
    const job = await customer.ask(addressed(provider, [['i', `${site.url}/moved`, 'url', '', 'article']], 'How many wings?'));
    await buy(market, job);
    const row = await untilState(market, job, 'settled');
    const [{ role, content }, ...others] = promptOf(ollama);
    assert.deepEqual(others, []);
    assert.equal(role, 'user');
    assert.match(content, /^How many wings\?\n\narticle:\n[^]*A bee has four wings!/);
    assert.doesNotMatch(content, /alert|</, 'the text alone');
    assert.deepEqual(site.visits, ['/moved', '/bees'], 'once');
    assert.deepEqual(tagsOf(job.results()[0], 'i')[1], ['i', `${site.url}/moved`, 'url', '', 'article']);
    assert.equal(row.input_tokens > 10, true);
    const [shown] = await provider.json(['jobs', 'show', job.id, '--json']);
    assert.deepEqual(shown.inputs, [{ type: 'url', data: `${site.url}/moved`, relay: null }]);
    const replayed = await provider.cli(['replay', '--job', job.id]);
    assert.match(replayed.stdout, /gather the inputs[^]*InputsGathered[^]*gathered 1 input/);
    assertNothingTwice(market, job);
    await assertClean(market);
  });
}

test('a page that cannot be had is told with the reason, and nothing runs', options, async (t) => {
  const site = await openSite(t, { '/picture': [200, { 'content-type': 'image/png' }, 'x'], '/long': text('x'.repeat(300 * 1024)) });
  const market = await openMarketWithWeb(t);
  const { customer, provider, ollama } = market;
  for (const [path, why] of [['/gone', /url input http.*\/gone cannot be used: .*404/], ['/picture', /image\/png/], ['/long', /256 KiB/]]) {
    const job = await customer.ask(addressed(provider, [['i', site.url + path, 'url']]));
    assert.match(await job.refusal(), why);
    assert.match((await untilState(market, job, 'declined')).remark, why);
  }
  const ftp = await customer.ask(addressed(provider, [['i', 'ftp://example.com/a', 'url']]));
  assert.match(await ftp.refusal(), /no web address; write it like https/);
  assert.equal(ollama.chats.length, 0);
  await assertClean(market);
});

test('without the setting nothing on this machine is fetched, directly or through a redirect', options, async (t) => {
  const site = await openSite(t, { '/secret': text('the secret'), '/': [302, { location: '/secret' }, ''] });
  const market = await openMarket(t);
  const { customer, provider } = market;
  const port = new URL(site.url).port;
  for (const url of [`${site.url}/`, `http://localhost:${port}/secret`, `http://[::1]:${port}/`, 'http://169.254.169.254/']) {
    const job = await customer.ask(addressed(provider, [['i', url, 'url']]));
    assert.match(await job.refusal(), /cannot be used: it could not be fetched; see whether it opens elsewhere/, url);
  }
  assert.deepEqual(site.visits, []);
  await assertClean(market);
});

test('an event is looked for where the customer says, on a relay that is not ours', options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider, ollama, relay } = market;
  const elsewhere = await startRelay();
  t.after(elsewhere.close);
  const note = finalizeEvent({ kind: 1, created_at: nowSeconds(), tags: [], content: 'Bees dance.' }, generateSecretKey());
  const author = await Relay.connect(elsewhere.url);
  await author.publish(note);
  author.close();
  const lost = await customer.ask(addressed(provider, [['i', note.id, 'event', relay.url]], 'Do they?'));
  assert.match(await lost.refusal(), new RegExp(`event input ${note.id}.*no relay that we asked has it; name one that does`));
  const found = await customer.ask(addressed(provider, [['i', note.id, 'event', elsewhere.url]], 'What do they do?'));
  await found.result();
  assert.deepEqual(promptOf(ollama), [{ role: 'user', content: 'What do they do?\n\nBees dance.' }]);
  await assertClean(market);
});

test("a job's result is another job's input; one that has none yet is a refusal", options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider, ollama, relay } = market;
  const first = await customer.ask(addressed(provider, [], 'Tell me something.'));
  const answer = (await first.result()).content;
  const second = await customer.ask(addressed(provider, [['i', first.id, 'job', relay.url]], 'Say it shorter:'));
  await second.result();
  assert.deepEqual(promptOf(ollama), [{ role: 'user', content: `Say it shorter:\n\n${answer}` }]);
  const third = await customer.ask(addressed(provider, [['i', NOWHERE, 'job', relay.url]], 'And this?'));
  assert.match(await third.refusal(), new RegExp(`job input ${NOWHERE} cannot be used: no relay that we asked has its result`));
  assert.equal(ollama.chats.length, 2);
  [first, second, third].forEach((job) => assertNothingTwice(market, job));
  await assertClean(market);
});

test('a result that nobody could read yet is no input, although it lies in our ledger', options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider, ollama, relay } = market;
  relay.onEvent = (event) => (event.kind === 6050 && event.tags.some((tag) => tag[0] === 'i' && tag[1] === 'A secret?') ? 'error: not now' : undefined);
  const secret = await customer.ask(addressed(provider, [], 'A secret?'));
  await untilState(market, secret, 'delivering');
  const curious = await customer.ask(addressed(provider, [['i', secret.id, 'job']], 'What was it?'));
  assert.match(await curious.refusal(), /no relay that we asked has its result/);
  assert.equal(ollama.chats.length, 1);
});

test('what is gathered for an encrypted job is kept encrypted, and its result is nobody\'s input', options, async (t) => {
  const site = await openSite(t, { '/open': text('Bees hum in the open.'), '/hidden': text('Bees whisper in secret.') });
  const market = await openMarketWithWeb(t);
  const { customer, provider, ollama, relay } = market;
  await (await customer.ask(addressed(provider, [['i', `${site.url}/open`, 'url']], 'What?'))).result();
  const key = nip44.getConversationKey(customer.secretKey, provider.pubkey);
  const inner = [['i', 'What?', 'text'], ['i', `${site.url}/hidden`, 'url']];
  const job = await customer.ask({ content: nip44.encrypt(JSON.stringify(inner), key), tags: [['p', provider.pubkey], ['encrypted']] });
  const result = await job.result();
  assert.deepEqual(promptOf(ollama), [{ role: 'user', content: 'What?\n\nBees whisper in secret.' }]);
  assert.equal(nip44.decrypt(result.content, key), ollama.chats.at(-1).answer);
  const curious = await customer.ask(addressed(provider, [['i', job.id, 'job', relay.url]], 'And?'));
  assert.match(await curious.refusal(), /encrypted, so that only its customer can read it/);
  await assertClean(market);
  const disk = await everything(provider.folder);
  assert.ok(disk.includes('Bees hum in the open.'));
  assert.ok(!disk.includes('Bees whisper in secret.'));
});

// All bytes of all files below a folder.
async function everything(folder) {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((file) => file.isFile());
  return Buffer.concat(await Promise.all(files.map((file) => readFile(join(file.path, file.name)))));
}
