// A stand-in for phoenixd (0.6): Basic authentication by password alone, forms in, JSON out, whole sats.
//
// What a caller may not expect: the preimage is shown before anybody paid, an external id may occur twice, fees are kept
// back from what is received, absent fields are left out, refusals are plain text, and a payment that failed is a 200.
//
// It has two passwords; with the limited one it cannot be made to pay.
import { LightningNode, randomHex, satOf, stateOf, walletOf } from './lightning-node.mjs';
import { Reply, serveHttp } from './serving.mjs';

const MAX_DESCRIPTION_CHARACTERS = 128;
const DEFAULT_LIST_LIMIT = 20;
const REASONS = {
  'no-route': 'the recipient was offline or did not have enough liquidity to receive the payment',
  'no-balance': 'not enough funds in wallet to afford payment',
  unsupported: 'the invoice requires features that this wallet does not support',
  rejected: 'the recipient rejected the payment: the invoice may already be paid or expired',
};
const feeOf = (amountMsat) => 4_000 + Math.floor(amountMsat / 250);

export async function startPhoenixd({ network, port } = {}) {
  const node = new LightningNode({ network });
  const password = randomHex();
  const fullPassword = randomHex();
  const open = await serveHttp(node, {
    port,
    spaces: 4,
    routes: { ...state(node), ...invoices(node), ...payments(node), 'WS /websocket': ({ accept }) => push(node, accept) },
    allows: ({ path, headers }) => (path === '/payinvoice' ? [fullPassword] : [password, fullPassword]).includes(passwordOf(headers)),
    refusals: {
      unauthorized: new Reply(401, 'Invalid authentication (use basic auth with the http password set in phoenix.conf)'),
      'error-500': new Reply(500, 'database is locked'),
      'not-found': new Reply(404, 'Unknown endpoint (check api doc)'),
      'bad-request': new Reply(400, 'Invalid request'),
    },
  });
  return walletOf(node, open, {
    kind: 'phoenixd',
    settings: { 'wallet.url': `http://127.0.0.1:${open.number}` },
    files: { credential: password },
    refundCredential: fullPassword,
  });
}

function passwordOf({ authorization = '' }) {
  const [, pair] = /^Basic (.*)$/i.exec(authorization) ?? [];
  return pair && Buffer.from(pair, 'base64').toString().split(':').slice(1).join(':');
}

function state(node) {
  return {
    'GET /getinfo': () => ({
      nodeId: node.id,
      channels: [{ state: 'Normal', balanceSat: satOf(node.balanceMsat()), inboundLiquiditySat: 1_000_000 }],
      chain: node.network === 'bitcoin' ? 'mainnet' : node.network,
      blockHeight: 800_000,
      version: '0.6.2',
    }),
    'GET /getbalance': () => ({ balanceSat: satOf(node.balanceMsat()), feeCreditSat: 0 }),
  };
}

function invoices(node) {
  return {
    'POST /createinvoice': ({ body }) => create(node, body),
    'GET /payments/incoming': ({ query }) => list(node, query),
    'GET /payments/incoming/:hash': ({ params }) => {
      const invoice = node.invoices.get(params.hash);
      if (!invoice) throw new Reply(404, 'Unknown endpoint (check api doc)'); // that is what it says
      return shown(node, invoice);
    },
  };
}

function payments(node) {
  return {
    'POST /payinvoice': ({ body }) => payInvoice(node, body),
    'GET /payments/outgoingbyhash/:hash': ({ params }) => {
      const payment = best(node.told(params.hash, ['unsupported']));
      if (!payment) throw new Reply(404, 'Not found');
      return shownSent(node, payment);
    },
  };
}

// Of several payments to a hash the one that counts.
const best = (payments) => ['complete', 'pending', 'failed'].map((status) => payments.find((payment) => payment.status === status)).find(Boolean);

