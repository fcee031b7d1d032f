// A wallet behind Nostr Wallet Connect (NIP-47): the NWCWalletService of @getalby/sdk over a relay of its own, with our book
// of invoices behind it.
//
// What a caller may not expect: its answers have an `e` tag but no `p` tag, who says no encryption gets NIP-04, every
// notification comes in both encryptions, and after a lost connection it is deaf for a second.
import { webcrypto } from 'node:crypto';
import { getPublicKey } from 'nostr-tools/pure';
import WebSocket from 'ws';
import { eventually } from '../provider.mjs';
import { startRelay } from '../relay.mjs';
import { endCall, LightningNode, randomHex, stateOf, walletOf } from './node.mjs';

// The SDK looks for these when it is loaded; Node has them since 22 and since 20.
globalThis.WebSocket ??= WebSocket;
globalThis.crypto ??= webcrypto;
const { NWCWalletService, NWCWalletServiceKeyPair } = await import('@getalby/sdk/nwc');

const REQUEST_KIND = 23194;
const NOTIFICATION_KINDS = { nip44_v2: 23197, nip04: 23196 };
const METHODS = ['get_info', 'get_balance', 'make_invoice', 'lookup_invoice', 'list_transactions'];
const STATES = { open: 'pending', settled: 'settled', expired: 'expired' };
const NO_JSON = 'this is no JSON';

// Says NO_JSON where that is the answer; the SDK alone can say nothing but JSON.
class Service extends NWCWalletService {
  encrypt(keys, content, encryption) {
    return super.encrypt(keys, content.includes(NO_JSON) ? NO_JSON : content, encryption);
  }
}

// state: false for a wallet that tells settlement by settled_at alone. notifications: false for one that pushes nothing.
export async function startNwc({ network, port, state = true, notifications = true } = {}) {
  const node = new LightningNode({ network });
  const walletSecret = randomHex();
  const clientSecret = randomHex();
  const keys = new NWCWalletServiceKeyPair(walletSecret, getPublicKey(Buffer.from(clientSecret, 'hex')));
  let relay = await startRelay({ port });
  const { url } = relay;
  const service = new Service({ relayUrl: url });

  async function announce() {
    await eventually(() => relay.subscribed(REQUEST_KIND) > 0, 'the wallet to listen');
    await service.publishWalletServiceInfoEvent(walletSecret, METHODS, notifications ? ['payment_received'] : []);
  }

  async function down() {
    await relay.close();
    await eventually(() => !service.connected, 'the wallet to notice');
  }

  async function up() {
    relay = await startRelay({ port: Number(new URL(url).port) });
    await announce();
  }

  // Nobody hears it while the relay is away, as in the wild.
  async function notify(invoice) {
    if (!service.connected) return;
    const content = JSON.stringify({ notification_type: 'payment_received', notification: shown(node, invoice, state) });
    for (const [encryption, kind] of Object.entries(NOTIFICATION_KINDS)) {
      const event = { kind, created_at: invoice.settledAt, tags: [['p', keys.clientPubkey]], content: await service.encrypt(keys, content, encryption) };
      await service.relay.publish(await service.signEvent(event, walletSecret));
    }
  }

  if (notifications) node.on('settled', notify);
  const unsubscribe = await service.subscribe(keys, handlerOf(node, state, () => relay.dropConnections()));
  await announce();
  return {
    ...walletOf(node, { up, down }, {
      kind: 'nwc',
      files: { credential: `nostr+walletconnect://${keys.walletPubkey}?relay=${encodeURIComponent(url)}&secret=${clientSecret}` },
    }),
    async close() {
      unsubscribe();
      service.close();
      await relay.close();
    },
  };
}

// What the SDK calls for each method. A promise that never ends is an answer that never comes.
function handlerOf(node, state, drop) {
  const refusals = {
    'error-500': { error: { code: 'INTERNAL', message: 'something went wrong' } },
    unauthorized: { error: { code: 'UNAUTHORIZED', message: 'this connection is not known' } },
  };
  const handle = (method, work) => (params) =>
    new Promise((answer) => {
      endCall(node.receive({ method, body: params }), {
        work: () => work(params),
        answer,
        refuse: (fault) => answer(refusals[fault]),
        garble: () => answer({ result: NO_JSON }),
        drop,
      });
    });
  return {
    getInfo: handle('get_info', () => ({ result: { alias: 'nwc', pubkey: node.id, network: networkOf(node), block_height: 800_000, methods: METHODS } })),
    getBalance: handle('get_balance', () => ({ result: { balance: node.balanceMsat() } })),
    makeInvoice: handle('make_invoice', (params) => make(node, params, state)),
    lookupInvoice: handle('lookup_invoice', (params) => lookUp(node, params, state)),
    listTransactions: handle('list_transactions', (params) => list(node, params, state)),
  };
}

const networkOf = (node) => (node.network === 'bitcoin' ? 'mainnet' : node.network);

function make(node, { amount, description, description_hash, expiry, metadata }, state) {
  const invoice = node.create({ amountMsat: amount, description, descriptionHash: description_hash, expirySeconds: expiry, metadata });
  return { result: shown(node, invoice, state) };
}

function lookUp(node, { payment_hash, invoice: text }, state) {
  const invoice = payment_hash ? node.invoices.get(payment_hash) : node.find(text);
  if (!invoice) return { error: { code: 'NOT_FOUND', message: 'this invoice was not found' } };
  return { result: shown(node, invoice, state) };
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
    amount: settled ? invoice.receivedMsat : (invoice.amountMsat ?? 0),
    fees_paid: 0,
    created_at: invoice.createdAt,
    expires_at: invoice.expiresAt,
    settled_at: settled ? invoice.settledAt : undefined,
    metadata: invoice.metadata,
  };
}
