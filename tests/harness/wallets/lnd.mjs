// A stand-in for LND's REST proxy (0.18): HTTPS with a certificate of its own, int64 as strings, bytes as base64.
//
// What a caller may not expect: a wrong macaroon is a 500, and one without the right to a call is another; an open invoice shows
// its preimage, a stream sends not even headers before its first line, and what became of a payment is said when it has come to
// its end, however long that takes.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { LightningNode, satOf, sha256, stateOf, walletOf } from './lightning-node.mjs';
import { Reply, serveHttp } from './serving.mjs';

const STATES = { open: 'OPEN', accepted: 'ACCEPTED', settled: 'SETTLED', canceled: 'CANCELED', expired: 'CANCELED' };
const MAX_MEMO_BYTES = 639;
const DEFAULT_EXPIRY_SECONDS = 86_400;
const UNKNOWN = 2; // the gRPC codes that occur
const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const ALREADY_EXISTS = 6;
const NO_PREIMAGE = '0'.repeat(64);
const PAYMENT_STATES = { pending: 'IN_FLIGHT', complete: 'SUCCEEDED', failed: 'FAILED' };
const FAILURE_REASONS = {
  'no-route': 'FAILURE_REASON_NO_ROUTE',
  'no-balance': 'FAILURE_REASON_INSUFFICIENT_BALANCE',
  'too-expensive': 'FAILURE_REASON_NO_ROUTE',
  rejected: 'FAILURE_REASON_INCORRECT_PAYMENT_DETAILS',
};

