// The counterparts themselves, without the program: a test that cannot fail proves nothing, so each check here is also shown
// something wrong.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import bolt11 from 'bolt11';
import { finalizeEvent, generateSecretKey, getPublicKey, verifyEvent } from 'nostr-tools/pure';
import { Relay } from 'nostr-tools/relay';
import WebSocket from 'ws';
import { faultsOf, FEEDBACK_KIND, nowSeconds, openCustomer, readInvoice, RESULT_KIND, wireOf } from './customer.mjs';
import { startOllama } from './ollama.mjs';
import { startRelay } from './relay.mjs';
import { requestShapes } from './request-shapes.mjs';

const seller = generateSecretKey();
const provider = getPublicKey(seller);

function invoiceOf(msat) {
  const unsigned = bolt11.encode({
    network: { bech32: 'bcrt', pubKeyHash: 0x6f, scriptHash: 0xc4, validWitnessVersions: [0, 1] },
    millisatoshis: String(msat),
    timestamp: nowSeconds(),
    tags: [
      { tagName: 'payment_hash', data: createHash('sha256').update(randomBytes(32)).digest('hex') },
      { tagName: 'payment_secret', data: randomBytes(32).toString('hex') },
      { tagName: 'description', data: 'an answer' },
      { tagName: 'expire_time', data: 600 },
    ],
  });
  return bolt11.sign(unsigned, Buffer.from(seller).toString('hex')).paymentRequest;
}

function answer(kind, request, content, tags) {
  const common = [['e', request.id], ['p', request.pubkey]];
  return finalizeEvent({ kind, created_at: nowSeconds(), content, tags: [...common, ...tags] }, seller);
}

function resultFor(request, { bolt11: invoice = invoiceOf(9000), amount = '9000', wire = wireOf(request) } = {}) {
  const inputs = request.tags.filter((tag) => tag[0] === 'i');
  return answer(RESULT_KIND, request, '42', [['request', wire], ...inputs, ['amount', amount, invoice], ['status', 'success'], ['alt', 'a result']]);
}

async function openRelay(t, options) {
  const relay = await startRelay(options);
  t.after(relay.close);
  return relay;
}

async function openOllama(t, options) {
  const ollama = await startOllama(options);
  t.after(ollama.close);
  return ollama;
}

async function rawClient(t, url) {
  const socket = new WebSocket(url);
  t.after(() => socket.terminate());
  const lines = [];
  socket.on('message', (data) => {
    lines.push(data.toString());
    socket.emit('line');
  });
  await once(socket, 'open');
  return {
    say: (text) => socket.send(text),
    async hear(look) {
      for (;;) {
        const found = lines.find(look);
        if (found) return found;
        await once(socket, 'line', { signal: AbortSignal.timeout(5000) });
      }
    },
  };
}

test('a customer is served by an honest provider over the real relay, in every shape of request', async (t) => {
  const relay = await openRelay(t);
  const shop = await Relay.connect(relay.url);
  t.after(() => shop.close());
  const work = [];
  async function serve(request) {
    await shop.publish(answer(FEEDBACK_KIND, request, '', [['status', 'processing']]));
    await shop.publish(resultFor(request));
    await shop.publish(answer(FEEDBACK_KIND, request, '', [['status', 'success']]));
  }
  shop.subscribe([{ kinds: [5050] }], { onevent: (request) => work.push(serve(request)) });
  const customer = await openCustomer({ relayUrl: relay.url, provider });
  t.after(customer.close);
  for (const { name, template } of requestShapes({ provider, relayUrl: relay.url })) {
    const job = await customer.ask(template);
    assert.equal((await job.result()).content, '42', name);
    await job.status('success');
    assert.equal(job.invoices().length, 1);
    assert.equal(job.amountMsat(), 9000);
  }
  await Promise.all(work);
  assert.deepEqual(customer.complaints, []);
  assert.ok(relay.subscribed(5050) === 1 && relay.heard.length > 60);
});

test('the customer complains about every broken promise', async (t) => {
  const relay = await openRelay(t);
  const customer = await openCustomer({ relayUrl: relay.url, provider });
  t.after(customer.close);
  const request = customer.sign({ tags: [['i', 'hello', 'text'], ['p', provider]] });
  const faults = (event, of = request) => faultsOf(event, of, provider).join('; ');
  const good = resultFor(request);
  assert.equal(faults(good), '');
  assert.match(faults({ ...good, content: 'forged' }), /signature/);
  assert.match(faults({ ...good, pubkey: customer.pubkey }), /not signed by the provider/);
  assert.match(faults(resultFor(request, { amount: '9001' })), /asks for 9001 msat, the invoice for 9000/);
  assert.match(faults(resultFor(request, { amount: '9e3' })), /no amount/);
  assert.match(faults(resultFor(request, { bolt11: 'lnbcrt1nonsense' })), /cannot be decoded/);
  assert.match(faults(resultFor(request, { wire: wireOf(request) + ' ' })), /verbatim/);
  const stray = customer.sign({ tags: [['i', 'other', 'text']] });
  assert.match(faults(resultFor(stray)), /one e tag.*verbatim.*inputs/);
  assert.match(faults(answer(FEEDBACK_KIND, request, '', [['status', 'error']])), /must say why/);
  assert.match(faults(answer(FEEDBACK_KIND, request, '', [['status', 'payment-required']])), /must hold an invoice/);
  assert.match(faults(answer(FEEDBACK_KIND, request, '', [['status', 'done']])), /no status/);
  assert.match(faults(answer(FEEDBACK_KIND, request, '', [['status', 'success'], ['e', stray.id]])), /one e tag/);
});

