// A stand-in for LNbits (1.x): one wallet with two keys, the invoice key that is given to the program and an admin key.
//
// What a caller may not expect: `out` defaults to true, so that a request which forgets it is a payment; the preimage is
// shown before anybody paid; a wrong key is a 404, but a look-up needs none; what is received is never told, only what was
// asked for; a payment that takes long is answered before its end; one that failed is never tried again.
import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { LightningNode, satOf, stateOf, walletOf } from './lightning-node.mjs';
import { Reply, serveHttp } from './serving.mjs';

const STATUSES = { open: 'pending', settled: 'success', expired: 'failed' };
const SENT_STATUSES = { pending: 'pending', complete: 'success', failed: 'failed' };
const NOT_KEPT = ['no-balance'];
const PAY_WAIT_MS = 500; // theirs is 5 s
const RESERVE_MSAT = 2_000;
const MAX_MEMO_BYTES = 639;
const DEFAULT_EXPIRY_SECONDS = 3600;
const FILTERS = ['status', 'memo', 'payment_hash', 'checking_id'];

const detail = (status, text) => new Reply(status, { detail: text });

export async function startLnbits({ network, port } = {}) {
  const node = new LightningNode({ network });
  const invoiceKey = randomBytes(16).toString('hex');
  const adminKey = randomBytes(16).toString('hex');
  const has = (call, ...keys) => keys.includes(call.headers['x-api-key']);
  const isOpen = ({ method, path }) => method === 'WS' || (method === 'GET' && path.startsWith('/api/v1/payments/'));
  const wallet = { id: randomUUID(), invoiceKey };
  const open = await serveHttp(node, {
    port,
    routes: {
      'POST /api/v1/payments': (call) => (call.body.out === false ? create(node, wallet, call.body) : payOut(node, wallet, call.body, has(call, adminKey))),
      'GET /api/v1/payments': ({ query }) => list(node, wallet, query),
      'GET /api/v1/payments/:hash': (call) => lookUp(node, wallet, call.params.hash, has(call, invoiceKey, adminKey)),
      'GET /api/v1/wallet': () => ({ name: 'LNbits wallet', balance: node.balanceMsat() }),
      'WS /api/v1/ws/:key': ({ params, accept }) => push(node, wallet, params.key, accept),
    },
    allows: (call) => isOpen(call) || has(call, invoiceKey, adminKey),
    refusals: {
      unauthorized: detail(404, 'Wallet not found.'),
      'error-500': detail(520, 'Unable to connect to LndRestWallet.'),
      'not-found': detail(404, 'Not Found'),
      'bad-request': detail(400, 'JSON decode error'),
    },
  });
  return {
    ...walletOf(node, open, {
      kind: 'lnbits',
      settings: { 'wallet.url': `http://127.0.0.1:${open.number}` },
      files: { credential: invoiceKey },
      refundCredential: adminKey,
    }),
    adminKey,
  };
}

async function payOut(node, wallet, { bolt11 }, isAdmin) {
  if (!isAdmin) throw detail(403, 'Invoice (or Admin) key required.');
  if (!bolt11) throw detail(400, 'Missing BOLT11 invoice');
  refuseAgain(node.told(bolt11, NOT_KEPT).at(-1));
  const payment = node.send(bolt11);
  await Promise.race([payment.ended, sleep(PAY_WAIT_MS, undefined, { ref: false })]);
  if (payment.failure === 'no-balance') throw failed('Insufficient balance.', 'failed');
  if (payment.status === 'failed') throw failed(`Payment failed: ${payment.failure}`, 'failed');
  return new Reply(201, shownSent(node, wallet, payment));
}

const failed = (text, status) => new Reply(520, { detail: text, status });

function refuseAgain(payment) {
  if (payment?.status === 'pending') throw failed('Payment is still pending.', 'pending');
  if (payment?.status === 'complete') throw failed('Payment already paid.', 'success');
  if (payment) throw failed('Payment is failed node, retrying is not possible.', 'failed');
}

