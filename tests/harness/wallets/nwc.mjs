// A wallet behind Nostr Wallet Connect (NIP-47): the NWCWalletService of @getalby/sdk over a relay of its own, with our book
// of invoices behind it. It has two connections, each with its own keys: one that receives, and one that may spend.
//
// What a caller may not expect: its answers have an `e` tag but no `p` tag, who says no encryption gets NIP-04, every
// notification comes in both encryptions, and after a lost connection it is deaf for a second. As with Alby Hub, nothing but a
// payment that is held can be settled or canceled, not even a second time, and what was canceled is "failed".
import '../webcrypto.mjs';
import { getPublicKey } from 'nostr-tools/pure';
import WebSocket from 'ws';
import { eventually } from '../eventually.mjs';
import { startRelay } from '../relay.mjs';
import { LightningNode, nowSeconds, randomHex, sha256, stateOf, walletOf } from './lightning-node.mjs';
import { endCall } from './serving.mjs';

// The SDK looks for it when it is loaded; Node has it since 22.
globalThis.WebSocket ??= WebSocket;
const { NWCWalletService, NWCWalletServiceKeyPair } = await import('@getalby/sdk/nwc');

const REQUEST_KIND = 23194;
const NOTIFICATION_KINDS = { nip44_v2: 23197, nip04: 23196 };
const RECEIVING = ['get_info', 'get_balance', 'make_invoice', 'lookup_invoice', 'list_transactions'];
const HOLDING = ['make_hold_invoice', 'settle_hold_invoice', 'cancel_hold_invoice'];
const SPENDING = ['get_info', 'pay_invoice', 'lookup_invoice'];
const SENT_STATES = { pending: 'pending', complete: 'settled', failed: 'failed' };
const STATES = { open: 'pending', accepted: 'accepted', settled: 'settled', canceled: 'failed', expired: 'expired' };
const BLOCK_HEIGHT = 800_000;
const CLTV_EXPIRY_DELTA = 18; // where none is asked for
const NO_JSON = 'this is no JSON';

// Says NO_JSON where that is the answer; the SDK alone can say nothing but JSON. And its list of methods has no hold invoices:
// a request for one goes in whole as a sign_message, which we have no other use for, and its answer says what it was.
class Service extends NWCWalletService {
  encrypt(keys, content, encryption) {
    return super.encrypt(keys, content.includes(NO_JSON) ? NO_JSON : content, encryption);
  }

  async decrypt(keys, content, encryption) {
    const text = await super.decrypt(keys, content, encryption);
    const request = JSON.parse(text);
    return HOLDING.includes(request.method) ? JSON.stringify({ method: 'sign_message', params: request }) : text;
  }
}

// One connection of an app's to the wallet.
async function openConnection(url, methods, notifications, handler) {
  const walletSecret = randomHex();
  const clientSecret = randomHex();
  const keys = new NWCWalletServiceKeyPair(walletSecret, getPublicKey(Buffer.from(clientSecret, 'hex')));
  const service = new Service({ relayUrl: url });
  const unsubscribe = await service.subscribe(keys, handler);
  return {
    uri: `nostr+walletconnect://${keys.walletPubkey}?relay=${encodeURIComponent(url)}&secret=${clientSecret}`,
    connected: () => service.connected,
    announce: () => service.publishWalletServiceInfoEvent(walletSecret, methods, notifications),

    // Nobody hears it while the relay is away, as in the wild.
    async notify(type, invoice) {
      const content = JSON.stringify({ notification_type: type, notification: invoice });
      for (const [encryption, kind] of Object.entries(NOTIFICATION_KINDS)) {
        const event = { kind, created_at: nowSeconds(), tags: [['p', keys.clientPubkey]], content: await service.encrypt(keys, content, encryption) };
        const signed = await service.signEvent(event, walletSecret);
        if (service.connected) await service.relay.publish(signed).catch(() => {}); // it may go meanwhile
      }
    },
    close() {
      unsubscribe();
      service.close();
    },
  };
}

