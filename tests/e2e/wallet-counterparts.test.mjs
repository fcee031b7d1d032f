// The wallets' counterparts themselves, without the program: each is called as its wallet is called, so that we know how they
// behave before the program meets them.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import bolt11 from 'bolt11';
import * as nip04 from 'nostr-tools/nip04';
import * as nip44 from 'nostr-tools/nip44';
import { finalizeEvent } from 'nostr-tools/pure';
import { Relay, useWebSocketImplementation } from 'nostr-tools/relay';
import WebSocket from 'ws';
import { nowSeconds, readInvoice } from '../harness/customer.mjs';
import { eventually } from '../harness/eventually.mjs';
import { startCoreLightning } from '../harness/wallets/core-lightning.mjs';
import { skipWithoutElectrum, startElectrum } from '../harness/wallets/electrum.mjs';
import { startLightningAddress } from '../harness/wallets/lightning-address.mjs';
import { LightningNode, randomHex, sha256, sha256OfText } from '../harness/wallets/lightning-node.mjs';
import { startLnbits } from '../harness/wallets/lnbits.mjs';
import { startLnd } from '../harness/wallets/lnd.mjs';
import { startNwc } from '../harness/wallets/nwc.mjs';
import { startPhoenixd } from '../harness/wallets/phoenixd.mjs';

useWebSocketImplementation(WebSocket);

const PATIENCE_MS = 1500;
const PUSH_TIMEOUT_MS = 5000;
const AMOUNT_MSAT = 21_000;
const REGTEST = { bech32: 'bcrt', pubKeyHash: 0x6f, scriptHash: 0xc4, validWitnessVersions: [0, 1] };

// ---- how each wallet is called ------------------------------------------------------------------------------------------
//
// A client can: create({id}) → {bolt11, paymentHash}; look(created) → {settled, preimage, receivedMsat}, or nothing for an
// invoice that is unknown there; ping(), any harmless call; listen() → a function that resolves with the payment hash that is
// pushed next; leave(). One that may spend: pay(bolt11), which fails where the payment did; sent(payment hash) → {status,
// preimage, feeMsat}, or nothing for a payment that is unknown there.

class Refused extends Error {
  constructor(status, body) {
    super(`${status} ${JSON.stringify(body)}`);
    Object.assign(this, { status, body });
  }
}

const base64 = (hex) => Buffer.from(hex, 'hex').toString('base64');
const hexOf = (text) => Buffer.from(text, 'base64').toString('hex');
const preimageOf = (id) => sha256OfText(`preimage of ${id}`);

// One HTTP request: {status, body}.
async function ask(url, { method = 'GET', headers, body, ca } = {}) {
  const { request } = url.startsWith('https') ? https : http;
  const asked = request(url, { method, headers, ca, agent: false, signal: AbortSignal.timeout(PATIENCE_MS) });
  asked.end(body);
  const [response] = await once(asked, 'response');
  let text = '';
  for await (const part of response) text += part;
  if (response.statusCode >= 400) throw new Refused(response.statusCode, text);
  return { status: response.statusCode, body: JSON.parse(text) };
}

// Resolves with what `look` finds in the messages of a websocket, one after the other.
async function socketReader(url, headers, look) {
  const socket = new WebSocket(url, { headers });
  const queue = [];
  let wake;
  socket.on('message', (data) => {
    queue.push(look(JSON.parse(data)));
    wake?.();
  });
  await once(socket, 'open');
  return async function next() {
    if (queue.length === 0) await within(new Promise((done) => (wake = done)));
    return queue.shift();
  };
}