function create(node, wallet, { amount, unit = 'sat', memo, expiry, extra = {} }) {
  if (unit !== 'sat') throw detail(400, 'The provided unit is not supported');
  if (!(amount > 0)) throw detail(520, 'Amountless invoices not supported.');
  if (Buffer.byteLength(memo ?? '') > MAX_MEMO_BYTES) throw detail(520, 'Description is too long');
  const invoice = node.create({
    amountMsat: Math.trunc(amount) * 1000,
    description: memo ?? 'LNbits',
    expirySeconds: expiry ?? DEFAULT_EXPIRY_SECONDS,
    extra,
  });
  return new Reply(201, shown(node, wallet, invoice));
}

// The newest first. A filter is written as name=value or name[eq]=value.
function list(node, wallet, { limit, offset = 0, ...query }) {
  const filters = Object.entries(query).map(([name, value]) => [name.replace(/\[eq\]$/, ''), value]);
  const received = [...node.invoices.values()].map((invoice) => shown(node, wallet, invoice));
  const rows = [...received, ...node.told(undefined, NOT_KEPT).map((payment) => shownSent(node, wallet, payment))]
    .reverse()
    .sort((a, b) => b.time.localeCompare(a.time))
    .filter((row) => filters.every(([name, value]) => !FILTERS.includes(name) || row[name] === value));
  return rows.slice(Number(offset), limit && Number(offset) + Number(limit));
}

function lookUp(node, wallet, hash, isOwner) {
  const invoice = node.invoices.get(hash);
  const payment = node.told(hash, NOT_KEPT).at(-1);
  if (!invoice && !payment) throw detail(404, 'Payment does not exist.');
  const details = invoice ? shown(node, wallet, invoice) : shownSent(node, wallet, payment);
  return { paid: details.status === 'success', status: details.status, preimage: details.preimage, ...(isOwner && { details }) };
}

// Anybody may listen to anything; what is said there is about the wallet whose invoice key it is.
async function push(node, wallet, key, accept) {
  const socket = await accept();
  if (key !== wallet.invoiceKey) return;
  const say = (invoice) =>
    socket.send(JSON.stringify({ wallet_balance: satOf(node.balanceMsat()), payment: shown(node, wallet, invoice) }));
  node.on('settled', say);
  socket.on('close', () => node.off('settled', say));
}

const iso = (seconds) => new Date(seconds * 1000).toISOString().replace('.000Z', '+00:00');

function shown(node, wallet, invoice) {
  const status = STATUSES[stateOf(invoice)];
  return {
    checking_id: invoice.paymentHash,
    payment_hash: invoice.paymentHash,
    wallet_id: wallet.id,
    amount: invoice.amountMsat,
    fee: 0,
    bolt11: invoice.bolt11,
    payment_request: invoice.bolt11,
    status,
    memo: invoice.description,
    expiry: iso(invoice.expiresAt),
    preimage: status === 'success' ? node.proof(invoice) : invoice.preimage,
    extra: invoice.extra,
    time: iso(invoice.createdAt),
    created_at: iso(invoice.createdAt),
    updated_at: iso(invoice.settledAt ?? invoice.createdAt),
  };
}

// Amount and fee are below zero; the fee is what is set aside until it is known.
function shownSent(node, wallet, payment) {
  const time = iso(payment.createdAt);
  return {
    checking_id: payment.paymentHash,
    payment_hash: payment.paymentHash,
    wallet_id: wallet.id,
    amount: -payment.amountMsat,
    fee: -(payment.status === 'complete' ? payment.feeMsat : RESERVE_MSAT),
    bolt11: payment.bolt11,
    payment_request: payment.bolt11,
    status: SENT_STATUSES[payment.status],
    memo: '',
    expiry: null,
    preimage: payment.status === 'complete' ? node.proof(payment) : null,
    extra: {},
    time,
    created_at: time,
    updated_at: iso(payment.endedAt ?? payment.createdAt),
  };
}