test('an invoice is read with its amount, network, hash and expiry', () => {
  const invoice = readInvoice(invoiceOf(123_000));
  assert.equal(invoice.amountMsat, '123000');
  assert.equal(invoice.network, 'bcrt');
  assert.match(invoice.paymentHash, /^[0-9a-f]{64}$/);
  assert.equal(invoice.expirySeconds, 600);
});

test('the relay stores, refuses what is forged, and shows repetitions in its book', async (t) => {
  const relay = await openRelay(t);
  const client = await rawClient(t, relay.url);
  const event = finalizeEvent({ kind: 5050, created_at: nowSeconds(), tags: [], content: 'x' }, seller);
  client.say(JSON.stringify(['EVENT', event]));
  await client.hear((line) => line.startsWith(`["OK","${event.id}",true`));
  client.say(JSON.stringify(['EVENT', event]));
  await client.hear((line) => line.includes('duplicate:'));
  assert.equal(relay.heard.filter((row) => row.event.id === event.id).length, 2);
  const forged = { ...event, id: 'ab'.repeat(32) };
  client.say(JSON.stringify(['EVENT', forged]));
  await client.hear((line) => line.startsWith(`["OK","${forged.id}",false,"invalid: id`));
  client.say('{"no": "message"}');
  await client.hear((line) => line.startsWith('["NOTICE","invalid'));
  client.say(JSON.stringify(['REQ', 'later', { kinds: [5050] }]));
  assert.ok(verifyEvent(JSON.parse(await client.hear((line) => line.startsWith('["EVENT","later"')))[2]));
});

test('the relay can refuse, swallow and inject on demand, and asks for authentication when told to', async (t) => {
  const relay = await openRelay(t, { hostname: '127.0.0.1' });
  const client = await rawClient(t, relay.url);
  await client.hear((line) => line.startsWith('["AUTH"'));
  client.say(JSON.stringify(['REQ', 'all', { kinds: [5050] }]));
  await client.hear((line) => line.startsWith('["EOSE","all"'));
  assert.equal(relay.inject('{"broken'), 1);
  await client.hear((line) => line === '["EVENT","all",{"broken]');
  relay.onEvent = () => 'blocked: not today';
  const event = finalizeEvent({ kind: 1, created_at: nowSeconds(), tags: [], content: '' }, seller);
  client.say(JSON.stringify(['EVENT', event]));
  await client.hear((line) => line === `["OK","${event.id}",false,"blocked: not today"]`);
});

test('the relay can refuse to serve anybody who has not signed in', async (t) => {
  const relay = await openRelay(t, { hostname: '127.0.0.1', demandAuth: 'auth-required: sign in first' });
  const client = await rawClient(t, relay.url);
  const event = finalizeEvent({ kind: 1, created_at: nowSeconds(), tags: [], content: '' }, seller);
  client.say(JSON.stringify(['REQ', 'all', { kinds: [1] }]));
  await client.hear((line) => line === '["CLOSED","all","auth-required: sign in first"]');
  client.say(JSON.stringify(['EVENT', event]));
  await client.hear((line) => line === `["OK","${event.id}",false,"auth-required: sign in first"]`);
  assert.equal(relay.subscribed(1), 0);
  const [, challenge] = JSON.parse(await client.hear((line) => line.startsWith('["AUTH"')));
  const auth = { kind: 22242, created_at: nowSeconds(), content: '', tags: [['relay', relay.url], ['challenge', challenge]] };
  client.say(JSON.stringify(['AUTH', finalizeEvent(auth, seller)]));
  client.say(JSON.stringify(['REQ', 'all', { kinds: [1] }]));
  await client.hear((line) => line.startsWith('["EOSE","all"'));
  client.say(JSON.stringify(['EVENT', event]));
  await client.hear((line) => line.startsWith(`["OK","${event.id}",true`));
  assert.equal(relay.refusals, 2);
  assert.equal(relay.auths.length, 1);
});

const chatBody = (more = {}) => ({ model: 'llama3.2', messages: [{ role: 'user', content: 'hello there' }], ...more });

async function post(ollama, body, path = '/api/chat') {
  return fetch(ollama.url + path, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) });
}

async function linesOf(response) {
  return (await response.text()).trim().split('\n').map((line) => JSON.parse(line));
}