function within(promise) {
  let timer;
  const late = new Promise((_, failed) => (timer = setTimeout(failed, PUSH_TIMEOUT_MS, new Error('nothing was pushed'))));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function unlessUnknown(promise, isUnknown) {
  return promise.catch((error) => {
    if (!isUnknown(error)) throw error;
  });
}

function connectLnd({ settings, files }) {
  const url = settings['wallet.url'];
  const access = { headers: { 'Grpc-Metadata-macaroon': files.credential }, ca: files.certificate };
  const get = async (path) => (await ask(url + path, access)).body;
  const post = async (path, body) => (await ask(url + path, { ...access, method: 'POST', body: JSON.stringify(body) })).body;
  return {
    get,
    post,
    ping: () => get('/v1/getinfo'),
    async create({ id, amountMsat = AMOUNT_MSAT }) {
      const preimage = preimageOf(id);
      const made = await post('/v1/invoices', { memo: id, value_msat: String(amountMsat), expiry: '600', r_preimage: base64(preimage) });
      return { bolt11: made.payment_request, paymentHash: hexOf(made.r_hash), preimage };
    },
    async look({ paymentHash }) {
      const found = await unlessUnknown(get(`/v1/invoice/${paymentHash}`), (error) => error.status === 404);
      return found && { settled: found.state === 'SETTLED', preimage: hexOf(found.r_preimage), receivedMsat: Number(found.amt_paid_msat) };
    },
    async listen({ from = 0 } = {}) {
      const stream = https.request(`${url}/v1/invoices/subscribe?settle_index=${from}`, { ...access, agent: false });
      stream.on('error', () => {}).end();
      const lines = once(stream, 'response').then(([response]) => createInterface({ input: response })[Symbol.asyncIterator]());
      await new Promise((done) => setTimeout(done, 50)); // nothing says that it listens
      return async function next() {
        const { value } = await within((await within(lines)).next());
        const { result } = JSON.parse(value);
        return result.state === 'SETTLED' ? hexOf(result.r_hash) : next();
      };
    },
    async pay(payment_request, { feeLimitMsat = 10_000 } = {}) {
      const order = { payment_request, timeout_seconds: 1, fee_limit_msat: String(feeLimitMsat), no_inflight_updates: true };
      const { result } = await post('/v2/router/send', order);
      if (result.status !== 'SUCCEEDED') throw new Refused(result.failure_reason);
    },
    async sent(paymentHash) {
      const path = `/v2/router/track/${Buffer.from(paymentHash, 'hex').toString('base64url')}?no_inflight_updates=true`;
      const found = await unlessUnknown(get(path), (error) => error.status === 404);
      return found && { status: found.result.status, preimage: found.result.payment_preimage, feeMsat: Number(found.result.fee_msat) };
    },
  };
}

// The socket's JSON-RPC: requests may be pipelined, answers come in any order.
function rpcOver(socket) {
  const waiting = new Map();
  let text = '';
  socket.setEncoding('utf8').on('error', () => {});
  socket.on('data', (part) => {
    const answers = (text + part).split('\n\n');
    text = answers.pop();
    for (const answer of answers) take(answer);
  });
  socket.on('close', () => waiting.forEach(({ failed }) => failed(new Error('closed'))));

  function take(answer) {
    try {
      const { id, result, error } = JSON.parse(answer);
      const { done, failed } = waiting.get(id);
      if (error) failed(new Refused(error.code, error));
      else done(result);
    } catch (error) {
      waiting.forEach(({ failed }) => failed(error));
    }
  }

  return function call(method, params = {}, patienceMs = PATIENCE_MS) {
    const id = `${method} ${randomHex()}`;
    socket.write(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    return new Promise((done, failed) => {
      waiting.set(id, { done, failed });
      setTimeout(failed, patienceMs, new Error('no answer')).unref();
    });
  };
}

const coreLightning = (call) => ({
  call,
  ping: () => call('getinfo'),
  async create({ id, amountMsat = AMOUNT_MSAT }) {
    const preimage = preimageOf(id);
    const made = await call('invoice', { amount_msat: amountMsat, label: id, description: id, expiry: 600, preimage });
    return { bolt11: made.bolt11, paymentHash: made.payment_hash, preimage };
  },
  async look({ paymentHash }) {
    const [found] = (await call('listinvoices', { payment_hash: paymentHash })).invoices;
    return found && { settled: found.status === 'paid', preimage: found.payment_preimage, receivedMsat: found.amount_received_msat };
  },
  async listen() {
    const next = call('waitanyinvoice', { lastpay_index: 0, timeout: 5 }, PUSH_TIMEOUT_MS);
    return async () => (await within(next)).payment_hash;
  },
  pay: (bolt11, { feeLimitMsat = 10_000 } = {}) => call('pay', { bolt11, maxfee: feeLimitMsat, retry_for: 1 }),
  async sent(paymentHash) {
    const found = (await call('listpays', { payment_hash: paymentHash })).pays.at(-1);
    return found && { status: found.status, preimage: found.preimage, feeMsat: found.amount_sent_msat - found.amount_msat };
  },
});

function connectCoreLightning({ settings }) {
  let socket = connect(settings['wallet.socket']);
  let rpc = rpcOver(socket);
  return {
    ...coreLightning((...args) => {
      if (socket.destroyed) rpc = rpcOver((socket = connect(settings['wallet.socket'])));
      return rpc(...args);
    }),
    leave: () => socket.destroy(),
  };
}

function connectClnRest({ settings, files }) {
  return coreLightning(async function call(method, params = {}) {
    const { status, body } = await ask(`${settings['wallet.url']}/v1/${method}`, {
      method: 'POST',
      headers: { Rune: files.credential, 'Content-Type': 'application/json' },
      body: JSON.stringify(params),
    });
    assert.equal(status, 201);
    return body;
  });
}

function connectPhoenixd({ settings, files }) {
  const url = settings['wallet.url'];
  const headers = { Authorization: `Basic ${Buffer.from(`:${files.credential}`).toString('base64')}` };
  const get = async (path) => (await ask(url + path, { headers })).body;
  const post = async (path, form) => {
    const body = new URLSearchParams(form).toString();
    return (await ask(url + path, { method: 'POST', headers: { ...headers, 'Content-Type': 'application/x-www-form-urlencoded' }, body })).body;
  };
  return {
    get,
    post,
    ping: () => get('/getinfo'),
    async create({ id, amountMsat = AMOUNT_MSAT }) {
      const made = await post('/createinvoice', { amountSat: amountMsat / 1000, description: id, expirySeconds: 600, externalId: id });
      return { bolt11: made.serialized, paymentHash: made.paymentHash };
    },
    async look({ paymentHash }) {
      const found = await unlessUnknown(get(`/payments/incoming/${paymentHash}`), (error) => error.status === 404);
      return found && { settled: found.isPaid, preimage: found.preimage, receivedMsat: found.receivedSat * 1000 };
    },
    listen: () => socketReader(`${url}/websocket`, headers, (event) => event.type === 'payment_received' && event.paymentHash),
    async pay(invoice) {
      const { reason } = await post('/payinvoice', { invoice });
      if (reason) throw new Refused(reason);
    },
    async sent(paymentHash) {
      const found = await unlessUnknown(get(`/payments/outgoingbyhash/${paymentHash}`), (error) => error.status === 404);
      return found && { status: found.isPaid ? 'paid' : found.completedAt ? 'failed' : 'pending', preimage: found.preimage, feeMsat: found.fees };
    },
  };
}

function connectLnbits({ settings, files }) {
  const url = settings['wallet.url'];
  const headers = { 'X-Api-Key': files.credential, 'Content-Type': 'application/json' };
  const get = async (path, more) => (await ask(url + path, { headers: { ...headers, ...more } })).body;
  const post = async (path, body, more) => (await ask(url + path, { method: 'POST', headers: { ...headers, ...more }, body: JSON.stringify(body) })).body;
  return {
    get,
    post,
    ping: () => get('/api/v1/wallet'),
    async create({ id, amountMsat = AMOUNT_MSAT }) {
      const made = await post('/api/v1/payments', { out: false, amount: amountMsat / 1000, unit: 'sat', memo: id, expiry: 600, extra: { job: id } });
      return { bolt11: made.bolt11, paymentHash: made.payment_hash };
    },
    async look({ paymentHash }) {
      const found = await unlessUnknown(get(`/api/v1/payments/${paymentHash}`), (error) => error.status === 404);
      return found && { settled: found.paid, preimage: found.preimage, receivedMsat: found.details.amount };
    },
    listen: () => socketReader(`${url}/api/v1/ws/${files.credential}`, {}, (event) => event.payment.status === 'success' && event.payment.payment_hash),
    pay: (text) => post('/api/v1/payments', { out: true, bolt11: text }),
    async sent(paymentHash) {
      const found = await unlessUnknown(get(`/api/v1/payments/${paymentHash}`), (error) => error.status === 404);
      return found && { status: found.status, preimage: found.preimage, feeMsat: -found.details.fee };
    },
  };
}

function connectLightningAddress({ settings }) {
  const [user, host] = settings['wallet.address'].split('@');
  const get = async (url) => {
    const { body } = await ask(url);
    if (body.status === 'ERROR') throw new Refused(200, body);
    return body;
  };
  const describe = () => get(`http://${host}/.well-known/lnurlp/${user}`);
  return {
    get,
    describe,
    ping: describe,
    async create({ amountMsat = AMOUNT_MSAT }) {
      const { callback } = await describe();
      const made = await get(`${callback}?amount=${amountMsat}`);
      return { bolt11: made.pr, verify: made.verify, paymentHash: made.verify?.split('/').at(-1) };
    },
    async look({ verify }) {
      const found = await unlessUnknown(get(verify), (error) => error.body?.reason === 'Not found');
      return found && { settled: found.settled, preimage: found.preimage };
    },
  };
}

function connectNwc({ files }) {
  const uri = new URL(files.credential);
  const wallet = uri.host;
  const secretKey = Buffer.from(uri.searchParams.get('secret'), 'hex');
  const conversation = nip44.getConversationKey(secretKey, wallet);
  const decrypt = async (event) => JSON.parse(event.content.includes('?iv=') ? await nip04.decrypt(secretKey, wallet, event.content) : nip44.decrypt(event.content, conversation));

  async function listenTo(kinds, take) {
    const relay = await Relay.connect(uri.searchParams.get('relay'));
    await new Promise((oneose) => relay.subscribe([{ kinds, authors: [wallet] }], { onevent: take, oneose }));
    return relay;
  }

  async function call(method, params = {}, { encryption = 'nip44_v2' } = {}) {
    const text = JSON.stringify({ method, params });
    const tags = [['p', wallet], ...(encryption === 'nip04' ? [] : [['encryption', encryption]])];
    const content = encryption === 'nip04' ? await nip04.encrypt(secretKey, wallet, text) : nip44.encrypt(text, conversation);
    const request = finalizeEvent({ kind: 23194, created_at: nowSeconds(), tags, content }, secretKey);
    let answer;
    const relay = await listenTo([23195], (event) => {
      if (event.tags.some(([name, id]) => name === 'e' && id === request.id)) answer = event;
    });
    try {
      await relay.publish(request);
      const { error, result } = await decrypt(await eventually(() => answer, 'an answer', PATIENCE_MS));
      if (error) throw new Refused(error.code, error);
      return result;
    } finally {
      relay.close();
    }
  }

  const relays = [];
  return {
    call,
    listenTo,
    decrypt,
    ping: () => call('get_info'),
    async create({ id, amountMsat = AMOUNT_MSAT }) {
      const made = await call('make_invoice', { amount: amountMsat, description: id, expiry: 600, metadata: { job: id } });
      return { bolt11: made.invoice, paymentHash: made.payment_hash };
    },
    async look({ paymentHash }) {
      const found = await unlessUnknown(call('lookup_invoice', { payment_hash: paymentHash }), (error) => error.status === 'NOT_FOUND');
      return found && { settled: Boolean(found.settled_at), preimage: found.preimage, receivedMsat: found.amount };
    },
    async listen() {
      const heard = [];
      relays.push(await listenTo([23197], (event) => heard.push(decrypt(event))));
      return async () => (await eventually(() => heard.shift(), 'a notification')).notification.payment_hash;
    },
    pay: (invoice) => call('pay_invoice', { invoice }),
    async sent(paymentHash) {
      const found = await unlessUnknown(call('lookup_invoice', { payment_hash: paymentHash }), (error) => error.status === 'NOT_FOUND');
      return found && { status: found.state, preimage: found.preimage, feeMsat: found.fees_paid };
    },
    leave: () => relays.forEach((relay) => relay.close()),
  };
}

function connectElectrum({ settings, files }) {
  async function call(method, params = {}, credential = files.credential) {
    const headers = { Authorization: `Basic ${Buffer.from(credential).toString('base64')}` };
    const { body } = await ask(settings['wallet.url'], { method: 'POST', headers, body: JSON.stringify({ id: 1, method, params }) });
    if (body.error) throw new Refused(body.error.code, body.error);
    return body.result;
  }
  const requests = () => call('list_requests');
  return {
    call,
    ping: () => call('getbalance'),
    count: async () => (await requests()).length,
    async create({ id, amountMsat = AMOUNT_MSAT, expiration = 600 }) {
      const amount = (amountMsat / 1e11).toFixed(8);
      const made = await call('add_request', { amount, memo: id, expiration, force: true });
      return { bolt11: made.lightning_invoice, paymentHash: made.rhash, id: made.request_id };
    },
    async look({ paymentHash, id }) {
      if (!(await requests()).some(({ request_id }) => request_id === id)) return undefined;
      const { status, amount_msat } = await call('get_request', { request_id: id });
      const paid = (await call('lightning_history')).find(({ payment_hash }) => payment_hash === paymentHash);
      return { settled: status === 3, preimage: paid?.preimage, receivedMsat: paid && amount_msat };
    },
  };
}

const WALLETS = {
  LND: { start: startLnd, connect: connectLnd },
  'Core Lightning': { start: startCoreLightning, connect: connectCoreLightning, cannot: ['unauthorized'] },
  clnrest: { start: (options) => startCoreLightning({ rest: true, ...options }), connect: connectClnRest },
  phoenixd: { start: startPhoenixd, connect: connectPhoenixd },
  LNbits: { start: startLnbits, connect: connectLnbits },
  'a Lightning address': { start: startLightningAddress, connect: connectLightningAddress },
  NWC: { start: startNwc, connect: connectNwc },
  Electrum: { start: startElectrum, connect: connectElectrum, cannot: ['run out'], skip: skipWithoutElectrum },
};

async function open(t, name, options) {
  const wallet = await WALLETS[name].start(options);
  t.after(wallet.close);
  const client = WALLETS[name].connect(wallet);
  t.after(() => client.leave?.());
  return { wallet, client };
}

// ---- what all have in common ----------------------------------------------------------------------------------------------

for (const [name, { cannot = [], skip = false }] of Object.entries(WALLETS)) {
  test(`${name}: an invoice is made, pushed when it is paid, and proved`, { skip }, async (t) => {
    const { wallet, client } = await open(t, name);
    assert.equal(wallet.settings['wallet.kind'], wallet.kind);
    const made = await client.create({ id: 'job 1' });
    const read = readInvoice(made.bolt11);
    assert.deepEqual([read.network, read.amountMsat, read.paymentHash, read.expirySeconds], ['bcrt', String(AMOUNT_MSAT), made.paymentHash, 600]);
    assert.ok(read.hasSecret && Math.abs(read.timestamp - nowSeconds()) < 5);
    assert.equal((await client.look(made)).settled, false);
    const next = await client.listen?.();
    const paid = await wallet.pay(made.bolt11);
    if (next) assert.equal(await next(), made.paymentHash);
    assert.equal(sha256(paid.preimage), made.paymentHash);
    assert.equal(paid.preimage, made.preimage ?? paid.preimage);
    const found = await client.look(made);
    assert.deepEqual([found.settled, found.preimage, found.receivedMsat ?? AMOUNT_MSAT], [true, paid.preimage, AMOUNT_MSAT]);
    await assert.rejects(wallet.pay(made.bolt11), /settled|already/);
    assert.ok(wallet.asked.length >= 3 && wallet.asked.every(({ method, at }) => method && at));
  });

  test(`${name}: an invoice can be of another network, run out and be forgotten`, { skip: skip || cannot.includes('run out') }, async (t) => {
    const { wallet, client } = await open(t, name, { network: 'bitcoin' });
    const made = await client.create({ id: 'job 1' });
    assert.equal(readInvoice(made.bolt11).network, 'bc');
    await wallet.expire(made.paymentHash);
    await assert.rejects(wallet.pay(made.bolt11), /expired/);
    assert.equal((await client.look(made)).settled, false);
    await wallet.forget(made.paymentHash);
    assert.equal(await client.look(made), undefined);
  });

  test(`${name}: every fault of a call`, { skip }, async (t) => {
    const { wallet, client } = await open(t, name);
    await client.ping();
    const faults = { outage: Error, silent: Error, garbage: SyntaxError, 'error-500': Refused, unauthorized: Refused, 'lost-answer': Error };
    for (const [fault, kind] of Object.entries(faults)) {
      if (cannot.includes(fault)) continue;
      const before = wallet.asked.length;
      wallet.fail(fault);
      await assert.rejects(client.ping(), kind, fault);
      assert.deepEqual([wallet.faultsLeft(), wallet.asked.length], [0, before + 1], fault);
      await eventually(() => client.ping().then(() => true, () => false), `${name} to be well after ${fault}`);
    }
    wallet.fail('lost-answer', 'invoice|payments|callback|request');
    await client.ping();
    assert.equal(wallet.faultsLeft(), 1);
    await assert.rejects(client.create({ id: 'lost' }));
    assert.equal((await client.count?.()) ?? wallet.node.invoices.size, 1);
    assert.throws(() => wallet.fail('no such fault'));
  });

  test(`${name}: every fault of an invoice`, { skip }, async (t) => {
    const { wallet, client } = await open(t, name);
    async function spoiled(fault, detail) {
      wallet.fail(fault, detail);
      const made = await client.create({ id: fault + (detail ?? '') });
      return { ...readInvoice(made.bolt11), expectedHash: made.paymentHash, bolt11: made.bolt11 };
    }
    assert.equal((await spoiled('wrong-amount')).amountMsat, String(AMOUNT_MSAT + 1000));
    assert.equal((await spoiled('wrong-amount', 1000)).amountMsat, '1000');
    assert.equal((await spoiled('amountless')).amountMsat, undefined);
    assert.equal((await spoiled('wrong-network')).network, 'bc');
    const other = await spoiled('wrong-hash');
    assert.notEqual(other.paymentHash, other.expectedHash);
    const old = await spoiled('expired-invoice');
    assert.ok(old.timestamp + old.expirySeconds < nowSeconds());
    assert.notEqual((await spoiled('wrong-description')).description, 'wrong-description');
    const made = await client.create({ id: 'proof' });
    await wallet.pay(made.bolt11);
    wallet.fail('wrong-preimage');
    assert.notEqual(sha256((await client.look(made)).preimage), made.paymentHash);
    assert.equal(sha256((await client.look(made)).preimage), made.paymentHash);
  });

  test(`${name}: it goes away and comes back with what was paid meanwhile`, { skip }, async (t) => {
    const { wallet, client } = await open(t, name);
    const made = await client.create({ id: 'job 1' });
    await wallet.down();
    await assert.rejects(client.ping());
    await wallet.pay(made.bolt11);
    await wallet.up();
    assert.equal((await client.look(made)).settled, true);
  });
}

// ---- those that can pay -----------------------------------------------------------------------------------------------------

// words: for what was paid, what is on its way and what failed. limits: whether they take a limit of the fee. keeps: what they
// remember of what they did not try.
const PAYERS = {
  LND: { words: ['SUCCEEDED', undefined, 'FAILED'], limits: true, keeps: ['no-balance'] },
  'Core Lightning': { words: ['complete', 'pending', 'failed'], limits: true },
  phoenixd: { words: ['paid', 'pending', 'failed'], keeps: ['no-balance'] },
  LNbits: { words: ['success', 'pending', 'failed'], keeps: ['unsupported'] },
  NWC: { words: ['settled', 'pending', 'failed'] },
};

// Somebody else's node, whose invoices the wallet can pay.
async function openPayer(t, name) {
  const { wallet, client: receiver } = await open(t, name);
  const theirs = new LightningNode();
  wallet.node.reach(theirs);
  const credential = wallet.refundCredential ?? wallet.files.credential;
  const client = WALLETS[name].connect({ ...wallet, files: { ...wallet.files, credential } });
  t.after(() => client.leave?.());
  return { wallet, receiver, client, theirs, invoice: () => theirs.create({ amountMsat: AMOUNT_MSAT }) };
}

for (const [name, { words: [paid, pending, failed], limits = false, keeps = [] }] of Object.entries(PAYERS)) {
  test(`${name}: it pays once, and knows what it paid`, async (t) => {
    const { wallet, client, theirs, invoice } = await openPayer(t, name);
    const { bolt11: text, paymentHash, preimage } = invoice();
    assert.equal(await client.sent(paymentHash), undefined);
    const before = wallet.node.balanceMsat();
    await client.pay(text);
    await client.pay(text).catch(() => {});
    const known = await client.sent(paymentHash);
    assert.deepEqual([known.status, known.preimage], [paid, preimage]);
    assert.ok(known.feeMsat > 0);
    assert.equal(theirs.invoices.get(paymentHash).receivedMsat, AMOUNT_MSAT);
    assert.equal(wallet.node.payments.filter(({ status }) => status === 'complete').length, 1);
    assert.equal(wallet.node.balanceMsat(), before - AMOUNT_MSAT - known.feeMsat);
  });

  test(`${name}: it says that it could not pay`, async (t) => {
    const { wallet, client, invoice } = await openPayer(t, name);
    for (const fault of ['no-route', 'no-balance', 'unsupported']) {
      const { bolt11: text, paymentHash } = invoice();
      wallet.fail(fault);
      await assert.rejects(client.pay(text), Refused, fault);
      assert.equal((await client.sent(paymentHash))?.status, ['no-route', ...keeps].includes(fault) ? failed : undefined, fault);
    }
    const { paymentHash } = wallet.node.create({ amountMsat: AMOUNT_MSAT });
    assert.notEqual((await client.sent(paymentHash))?.status, paid, 'its own invoice is no payment');
    if (limits) await assert.rejects(client.pay(invoice().bolt11, { feeLimitMsat: 0 }), Refused);
  });

  test(`${name}: a payment goes on when nobody waits for it any more`, async (t) => {
    const { wallet, client, invoice } = await openPayer(t, name);
    const { bolt11: text, paymentHash } = invoice();
    wallet.fail('held');
    const paying = client.pay(text).catch(() => {});
    await eventually(() => wallet.node.payments.length === 1, 'the payment to begin');
    if (pending) assert.equal((await client.sent(paymentHash)).status, pending);
    else await assert.rejects(client.sent(paymentHash), 'it answers at the end alone');
    wallet.land();
    await paying;
    assert.equal((await client.sent(paymentHash)).status, paid);
  });

  test(`${name}: what receives cannot spend`, { skip: name === 'Core Lightning' && 'who may open its socket may spend' }, async (t) => {
    const { wallet, receiver, invoice } = await openPayer(t, name);
    await assert.rejects(receiver.pay(invoice().bolt11), Refused);
    assert.deepEqual(wallet.node.payments, []);
  });
}

// ---- what each has of its own -----------------------------------------------------------------------------------------------

const refusedWith = (status, pattern = /./) => (error) => error instanceof Refused && error.status === status && pattern.test(error.message);

test('LND: a preimage cannot be used twice, and an open invoice shows it', async (t) => {
  const { client } = await open(t, 'LND');
  const made = await client.create({ id: 'job 1' });
  assert.equal(made.paymentHash, sha256(made.preimage));
  await assert.rejects(client.create({ id: 'job 1' }), refusedWith(500, /already exists/));
  const found = await client.get(`/v1/invoice/${made.paymentHash}`);
  assert.deepEqual([found.state, hexOf(found.r_preimage), found.settle_index, found.value_msat], ['OPEN', made.preimage, '0', String(AMOUNT_MSAT)]);
});

test('LND: the stream starts behind an index, and tells of new invoices too', async (t) => {
  const { wallet, client } = await open(t, 'LND');
  const made = [];
  for (const id of ['a', 'b', 'c']) made.push(await client.create({ id }));
  for (const { bolt11: text } of made.slice(0, 2)) await wallet.pay(text);
  const next = await client.listen({ from: 1 });
  await client.create({ id: 'd' });
  await wallet.pay(made[2].bolt11, { amountMsat: 2 * AMOUNT_MSAT });
  assert.deepEqual([await next(), await next()], [made[1].paymentHash, made[2].paymentHash]);
  assert.equal((await client.look(made[2])).receivedMsat, 2 * AMOUNT_MSAT);
  const page = await client.get('/v1/invoices?index_offset=1&num_max_invoices=2');
  assert.deepEqual([page.invoices.map(({ memo }) => memo), page.last_index_offset], [['b', 'c'], '3']);
});

test('LND: the macaroon and the certificate are checked; the state needs none', async (t) => {
  const { wallet, client } = await open(t, 'LND');
  const stranger = connectLnd({ ...wallet, files: { ...wallet.files, credential: '00' } });
  await assert.rejects(stranger.ping(), refusedWith(500, /verification failed/));
  assert.equal((await stranger.get('/v1/state')).state, 'SERVER_ACTIVE');
  const doubter = connectLnd({ ...wallet, files: { ...wallet.files, certificate: undefined } });
  await assert.rejects(doubter.ping(), /self-signed/);
  assert.equal((await client.get('/v1/balance/channels')).local_balance.msat, '1000000000');
});

test('LND: a hold invoice is accepted, then settled by its preimage or canceled', async (t) => {
  const { wallet, client } = await open(t, 'LND');
  const preimage = randomHex();
  for (const hash of [sha256(preimage), randomHex()]) {
    const made = await client.post('/v2/invoices/hodl', { hash: base64(hash), value_msat: '5000' });
    await wallet.pay(made.payment_request);
    assert.equal((await client.get(`/v1/invoice/${hash}`)).state, 'ACCEPTED');
    if (hash === sha256(preimage)) await client.post('/v2/invoices/settle', { preimage: base64(preimage) });
    else await client.post('/v2/invoices/cancel', { payment_hash: base64(hash) });
  }
  assert.deepEqual((await client.get('/v1/invoices')).invoices.map(({ state }) => state), ['SETTLED', 'CANCELED']);
});

test('Core Lightning: a used preimage is said before a used label', async (t) => {
  const { client } = await open(t, 'Core Lightning');
  await client.create({ id: 'job 1' });
  await assert.rejects(client.create({ id: 'job 1' }), refusedWith(901));
  const again = { amount_msat: '5000msat', description: 'x', preimage: randomHex() };
  await assert.rejects(client.call('invoice', { ...again, label: 'job 1' }), refusedWith(900, /Duplicate label/));
  const [found] = (await client.call('listinvoices', { label: 'job 1' })).invoices;
  assert.deepEqual([found.status, found.amount_msat, found.payment_preimage], ['unpaid', AMOUNT_MSAT, undefined]);
  await assert.rejects(client.call('nonsense'), refusedWith(-32601));
  await assert.rejects(client.call('invoice', { label: 'x' }), refusedWith(-32602));
});

test('Core Lightning: answers overtake one that waits, which ends by a payment or by its time', async (t) => {
  const { wallet, client } = await open(t, 'Core Lightning');
  const [first, second] = [await client.create({ id: 'a' }), await client.create({ id: 'b {"' })];
  await assert.rejects(client.call('waitanyinvoice', { lastpay_index: 0, timeout: 0 }), refusedWith(904));
  const waiting = client.call('waitanyinvoice', { lastpay_index: 1 }, PUSH_TIMEOUT_MS);
  await Promise.all([client.ping(), client.call('listfunds')]);
  await wallet.pay(second.bolt11);
  await client.ping();
  await wallet.pay(first.bolt11, { amountMsat: AMOUNT_MSAT + 1 });
  const { payment_hash, pay_index, amount_received_msat } = await waiting;
  assert.deepEqual([payment_hash, pay_index, amount_received_msat], [first.paymentHash, 2, AMOUNT_MSAT + 1]);
});

test('clnrest: the rune is checked, errors are those of the socket', async (t) => {
  const { wallet, client } = await open(t, 'clnrest');
  await client.create({ id: 'job 1' });
  await assert.rejects(client.create({ id: 'job 1' }), refusedWith(500, /901/));
  await assert.rejects(client.call('nonsense'), refusedWith(404));
  await assert.rejects(connectClnRest({ ...wallet, files: { credential: 'x' } }).ping(), refusedWith(401, /Rune/));
});

test('phoenixd: an external id may occur twice, and fees are kept back', async (t) => {
  const { wallet, client } = await open(t, 'phoenixd');
  const made = [await client.create({ id: 'job 1' }), await client.create({ id: 'job 1' }), await client.create({ id: 'job 2' })];
  assert.equal((await client.get('/payments/incoming?externalId=job+1')).length, 0);
  const both = await client.get('/payments/incoming?externalId=job%201&all=true');
  assert.deepEqual(both.map(({ paymentHash }) => paymentHash), [made[1].paymentHash, made[0].paymentHash]);
  assert.ok(!both[0].isPaid && sha256(both[0].preimage) === made[1].paymentHash);
  await wallet.pay(made[0].bolt11, { feeMsat: 2000 });
  const [paid] = await client.get('/payments/incoming');
  assert.deepEqual([paid.requestedSat, paid.receivedSat, paid.fees, paid.isPaid], [21, 19, 2000, true]);
  assert.equal((await client.get('/getbalance')).balanceSat, 1_000_019);
});

test('phoenixd: it minds the password and the description, in plain words', async (t) => {
  const { wallet, client } = await open(t, 'phoenixd');
  await assert.rejects(connectPhoenixd({ ...wallet, files: { credential: 'x' } }).ping(), refusedWith(401, /Invalid authentication/));
  await assert.rejects(connectPhoenixd({ ...wallet, files: { credential: 'x' } }).listen(), /401/);
  await assert.rejects(client.create({ id: 'x'.repeat(129) }), refusedWith(400, /too long/));
  await assert.rejects(client.post('/createinvoice', { amountSat: '1' }), refusedWith(400, /Must provide/));
});

test('LNbits: what does not say out:false is a payment', async (t) => {
  const { wallet, client } = await open(t, 'LNbits');
  const invoice = { amount: 5, unit: 'sat', memo: 'x' };
  await assert.rejects(client.post('/api/v1/payments', invoice), refusedWith(403));
  await assert.rejects(client.post('/api/v1/payments', invoice, { 'X-Api-Key': wallet.adminKey }), refusedWith(400, /BOLT11/));
  assert.equal(wallet.node.invoices.size, 0);
});

test('LNbits: a look-up needs no key, the rest does; what was made is listed', async (t) => {
  const { wallet, client } = await open(t, 'LNbits');
  const made = await client.create({ id: 'job 1' });
  await client.create({ id: 'job 2' });
  const stranger = { 'X-Api-Key': 'x' };
  await assert.rejects(client.get('/api/v1/wallet', stranger), refusedWith(404, /Wallet not found/));
  const { details, ...open_ } = await client.get(`/api/v1/payments/${made.paymentHash}`, stranger);
  assert.deepEqual([details, open_.paid, open_.status], [undefined, false, 'pending']);
  await wallet.pay(made.bolt11);
  const [paid] = await client.get('/api/v1/payments?status=success');
  assert.deepEqual([paid.payment_hash, paid.extra, paid.amount], [made.paymentHash, { job: 'job 1' }, AMOUNT_MSAT]);
  assert.equal((await client.get('/api/v1/payments?limit=1'))[0].memo, 'job 2');
  assert.equal((await client.get('/api/v1/wallet')).balance, 1_000_021_000);
});

test('a Lightning address: the invoice commits to what the address says', async (t) => {
  const { client } = await open(t, 'a Lightning address', { minSendableMsat: 2000 });
  const { metadata, minSendable, tag, callback } = await client.describe();
  assert.deepEqual([tag, minSendable], ['payRequest', 2000]);
  const { tagsObject } = bolt11.decode((await client.create({})).bolt11, REGTEST);
  assert.equal(tagsObject.purpose_commit_hash, sha256OfText(metadata));
  await assert.rejects(client.get(`${callback}?amount=1999`), refusedWith(200, /bounds/));
  await assert.rejects(client.get(callback.replace('/lnurlp/', '/.well-known/lnurlp/x')), refusedWith(404));
});

test('a Lightning address may not say what was paid', async (t) => {
  const { client } = await open(t, 'a Lightning address', { verify: false });
  assert.equal((await client.create({})).verify, undefined);
});

test('NWC: the wallet says what it can do', async (t) => {
  const { client } = await open(t, 'NWC');
  const found = [];
  const relay = await client.listenTo([13194], (event) => found.push(event));
  relay.close();
  assert.match(found[0].content, /make_invoice lookup_invoice/);
  assert.deepEqual(found[0].tags, [['encryption', 'nip04 nip44_v2'], ['notifications', 'payment_received']]);
  const info = await client.call('get_info');
  assert.deepEqual([info.network, (await client.call('get_balance')).balance], ['regtest', 1_000_000_000]);
});

test('NWC: the same request makes another invoice, but what was made can be found', async (t) => {
  const { wallet, client } = await open(t, 'NWC');
  const made = [await client.create({ id: 'job 1' }), await client.create({ id: 'job 1' })];
  assert.equal((await client.call('list_transactions')).transactions.length, 0);
  const { transactions, total_count } = await client.call('list_transactions', { unpaid: true, type: 'incoming' });
  assert.deepEqual(transactions.map(({ payment_hash }) => payment_hash), [made[1].paymentHash, made[0].paymentHash]);
  assert.deepEqual([transactions[0].metadata, transactions[0].state, total_count], [{ job: 'job 1' }, 'pending', 2]);
  await wallet.pay(made[0].bolt11);
  assert.equal((await client.call('list_transactions')).transactions[0].payment_hash, made[0].paymentHash);
  await assert.rejects(client.call('pay_invoice', { invoice: made[1].bolt11 }), refusedWith('NOT_IMPLEMENTED'));
});

test('NWC: both encryptions are spoken, and every notification comes in both', async (t) => {
  const { wallet, client } = await open(t, 'NWC', { state: false });
  const made = await client.call('make_invoice', { amount: 5000, description: 'x' }, { encryption: 'nip04' });
  assert.deepEqual(['state' in made, 'settled_at' in made], [false, false]);
  const heard = new Map();
  const relay = await client.listenTo([23196, 23197], (event) => heard.set(event.kind, event));
  t.after(() => relay.close());
  await wallet.pay(made.invoice);
  await eventually(() => heard.size === 2, 'two notifications');
  for (const event of heard.values()) assert.equal((await client.decrypt(event)).notification.payment_hash, made.payment_hash);
});

test('Electrum: the credential is checked, and what it does not know is no request', { skip: skipWithoutElectrum }, async (t) => {
  const { client } = await open(t, 'Electrum');
  await assert.rejects(client.call('getbalance', {}, 'user:x'), refusedWith(403, /Forbidden/));
  await assert.rejects(client.call('nonsense'), refusedWith(500, /Invalid Request/));
  await assert.rejects(client.call('get_request', { request_id: 'x' }), refusedWith(1));
});

test('Electrum: an invoice runs out by itself, and can be forgotten', { skip: skipWithoutElectrum }, async (t) => {
  const { wallet, client } = await open(t, 'Electrum');
  const made = await client.create({ id: 'job 1', expiration: 1 });
  await assert.rejects(wallet.expire(made.paymentHash));
  await eventually(async () => (await client.call('get_request', { request_id: made.id })).status_str === 'Expired', 'the end of the invoice');
  await assert.rejects(wallet.pay(made.bolt11), /expired/);
  await wallet.forget(made.paymentHash);
  assert.equal(await client.look(made), undefined);
});