// state: false for a wallet that tells settlement by settled_at alone. notifications: false for one that pushes nothing. holds:
// true for one that makes hold invoices.
export async function startNwc({ network, port, state = true, notifications = true, holds = false } = {}) {
  const node = new LightningNode({ network });
  let relay = await startRelay({ port });
  const { url } = relay;
  const handle = handlerOf(node, () => relay.dropConnections());
  const methods = holds ? [...RECEIVING, ...HOLDING] : RECEIVING;
  const pushed = ['payment_received', ...(holds ? ['hold_invoice_accepted'] : [])];
  const handlers = { ...whatReceives(node, methods, state, handle), ...(holds && { signMessage: whatHolds(node, state, handle) }) };
  const receiving = await openConnection(url, methods, notifications ? pushed : [], handlers);
  const spending = await openConnection(url, SPENDING, [], whatSpends(node, state, handle));
  const connections = [receiving, spending];

  // After a lost connection the wallet is deaf for a second; a request that it does not hear costs its sender ten.
  const listens = () => eventually(() => relay.subscribed(REQUEST_KIND) === connections.length, 'the wallet to listen');

  async function announce() {
    await listens();
    await Promise.all(connections.map((connection) => connection.announce()));
  }

  async function down() {
    await relay.close();
    await eventually(() => !connections.some((connection) => connection.connected()), 'the wallet to notice');
  }

  async function up() {
    relay = await startRelay({ port: Number(new URL(url).port) });
    await announce();
  }

  if (notifications) node.on('settled', (invoice) => receiving.notify('payment_received', shown(node, invoice, state)));

  async function pay(text, options) {
    const paid = node.pay(text, options);
    const invoice = node.find(text);
    if (notifications && stateOf(invoice) === 'accepted') await receiving.notify('hold_invoice_accepted', shown(node, invoice, state));
    return paid;
  }

  await announce();
  return {
    ...walletOf(node, { up, down }, { kind: 'nwc', files: { credential: receiving.uri }, refundCredential: spending.uri }),
    pay,
    listens,
    async close() {
      connections.forEach((connection) => connection.close());
      await relay.close();
    },
  };
}

// What the SDK calls for each method. A promise that never ends is an answer that never comes.
function handlerOf(node, drop) {
  const refusals = {
    'error-500': { error: { code: 'INTERNAL', message: 'something went wrong' } },
    unauthorized: { error: { code: 'UNAUTHORIZED', message: 'this connection is not known' } },
  };
  return (method, work) => (params) =>
    new Promise((answer) => {
      endCall(node.receive({ method, body: params }), {
        work: () => work(params),
        answer,
        refuse: (fault) => answer(refusals[fault]),
        garble: () => answer({ result: NO_JSON }),
        drop,
      });
    });
}

const infoOf = (node, methods) => ({ result: { alias: 'nwc', pubkey: node.id, network: networkOf(node), block_height: BLOCK_HEIGHT, methods } });

function whatReceives(node, methods, state, handle) {
  return {
    getInfo: handle('get_info', () => infoOf(node, methods)),
    getBalance: handle('get_balance', () => ({ result: { balance: node.balanceMsat() } })),
    makeInvoice: handle('make_invoice', (params) => make(node, params, state)),
    lookupInvoice: handle('lookup_invoice', (params) => lookUp(node, params, state)),
    listTransactions: handle('list_transactions', (params) => list(node, params, state)),
  };
}

// Of a request as Service lets it in.
function whatHolds(node, state, handle) {
  const handlers = {
    make_hold_invoice: handle('make_hold_invoice', (params) => makeHold(node, params, state)),
    settle_hold_invoice: handle('settle_hold_invoice', (params) => settleHold(node, params)),
    cancel_hold_invoice: handle('cancel_hold_invoice', (params) => cancelHold(node, params)),
  };
  return async ({ method, params }) => handlers[method] && { result_type: method, ...(await handlers[method](params)) };
}

// It sees its own payments alone.
function whatSpends(node, state, handle) {
  return {
    getInfo: handle('get_info', () => infoOf(node, SPENDING)),
    payInvoice: handle('pay_invoice', (params) => pay(node, params)),
    lookupInvoice: handle('lookup_invoice', (params) => lookUpSent(node, params, state)),
  };
}

const networkOf = (node) => (node.network === 'bitcoin' ? 'mainnet' : node.network);

// more: what an invoice has where its payment is to be held.
function make(node, { amount, description, description_hash, expiry, metadata }, state, more = {}) {
  const invoice = node.create({ amountMsat: amount, description, descriptionHash: description_hash, expirySeconds: expiry, metadata, ...more });
  return { result: shown(node, invoice, state) };
}

