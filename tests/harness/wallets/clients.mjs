// How each wallet is called, so that the tests of the stand-ins can do it without the program.
//
// A client can: create({id}) → {bolt11, paymentHash}; look(created) → {settled, preimage, receivedMsat}, or nothing for an
// invoice that is unknown there; ping(), any harmless call; listen() → a function that resolves with the payment hash that is
// pushed next; leave(). One that may spend: pay(bolt11), which fails where the payment did; sent(payment hash) → {status,
// preimage, feeMsat}, or nothing for a payment that is unknown there.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { after } from 'node:test';
import * as nip04 from 'nostr-tools/nip04';
import * as nip44 from 'nostr-tools/nip44';
import { finalizeEvent } from 'nostr-tools/pure';
import { Relay, useWebSocketImplementation } from 'nostr-tools/relay';
import WebSocket from 'ws';
import { nowSeconds } from '../customer.mjs';
import { eventually } from '../eventually.mjs';
import { startCoreLightning } from './core-lightning.mjs';
import { skipWithoutElectrum, startElectrum } from './electrum.mjs';
import { startLightningAddress } from './lightning-address.mjs';
import { randomHex, sha256OfText } from './lightning-node.mjs';
import { startLnbits } from './lnbits.mjs';
import { startLnd } from './lnd.mjs';
import { startNwc } from './nwc.mjs';
import { startPhoenixd } from './phoenixd.mjs';

useWebSocketImplementation(WebSocket);

const PATIENCE_MS = 1500;
export const PUSH_TIMEOUT_MS = 5000;
export const AMOUNT_MSAT = 21_000;

export class Refused extends Error {
  constructor(status, body) {
    super(`${status} ${JSON.stringify(body)}`);
    Object.assign(this, { status, body });
  }
}

export const base64 = (hex) => Buffer.from(hex, 'hex').toString('base64');
export const hexOf = (text) => Buffer.from(text, 'base64').toString('hex');
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

export function connectLnd({ settings, files }) {
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

export function connectClnRest({ settings, files }) {
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

export function connectPhoenixd({ settings, files }) {
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

// Electrum's daemons take seconds to start, so the tests of one file share them.
let electrum;
const sharedElectrum = async () => ({ ...(await (electrum ??= startElectrum())), close: () => {} });
after(async () => (await electrum)?.close());

// cannot: what a test must not ask of this one.
export const WALLETS = {
  LND: { start: startLnd, connect: connectLnd },
  'Core Lightning': { start: startCoreLightning, connect: connectCoreLightning, cannot: ['unauthorized'] },
  clnrest: { start: (options) => startCoreLightning({ rest: true, ...options }), connect: connectClnRest },
  phoenixd: { start: startPhoenixd, connect: connectPhoenixd },
  LNbits: { start: startLnbits, connect: connectLnbits },
  'a Lightning address': { start: startLightningAddress, connect: connectLightningAddress },
  NWC: { start: startNwc, connect: connectNwc },
  Electrum: { start: sharedElectrum, connect: connectElectrum, cannot: ['run out'], skip: skipWithoutElectrum },
};

// Opens a wallet and a client for one test.
export async function open(t, name, options) {
  const wallet = await WALLETS[name].start(options);
  t.after(wallet.close);
  const client = WALLETS[name].connect(wallet);
  t.after(() => client.leave?.());
  return { wallet, client };
}