test('Ollama streams words, then counters without the zeros; the same request gets the same text', async (t) => {
  const ollama = await openOllama(t);
  const response = await post(ollama, chatBody());
  assert.equal(response.headers.get('content-type'), 'application/x-ndjson');
  const lines = await linesOf(response);
  const last = lines.pop();
  assert.equal(last.done, true);
  assert.equal(last.done_reason, 'stop');
  assert.equal(last.eval_count, lines.length);
  assert.equal(last.prompt_eval_count, 2);
  assert.ok(!('load_duration' in last));
  const text = (list) => list.map((line) => line.message.content).join('');
  assert.equal(text(lines), text((await linesOf(await post(ollama, chatBody()))).slice(0, -1)));
  assert.notEqual(text(lines), text((await linesOf(await post(ollama, chatBody({ options: { seed: 7 } })))).slice(0, -1)));
  assert.deepEqual(ollama.chats[2].body.options, { seed: 7 });
  assert.equal(ollama.chats[0].outcome, 'done');
});

test('Ollama caps, stops, truncates in silence unless told not to, and minds its types', async (t) => {
  const ollama = await openOllama(t);
  const capped = (await linesOf(await post(ollama, chatBody({ options: { num_predict: 3 } })))).at(-1);
  assert.deepEqual([capped.done_reason, capped.eval_count], ['length', 3]);
  ollama.reply = () => ['one', 'two', 'END', 'three'];
  assert.equal((await linesOf(await post(ollama, chatBody({ options: { stop: ['END'] } })))).at(-1).eval_count, 2);
  const long = { messages: [{ role: 'user', content: 'word '.repeat(100) }], options: { num_ctx: 64 } };
  assert.equal((await linesOf(await post(ollama, chatBody(long)))).at(-1).prompt_eval_count, 64);
  assert.equal((await post(ollama, chatBody({ ...long, truncate: false }))).status, 400);
  assert.equal((await post(ollama, chatBody({ options: { top_k: 'forty' } }))).status, 500);
  assert.equal((await post(ollama, chatBody({ options: { unheard_of: 1 } }))).status, 200);
  assert.equal((await post(ollama, chatBody({ model: 'none' }))).status, 404);
  assert.equal((await post(ollama, '{')).status, 400);
  assert.equal((await post(ollama, {})).status, 400);
  const tags = await (await fetch(ollama.url + '/api/tags')).json();
  assert.deepEqual(tags.models.map((model) => model.name), ['llama3.2:latest', 'qwen3:8b']);
  const shown = await (await post(ollama, { model: 'llama3.2:latest' }, '/api/show')).json();
  assert.equal(shown.model_info['llama.context_length'], 8192);
});

test('Ollama shows what a model can do, and refuses to chat with one that makes embeddings', async (t) => {
  const ollama = await openOllama(t, { models: { 'nomic-embed-text': { context: 2048, capabilities: ['embedding'] } } });
  const shown = await (await post(ollama, { model: 'nomic-embed-text:latest' }, '/api/show')).json();
  assert.deepEqual(shown.capabilities, ['embedding']);
  assert.equal((await post(ollama, chatBody({ model: 'nomic-embed-text' }))).status, 400);
});

test('Ollama fails in every way that Ollama fails', async (t) => {
  const ollama = await openOllama(t);
  assert.throws(() => ollama.fail('no such fault'));
  for (const [kind, status] of [['unknown-model', 404], ['truncation', 400], ['busy', 503], ['error-500', 500]]) {
    ollama.fail(kind);
    const response = await post(ollama, chatBody());
    assert.equal(response.status, status);
    assert.equal(typeof (await response.json()).error, 'string');
  }
  ollama.fail('error-line');
  assert.match((await linesOf(await post(ollama, chatBody()))).at(-1).error, /unexpected EOF/);
  ollama.fail('bad-json');
  await assert.rejects(linesOf(await post(ollama, chatBody())), SyntaxError);
  ollama.fail('cut');
  await assert.rejects((await post(ollama, chatBody())).text());
  assert.deepEqual(ollama.chats.slice(-3).map((chat) => chat.outcome), ['error-line', 'bad-json', 'cut']);
  for (const kind of ['thinking', 'tool-call', 'blank']) {
    ollama.fail(kind);
    const lines = await linesOf(await post(ollama, chatBody()));
    assert.equal(lines.map((line) => line.message.content).join('').trim(), '');
    assert.ok(lines.at(-1).done && lines.at(-1).eval_count > 0);
  }
  for (const kind of ['stall', 'silent', 'endless']) {
    ollama.fail(kind);
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 100);
    const request = fetch(ollama.url + '/api/chat', { method: 'POST', body: JSON.stringify(chatBody()), signal: controller.signal });
    await assert.rejects(request.then((response) => response.text()));
  }
  ollama.fail('slow', 5);
  assert.equal((await linesOf(await post(ollama, chatBody()))).at(-1).done, true);
  assert.equal(ollama.faultsLeft(), 0);
  assert.ok(ollama.chats.filter((chat) => chat.outcome === 'closed').length === 3);
});
