// A stand-in for Core Lightning (24.11): lightningd's unix socket, or clnrest over HTTP.
//
// The socket speaks JSON-RPC 2.0: requests are objects one behind the other, answers end in a blank line, and an answer may
// overtake another. A wrong credential is unheard of there, so 'unauthorized' is a fault of clnrest alone.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LightningNode, randomHex, sha256, stateOf, walletOf } from './lightning-node.mjs';
import { endCall, openPort, Reply, serveHttp } from './serving.mjs';

const REJECTED_BY_DESTINATION = 203;
const ROUTE_NOT_FOUND = 205;
const ROUTE_TOO_EXPENSIVE = 206;
const DUPLICATE_LABEL = 900;
const DUPLICATE_PREIMAGE = 901;
const WAIT_TIMED_OUT = 904;
const UNKNOWN_METHOD = -32601;
const INVALID_PARAMS = -32602;
const MAX_DESCRIPTION_BYTES = 639;
const DEFAULT_EXPIRY_SECONDS = 604_800;
const STATUSES = { open: 'unpaid', expired: 'expired', settled: 'paid' };
const PAY_PARAMETERS = ['bolt11', 'amount_msat', 'label', 'riskfactor', 'maxfeepercent', 'retry_for', 'maxdelay', 'exemptfee', 'exclude', 'maxfee', 'description'];
const FAILURES = {
  'no-route': [ROUTE_NOT_FOUND, 'Ran out of routes to try after 1 attempt: see `paystatus`'],
  'no-balance': [ROUTE_NOT_FOUND, 'Insufficient funds to perform the payment'],
  'too-expensive': [ROUTE_TOO_EXPENSIVE, 'Fee exceeds our fee budget'],
  unsupported: [INVALID_PARAMS, 'Invalid bolt11: 9: unknown feature bit 98'],
  rejected: [REJECTED_BY_DESTINATION, 'Destination said it doesn\'t know invoice: WIRE_INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS'],
};

class RpcError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
  toJSON() {
    return { code: this.code, message: this.message };
  }
}

const LIGHTNINGD_FAILED = new RpcError(-1, 'Error reading from the database');

// rest: whether to serve clnrest, else the unix socket.
export async function startCoreLightning({ network, port, rest = false } = {}) {
  const node = new LightningNode({ network });
  return rest ? startRest(node, port) : startSocket(node);
}

// ---- what it knows how to do ------------------------------------------------------------------------------------------

function methodsOf(node) {
  return {
    invoice: (params) => createInvoice(node, params),
    listinvoices: (params) => listInvoices(node, params),
    waitanyinvoice: (params, connection) => waitAnyInvoice(node, params, connection),
    pay: (params) => pay(node, params),
    listpays: (params) => listPays(node, params),
    getinfo: () => ({ id: node.id, alias: 'cln', version: 'v24.11', network: node.network, blockheight: 800_000, num_active_channels: 1 }),
    listfunds: () => ({
      outputs: [],
      channels: [{ peer_id: node.id, connected: true, state: 'CHANNELD_NORMAL', our_amount_msat: node.balanceMsat(), amount_msat: 2 * node.balanceMsat() }],
    }),
  };
}

async function call(node, connection, method, params = {}) {
  const work = methodsOf(node)[method];
  if (!work) throw new RpcError(UNKNOWN_METHOD, `Unknown command '${method}'`);
  return work(params, connection);
}

function createInvoice(node, { amount_msat, label, description, expiry = DEFAULT_EXPIRY_SECONDS, preimage }) {
  for (const [name, value] of Object.entries({ amount_msat, label, description })) {
    if (value === undefined) throw new RpcError(INVALID_PARAMS, `missing required parameter: ${name}`);
  }
  if (Buffer.byteLength(description) > MAX_DESCRIPTION_BYTES) throw new RpcError(INVALID_PARAMS, 'description: should be shorter');
  // The preimage comes first, then the label.
  if (preimage && node.invoices.has(sha256(preimage))) throw new RpcError(DUPLICATE_PREIMAGE, 'preimage already used');
  if ([...node.invoices.values()].some((other) => other.label === String(label))) throw new RpcError(DUPLICATE_LABEL, `Duplicate label '${label}'`);
  const amountMsat = amount_msat === 'any' ? undefined : Number(String(amount_msat).replace(/msat$/, ''));
  const invoice = node.create({ amountMsat, description, expirySeconds: Number(expiry), preimage, label: String(label) });
  return {
    payment_hash: invoice.paymentHash,
    expires_at: invoice.expiresAt,
    bolt11: invoice.bolt11,
    payment_secret: invoice.paymentSecret,
    created_index: invoice.index,
    warning_capacity: 'Insufficient incoming channel capacity to pay invoice',
  };
}

function listInvoices(node, { label, payment_hash, invstring, index, start = 0, limit = Infinity }) {
  const rows = [...node.invoices.values()].filter(
    (invoice) =>
      (label === undefined || invoice.label === String(label)) &&
      (payment_hash === undefined || invoice.paymentHash === payment_hash) &&
      (invstring === undefined || invoice.bolt11 === invstring) &&
      (index === undefined || invoice.index >= start),
  );
  return { invoices: rows.slice(0, limit).map((invoice) => shown(node, invoice)) };
}

// The first that was paid behind lastpay_index, as soon as there is one. Nobody waits on for a caller that went away.
function waitAnyInvoice(node, { lastpay_index = 0, timeout }, connection) {
  return new Promise((done, failed) => {
    const giveUp = () => end(failed, new RpcError(WAIT_TIMED_OUT, 'Timed out'));
    const timer = timeout === undefined ? undefined : setTimeout(giveUp, timeout * 1000);
    function end(how, value) {
      node.off('settled', look);
      connection.off('close', giveUp);
      clearTimeout(timer);
      how(value);
    }
    function look() {
      const [invoice] = node.settledAfter(Number(lastpay_index));
      if (invoice) end(done, shown(node, invoice));
    }
    node.on('settled', look);
    connection.on('close', giveUp);
    look();
  });
}