// The macaroons that LND makes by itself, but for admin.macaroon, and the ones that the program is told to be given.
export const INVOICE_RIGHTS = ['invoices:read', 'invoices:write', 'address:read', 'address:write', 'onchain:read'];
export const READONLY_RIGHTS = ['invoices:read', 'address:read', 'onchain:read', 'offchain:read', 'info:read', 'message:read', 'peers:read'];
const RECEIVING_RIGHTS = ['invoices:read', 'invoices:write', 'info:read', 'offchain:read'];
const SPENDING_RIGHTS = ['offchain:read', 'offchain:write'];
// What each call needs, as LND's own table has it; /v1/state needs no macaroon at all.
const RIGHTS = [
  [/^GET \/v1\/getinfo$/, 'info:read'],
  [/^GET \/v1\/balance\/channels$/, 'offchain:read'],
  [/^GET \/v1\/invoices?(\/|$)/, 'invoices:read'],
  [/^POST \/v[12]\/invoices(\/|$)/, 'invoices:write'],
  [/^POST \/v2\/router\/send$/, 'offchain:write'],
  [/^GET \/v2\/router\/track\//, 'offchain:read'],
];

const base64 = (hex) => Buffer.from(hex ?? '', 'hex').toString('base64');
const hexOf = (text) => (text ? Buffer.from(text, 'base64').toString('hex') : undefined);
const refusal = (status, code, message) => new Reply(status, { code, message, details: [] });
// The answer of a call that streams: one object a line, also for an error.
const lines = (status, ...values) => new Reply(status, values.map((value) => JSON.stringify(value) + '\n').join(''), 'application/json');
const streamRefusal = (status, code, message) => lines(status, { error: { code, message, details: [] } });

// rights: of the macaroon that the program is given.
export async function startLnd({ network, port, rights = RECEIVING_RIGHTS } = {}) {
  const node = new LightningNode({ network });
  const macaroon = randomBytes(64).toString('hex');
  const spending = randomBytes(64).toString('hex');
  const rightsOf = { [macaroon]: rights, [spending]: SPENDING_RIGHTS };
  const tls = await selfSigned();
  const open = await serveHttp(node, {
    tls,
    port,
    routes: { ...state(node), ...invoices(node), ...holdInvoices(node), ...payments(node) },
    allows: (call) => call.path === '/v1/state' || allows(call, rightsOf[call.headers['grpc-metadata-macaroon']]),
    refusals: {
      unauthorized: refusal(500, UNKNOWN, 'verification failed: signature mismatch after caveat verification'),
      'error-500': refusal(500, UNKNOWN, 'the RPC server is in the process of starting up, but not yet ready to accept calls'),
      'not-found': refusal(404, NOT_FOUND, 'Not Found'),
      'bad-request': refusal(400, INVALID_ARGUMENT, 'invalid character'),
    },
  });
  return walletOf(node, open, {
    kind: 'lnd',
    settings: { 'wallet.url': `https://127.0.0.1:${open.number}` },
    files: { credential: macaroon, certificate: tls.cert },
    refundCredential: spending,
  });
}

// undefined: the macaroon is none of this node's.
function allows({ method, path }, rights) {
  if (!rights) return false;
  const needed = RIGHTS.find(([call]) => call.test(`${method} ${path}`))[1];
  if (rights.includes(needed)) return true;
  throw path.startsWith('/v2/router/') ? streamRefusal(500, UNKNOWN, 'permission denied') : refusal(500, UNKNOWN, 'permission denied');
}

// As LND makes one: for localhost, self-signed.
export async function selfSigned() {
  const args = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -keyout - -out - -subj'.split(' ');
  const { stdout } = await promisify(execFile)('openssl', [...args, '/O=lnd/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']);
  const [key, cert] = stdout.match(/-----BEGIN [^]+?-----END [A-Z ]+-----\n/g);
  return { key, cert };
}

function state(node) {
  const chain = { chain: 'bitcoin', network: node.network === 'bitcoin' ? 'mainnet' : node.network };
  const amount = (msat) => ({ sat: String(satOf(msat)), msat: String(msat) });
  return {
    'GET /v1/state': () => ({ state: 'SERVER_ACTIVE' }),
    'GET /v1/getinfo': () => ({
      version: '0.18.5-beta',
      identity_pubkey: node.id,
      alias: 'lnd',
      num_active_channels: 1,
      block_height: 800_000,
      synced_to_chain: true,
      synced_to_graph: true,
      chains: [chain],
    }),
    'GET /v1/balance/channels': () => ({
      balance: String(satOf(node.balanceMsat())),
      pending_open_balance: '0',
      local_balance: amount(node.balanceMsat()),
      remote_balance: amount(1_000_000_000),
    }),
  };
}

function invoices(node) {
  return {
    'POST /v1/invoices': ({ body }) => {
      const preimage = hexOf(body.r_preimage);
      if (preimage && preimage.length !== 64) throw refusal(500, UNKNOWN, 'invalid preimage length');
      return add(node, body, { preimage, paymentHash: preimage && sha256(preimage) });
    },
    'GET /v1/invoice/:hash': ({ params }) => shown(node, found(node, params.hash)),
    'GET /v1/invoices': ({ query }) => list(node, query),
    'GET /v1/invoices/subscribe': ({ query, response }) => subscribe(node, query, response),
  };
}

function holdInvoices(node) {
  return {
    'POST /v2/invoices/hodl': ({ body }) => {
      const { payment_request, add_index, payment_addr } = add(node, body, { paymentHash: hexOf(body.hash) });
      return { payment_request, add_index, payment_addr };
    },
    'POST /v2/invoices/settle': ({ body }) => {
      const preimage = hexOf(body.preimage);
      const invoice = found(node, sha256(preimage));
      if (stateOf(invoice) !== 'accepted') throw refusal(500, UNKNOWN, `invoice still ${stateOf(invoice)}`);
      invoice.preimage = preimage;
      node.settle(invoice);
      return {};
    },
    'POST /v2/invoices/cancel': ({ body }) => {
      const invoice = found(node, hexOf(body.payment_hash));
      if (stateOf(invoice) === 'settled') throw refusal(500, UNKNOWN, 'invoice already settled');
      invoice.canceled = true;
      return {};
    },
  };
}

function payments(node) {
  return {
    'POST /v2/router/send': async ({ body }) => {
      if (!Number(body.timeout_seconds)) throw streamRefusal(500, UNKNOWN, 'timeout_seconds must be specified');
      return follow(node, startPayment(node, body), !body.no_inflight_updates);
    },
    'GET /v2/router/track/:hash': async ({ params, query }) => {
      const payment = node.told(hexOfUrl(params.hash), ['unsupported']).at(-1);
      if (!payment) throw streamRefusal(404, NOT_FOUND, "payment isn't initiated");
      return follow(node, payment, query.no_inflight_updates !== 'true');
    },
  };
}

const hexOfUrl = (text) => Buffer.from(text, 'base64url').toString('hex');

function startPayment(node, { payment_request, fee_limit_msat = 0 }) {
  const before = node.told(payment_request).at(-1);
  if (before?.status === 'complete') throw streamRefusal(409, ALREADY_EXISTS, 'invoice is already paid');
  if (before?.status === 'pending') throw streamRefusal(409, ALREADY_EXISTS, 'payment is in transition');
  return node.send(payment_request, { maxFeeMsat: Number(fee_limit_msat) });
}

async function follow(node, payment, inFlightUpdates) {
  const begun = { result: shownPayment(node, payment) };
  const ended = { result: shownPayment(node, await payment.ended) };
  if (payment.failure === 'unsupported') throw streamRefusal(500, UNKNOWN, 'feature vector contains unknown required features: [98]');
  return inFlightUpdates ? lines(200, begun, ended) : lines(200, ended);
}

function add(node, body, { preimage, paymentHash }) {
  const memo = body.memo ?? '';
  if (Buffer.byteLength(memo) > MAX_MEMO_BYTES) throw refusal(500, UNKNOWN, `memo too large: ${memo.length} bytes (maxsize=${MAX_MEMO_BYTES})`);
  if (node.invoices.has(paymentHash)) throw refusal(500, UNKNOWN, 'invoice with payment hash already exists');
  const invoice = node.create({
    amountMsat: Number(body.value_msat ?? 0) || Number(body.value ?? 0) * 1000,
    description: memo,
    descriptionHash: hexOf(body.description_hash),
    expirySeconds: Number(body.expiry ?? 0) || DEFAULT_EXPIRY_SECONDS,
    preimage,
    paymentHash,
  });
  return {
    r_hash: base64(invoice.paymentHash),
    payment_request: invoice.bolt11,
    add_index: String(invoice.index),
    payment_addr: base64(invoice.paymentSecret),
  };
}

function found(node, hash) {
  const invoice = node.invoices.get(hash);
  if (!invoice) throw refusal(404, NOT_FOUND, 'unable to locate invoice');
  return invoice;
}

function list(node, { creation_date_start = 0, index_offset = 0, num_max_invoices = 100, reversed, pending_only }) {
  const offset = Number(index_offset);
  const backwards = reversed === 'true';
  const rows = [...node.invoices.values()]
    .filter((invoice) => invoice.createdAt >= Number(creation_date_start))
    .filter((invoice) => pending_only !== 'true' || ['open', 'accepted'].includes(stateOf(invoice)))
    .filter((invoice) => (backwards ? !offset || invoice.index < offset : invoice.index > offset));
  const page = backwards ? rows.slice(-Number(num_max_invoices)) : rows.slice(0, Number(num_max_invoices));
  return {
    invoices: page.map((invoice) => shown(node, invoice)),
    first_index_offset: String(page[0]?.index ?? 0),
    last_index_offset: String(page.at(-1)?.index ?? 0),
  };
}

// One line for each invoice that is made or settled, from now on; and first what came behind add_index and settle_index,
// where they are given and not 0.
function subscribe(node, { add_index = 0, settle_index = 0 }, response) {
  response.setHeader('Content-Type', 'application/json');
  const push = (invoice) => response.write(JSON.stringify({ result: shown(node, invoice) }) + '\n');
  if (Number(add_index)) [...node.invoices.values()].filter(({ index }) => index > Number(add_index)).forEach(push);
  if (Number(settle_index)) node.settledAfter(Number(settle_index)).forEach(push);
  node.on('created', push).on('settled', push);
  response.on('close', () => node.off('created', push).off('settled', push));
}

function shown(node, invoice) {
  const settled = stateOf(invoice) === 'settled';
  const receivedMsat = invoice.receivedMsat ?? 0;
  return {
    memo: invoice.description,
    r_preimage: base64(settled ? node.proof(invoice) : invoice.preimage),
    r_hash: base64(invoice.paymentHash),
    value: String(satOf(invoice.amountMsat ?? 0)),
    value_msat: String(invoice.amountMsat ?? 0),
    settled,
    creation_date: String(invoice.createdAt),
    settle_date: String(invoice.settledAt ?? 0),
    payment_request: invoice.bolt11,
    description_hash: base64(invoice.descriptionHash),
    expiry: String(invoice.expirySeconds),
    add_index: String(invoice.index),
    settle_index: String(invoice.settleIndex ?? 0),
    amt_paid: String(receivedMsat),
    amt_paid_sat: String(satOf(receivedMsat)),
    amt_paid_msat: String(receivedMsat),
    state: STATES[stateOf(invoice)],
    payment_addr: base64(invoice.paymentSecret),
    is_keysend: false,
    is_amp: false,
  };
}

function shownPayment(node, payment) {
  const feeMsat = payment.status === 'complete' ? payment.feeMsat : 0;
  return {
    payment_hash: payment.paymentHash,
    value: String(satOf(payment.amountMsat)),
    creation_date: String(payment.createdAt),
    fee: String(satOf(feeMsat)),
    payment_preimage: payment.preimage ? node.proof(payment) : NO_PREIMAGE,
    value_sat: String(satOf(payment.amountMsat)),
    value_msat: String(payment.amountMsat),
    payment_request: payment.bolt11,
    status: PAYMENT_STATES[payment.status],
    fee_sat: String(satOf(feeMsat)),
    fee_msat: String(feeMsat),
    creation_time_ns: `${payment.createdAt}000000000`,
    htlcs: [],
    payment_index: String(payment.index),
    failure_reason: FAILURE_REASONS[payment.failure] ?? 'FAILURE_REASON_NONE',
  };
}