function makeHold(node, { payment_hash, min_cltv_expiry_delta = CLTV_EXPIRY_DELTA, ...params }, state) {
  if (!payment_hash) return { error: { code: 'OTHER', message: 'payment_hash is required' } };
  if (node.invoices.has(payment_hash)) return { error: { code: 'OTHER', message: 'invoice with payment hash already exists' } };
  return make(node, params, state, { paymentHash: payment_hash, settleDeadline: BLOCK_HEIGHT + min_cltv_expiry_delta });
}

function settleHold(node, { preimage }) {
  const invoice = node.invoices.get(sha256(preimage));
  if (!isHeld(invoice)) return { error: { code: 'OTHER', message: 'failed to find accepted hold invoice' } };
  invoice.preimage = preimage;
  node.settle(invoice);
  return { result: {} };
}

function cancelHold(node, { payment_hash }) {
  const invoice = node.invoices.get(payment_hash);
  if (!isHeld(invoice)) return { error: { code: 'NOT_FOUND', message: 'failed to find accepted hold invoice' } };
  invoice.canceled = true;
  return { result: {} };
}

const isHeld = (invoice) => invoice !== undefined && stateOf(invoice) === 'accepted';

function lookUp(node, { payment_hash, invoice: text }, state) {
  const invoice = payment_hash ? node.invoices.get(payment_hash) : node.find(text);
  if (!invoice) return { error: { code: 'NOT_FOUND', message: 'this invoice was not found' } };
  return { result: shown(node, invoice, state) };
}

async function pay(node, { invoice }) {
  const before = node.told(invoice).find(({ status }) => status !== 'failed');
  if (before) return { error: { code: 'OTHER', message: 'this invoice has already been paid' } };
  const payment = await node.send(invoice).ended;
  if (payment.failure === 'no-balance') return { error: { code: 'INSUFFICIENT_BALANCE', message: 'not enough funds' } };
  if (payment.status === 'failed') return { error: { code: 'PAYMENT_FAILED', message: payment.failure } };
  return { result: { preimage: node.proof(payment), fees_paid: payment.feeMsat } };
}

function lookUpSent(node, { payment_hash, invoice: text }, state) {
  const payment = node.told(payment_hash ?? text, ['no-balance', 'unsupported']).at(-1);
  if (!payment) return { error: { code: 'NOT_FOUND', message: 'this payment was not found' } };
  return { result: shownSent(node, payment, state) };
}

function shownSent(node, payment, state) {
  const settled = payment.status === 'complete';
  return {
    type: 'outgoing',
    state: state ? SENT_STATES[payment.status] : undefined,
    invoice: payment.bolt11,
    preimage: settled ? node.proof(payment) : undefined,
    payment_hash: payment.paymentHash,
    amount: payment.amountMsat,
    fees_paid: settled ? payment.feeMsat : 0,
    created_at: payment.createdAt,
    settled_at: settled ? payment.endedAt : undefined,
  };
}

// The newest first; only what was paid, unless unpaid is asked for.
function list(node, { from = 0, until = Infinity, limit = 20, offset = 0, unpaid = false, type }, state) {
  const rows = [...node.invoices.values()]
    .filter((invoice) => (unpaid || stateOf(invoice) === 'settled') && type !== 'outgoing')
    .filter((invoice) => invoice.createdAt >= from && invoice.createdAt <= until)
    .reverse();
  const page = rows.slice(offset, offset + limit);
  return { result: { transactions: page.map((invoice) => shown(node, invoice, state)), total_count: rows.length } };
}

function shown(node, invoice, state) {
  const settled = stateOf(invoice) === 'settled';
  return {
    type: 'incoming',
    state: state ? STATES[stateOf(invoice)] : undefined,
    invoice: invoice.bolt11,
    description: invoice.description,
    description_hash: invoice.descriptionHash,
    preimage: settled ? node.proof(invoice) : undefined,
    payment_hash: invoice.paymentHash,
    amount: invoice.receivedMsat ?? invoice.amountMsat ?? 0,
    fees_paid: 0,
    created_at: invoice.createdAt,
    expires_at: invoice.expiresAt,
    settled_at: settled ? invoice.settledAt : undefined,
    settle_deadline: isHeld(invoice) ? invoice.settleDeadline : undefined,
    metadata: invoice.metadata,
  };
}