async function payInvoice(node, { invoice }) {
  if (!/^ln/i.test(invoice ?? '')) throw new Reply(400, 'Parameter invoice is invalid (expected bolt11invoice)');
  const before = node.told(invoice).find(({ status }) => status === 'complete');
  if (before) return { paymentHash: before.paymentHash, reason: 'this invoice has already been paid' };
  const payment = await node.send(invoice, { feeOf }).ended;
  if (payment.status === 'failed') return { paymentHash: payment.paymentHash, reason: REASONS[payment.failure] };
  return {
    recipientAmountSat: satOf(payment.amountMsat),
    routingFeeSat: satOf(payment.feeMsat),
    paymentId: payment.id,
    paymentHash: payment.paymentHash,
    paymentPreimage: node.proof(payment),
  };
}

function create(node, { amountSat, description, descriptionHash, expirySeconds, externalId }) {
  if ((description === undefined) === (descriptionHash === undefined)) throw new Reply(400, 'Must provide either a description or descriptionHash');
  if (description?.length > MAX_DESCRIPTION_CHARACTERS) {
    throw new Reply(400, `Request parameter description is too long (max ${MAX_DESCRIPTION_CHARACTERS} characters)`);
  }
  if (!/^[0-9]*$/.test(amountSat ?? '')) throw new Reply(400, 'Parameter amountSat is invalid (expected integer)');
  const invoice = node.create({
    amountMsat: Number(amountSat ?? 0) * 1000,
    description,
    descriptionHash,
    expirySeconds: Number(expirySeconds ?? 3600),
    externalId: externalId || undefined,
  });
  return { amountSat: invoice.amountMsat && satOf(invoice.amountMsat), paymentHash: invoice.paymentHash, serialized: invoice.bolt11 };
}

// The newest first; only what was received, unless all is asked for. from and to are milliseconds.
function list(node, { all, externalId, from = 0, to = Date.now(), limit = DEFAULT_LIST_LIMIT, offset = 0 }) {
  const rows = [...node.invoices.values()]
    .filter((invoice) => all === 'true' || stateOf(invoice) === 'settled')
    .filter((invoice) => !externalId || invoice.externalId === externalId)
    .filter((invoice) => invoice.createdAt * 1000 >= Number(from) && invoice.createdAt * 1000 <= Number(to))
    .reverse();
  return rows.slice(Number(offset), Number(offset) + Number(limit)).map((invoice) => shown(node, invoice));
}

async function push(node, accept) {
  const socket = await accept();
  const say = (invoice) =>
    socket.send(
      JSON.stringify({
        type: 'payment_received',
        timestamp: Date.now(),
        amountSat: receivedSat(invoice),
        paymentHash: invoice.paymentHash,
        externalId: invoice.externalId,
      }),
    );
  node.on('settled', say);
  socket.on('close', () => node.off('settled', say));
}

const receivedSat = (invoice) => satOf(invoice.receivedMsat - invoice.feeMsat);

function shown(node, invoice) {
  const isPaid = stateOf(invoice) === 'settled';
  return {
    type: 'incoming_payment',
    subType: 'lightning',
    paymentHash: invoice.paymentHash,
    preimage: isPaid ? node.proof(invoice) : invoice.preimage,
    externalId: invoice.externalId,
    description: invoice.description,
    invoice: invoice.bolt11,
    isPaid,
    isExpired: stateOf(invoice) === 'expired',
    requestedSat: invoice.amountMsat && satOf(invoice.amountMsat),
    receivedSat: isPaid ? receivedSat(invoice) : 0,
    fees: invoice.feeMsat ?? 0, // msat
    expiresAt: invoice.expiresAt * 1000,
    completedAt: isPaid ? invoice.settledAt * 1000 : undefined,
    createdAt: invoice.createdAt * 1000,
  };
}

function shownSent(node, payment) {
  const isPaid = payment.status === 'complete';
  return {
    type: 'outgoing_payment',
    subType: 'lightning',
    paymentId: payment.id,
    paymentHash: payment.paymentHash,
    preimage: isPaid ? node.proof(payment) : undefined,
    isPaid,
    sent: satOf(payment.amountMsat + (isPaid ? payment.feeMsat : 0)),
    fees: isPaid ? payment.feeMsat : 0, // msat
    invoice: payment.bolt11,
    completedAt: payment.endedAt && payment.endedAt * 1000,
    createdAt: payment.createdAt * 1000,
  };
}