// What was paid before is said again, and not paid again. A payment goes on when who asked for it goes away.
async function pay(node, params) {
  const unknown = Object.keys(params).find((name) => !PAY_PARAMETERS.includes(name));
  if (unknown) throw new RpcError(INVALID_PARAMS, `unknown parameter: ${unknown}`);
  if (!params.bolt11) throw new RpcError(INVALID_PARAMS, 'missing required parameter: bolt11');
  const before = node.told(params.bolt11).find(({ status }) => status !== 'failed');
  const maxFeeMsat = params.maxfee === undefined ? Infinity : Number(String(params.maxfee).replace(/msat$/, ''));
  const payment = await (before ?? node.send(params.bolt11, { maxFeeMsat })).ended;
  if (payment.status === 'failed') throw new RpcError(...FAILURES[payment.failure]);
  return {
    payment_hash: payment.paymentHash,
    created_at: payment.createdAt,
    parts: 1,
    amount_msat: payment.amountMsat,
    amount_sent_msat: payment.amountMsat + payment.feeMsat,
    payment_preimage: node.proof(payment),
    status: 'complete',
  };
}

// Those alone of which a part was sent.
function listPays(node, { payment_hash, bolt11, status }) {
  const rows = node.told(payment_hash ?? bolt11, ['no-balance', 'too-expensive', 'unsupported']).filter((payment) => !status || payment.status === status);
  return { pays: rows.map((payment) => shownPay(node, payment)) };
}

function shownPay(node, payment) {
  const complete = payment.status === 'complete' && { completed_at: payment.endedAt, preimage: node.proof(payment), amount_msat: payment.amountMsat };
  return {
    bolt11: payment.bolt11,
    payment_hash: payment.paymentHash,
    status: payment.status,
    created_at: payment.createdAt,
    ...complete,
    amount_sent_msat: payment.amountMsat + payment.feeMsat,
    created_index: payment.index,
  };
}

function shown(node, invoice) {
  const paid = stateOf(invoice) === 'settled' && {
    pay_index: invoice.settleIndex,
    amount_received_msat: invoice.receivedMsat,
    paid_at: invoice.settledAt,
    payment_preimage: node.proof(invoice),
  };
  return {
    label: invoice.label,
    bolt11: invoice.bolt11,
    payment_hash: invoice.paymentHash,
    amount_msat: invoice.amountMsat,
    status: STATUSES[stateOf(invoice)],
    ...paid,
    description: invoice.description,
    expires_at: invoice.expiresAt,
    created_index: invoice.index,
  };
}

// ---- the unix socket ----------------------------------------------------------------------------------------------------

async function startSocket(node) {
  const folder = await mkdtemp(join(tmpdir(), 'cln-'));
  const path = join(folder, node.network, 'lightning-rpc');
  await mkdir(join(folder, node.network));
  const server = createServer((socket) => {
    socket.setMaxListeners(0); // one for each pipelined wait
    let text = '';
    socket.setEncoding('utf8').on('data', (part) => {
      const { objects, rest } = splitObjects(text + part);
      text = rest;
      objects.forEach((object) => answer(node, socket, JSON.parse(object)));
    });
  });
  const open = await openPort(server, { path });
  const wallet = walletOf(node, open, { kind: 'core_lightning', settings: { 'wallet.socket': path }, files: {} });
  async function close() {
    await open.down();
    await rm(folder, { recursive: true });
  }
  return { ...wallet, close };
}

function answer(node, socket, { id, method, params }) {
  const say = (body) => socket.write(JSON.stringify({ jsonrpc: '2.0', id, ...body }) + '\n\n');
  return endCall(node.receive({ method, body: params }), {
    work: () => call(node, socket, method, params).then((result) => ({ result }), (error) => ({ error })),
    answer: say,
    refuse: () => say({ error: LIGHTNINGD_FAILED }),
    garble: () => socket.write('this is no JSON\n\n'),
    drop: () => socket.destroy(),
  });
}

// The whole objects at the start of a text, and what is left.
function splitObjects(text) {
  const objects = [];
  let depth = 0;
  let start = 0;
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}]/g)) {
    if (token === '{' && depth++ === 0) start = index;
    if (token === '}' && --depth === 0) objects.push(text.slice(start, (start = index + 1)));
  }
  return { objects, rest: text.slice(start) };
}

// ---- clnrest --------------------------------------------------------------------------------------------------------------

async function startRest(node, port) {
  const rune = Buffer.from(randomHex(), 'hex').toString('base64url');
  const open = await serveHttp(node, {
    port,
    routes: {
      'POST /v1/:method': ({ params, body, response }) =>
        call(node, response, params.method, body).then(
          (result) => new Reply(201, result),
          (error) => new Reply(error.code === UNKNOWN_METHOD ? 404 : 500, error),
        ),
    },
    allows: ({ headers }) => headers.rune === rune,
    refusals: {
      unauthorized: new Reply(401, { code: 1502, message: 'Rune is not valid' }),
      'error-500': new Reply(500, LIGHTNINGD_FAILED),
      'not-found': new Reply(404, { code: UNKNOWN_METHOD, message: 'Path not registered' }),
      'bad-request': new Reply(500, { code: INVALID_PARAMS, message: 'Could not read request body' }),
    },
  });
  return walletOf(node, open, {
    kind: 'core_lightning',
    settings: { 'wallet.url': `http://127.0.0.1:${open.number}` },
    files: { credential: rune },
  });
}
