// The real Electrum (4.3.4, Debian's): a seller's daemon and a payer's, with a real channel between them, on a chain of our
// own (electrum-chain.mjs). What the program calls is a door in front of the seller's daemon: it books the calls and makes the
// faults; all else goes through as it is.
//
// What a caller may not expect: a missing credential is a 401 and a wrong one a 403; errors are 200 with an `error`; an amount
// is a text in bitcoin; and an invoice runs out at its own time alone, so expire() cannot be.
//
// It has one credential, which may spend. The customers, who are paid back, have the payer's daemon too: it is stopped while a
// payment is held, and has forgotten the invoice of one that finds no route. The way to a neighbour costs nothing: what a longer
// one would cost is added by the door.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../eventually.mjs';
import { startChain } from './electrum-chain.mjs';
import { LightningNode, randomHex, walletOf } from './lightning-node.mjs';
import { openPort, Reply, serveHttp } from './serving.mjs';

const PAY_TIMEOUT_SECONDS = 20;
const FUNDS_SAT = 100_000_000;
const CHANNEL_BTC = '0.1';
const SELLER_BTC = '0.01'; // of the channel; a tenth of it must stay there
const CONFIRMATIONS = 6;
const SOON_MS = 20; // what is not held has ended by then
// The pipe closes with us, whatever we die of.
const RUN_WHILE_WE_LIVE = '"$0" "$@" >/dev/null & echo $!; read -r _; kill $!; kill -CONT $!; wait';

// For `test(…, {skip})`.
export const skipWithoutElectrum = process.env.PATH.split(delimiter).some((folder) => existsSync(join(folder, 'electrum')))
  ? false
  : 'there is no electrum here (Debian: apt-get install --no-install-recommends electrum)';

export async function startElectrum({ port } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'electrum-'));
  const chain = await startChain();
  chain.mine();
  const [seller, payer] = await Promise.all([
    startDaemon(join(folder, 'seller'), { server: chain.server, lightning_listen: `127.0.0.1:${await freePort()}` }),
    startDaemon(join(folder, 'payer'), { server: chain.server }),
  ]);
  await openChannel(chain, seller, payer);
  const node = new LightningNode();
  node.reach({ find: () => ({ expiresAt: Infinity }), pay: () => ({}) }); // it books the orders; the daemon carries them out
  const door = await openDoor({ node, seller, payer, port });
  return {
    ...walletOf(node, door, {
      kind: 'electrum',
      settings: { 'wallet.url': `http://127.0.0.1:${door.number}` },
      files: { credential: seller.credential },
      refundCredential: seller.credential,
    }),
    customer: {
      invoiceFor: (msat, expiration) => ask(payer, msat / 1000, expiration),
      received: async () => {
        const history = await payer.call('lightning_history');
        return history.filter(({ payment_hash, amount_msat }) => payment_hash && amount_msat > 0).map(({ payment_hash }) => payment_hash);
      },
      forget: (paymentHash) => forget(payer, paymentHash),
    },
    land() {
      node.land();
      payer.signal('SIGCONT');
    },
    // Something was signed for the other side, who has not acknowledged it.
    underWay: async () => (await seller.call('list_channels')).some(({ local_ctn, remote_ctn }) => remote_ctn > local_ctn),
    statusOf: async (paymentHash) => (await seller.call('list_invoices')).find(({ invoice_id }) => invoice_id === paymentHash)?.status,
    kill: seller.kill,
    revive: seller.start,
    pay: (text) => pay(payer, text),
    made: () => node.asked.filter(({ method }) => method === 'add_request').length,
    lastInvoice: async () => (await seller.call('list_requests')).at(-1)?.lightning_invoice,
    expire: async () => {
      throw new Error("Electrum's invoices run out at their own time alone");
    },
    forget: (paymentHash) => forget(seller, paymentHash),
    async close() {
      await Promise.all([door.down(), seller.stop(), payer.stop()]);
      await chain.close();
      await rm(folder, { recursive: true });
    },
  };
}

// A daemon with a new wallet, and how to call it: {call, credential, url, signal, kill, start, stop}.
async function startDaemon(folder, config) {
  const password = randomHex();
  const home = join(folder, 'regtest');
  await mkdir(home, { recursive: true });
  const settings = { oneserver: true, auto_connect: false, use_gossip: true, check_updates: false, rpcuser: 'user', rpcpassword: password, ...config };
  await writeFile(join(home, 'config'), JSON.stringify({ config_version: 3, ...settings }));
  const daemon = { credential: `user:${password}`, call, start, kill, stop };

  async function run() {
    await rm(join(home, 'daemon'), { force: true }); // of one that was killed
    const child = spawn('sh', ['-c', RUN_WHILE_WE_LIVE, 'electrum', '--regtest', '-D', folder, 'daemon', '--rpcsock', 'tcp'], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const [pid] = await once(createInterface(child.stdout), 'line');
    daemon.signal = (name) => process.kill(Number(pid), name);
    daemon.child = child;
    daemon.ended = once(child, 'close');
    daemon.url = await eventually(() => addressIn(join(home, 'daemon')), 'a daemon of Electrum');
  }

  async function start() {
    await run();
    await call('load_wallet');
  }

  async function call(method, params = {}) {
    const { status, value } = await forward(daemon, { id: 1, method, params });
    if (status !== 200 || value.error) throw new Error(`Electrum's ${method}: ${JSON.stringify(value.error ?? value)}`);
    return value.result;
  }

  async function kill() {
    daemon.signal('SIGKILL');
    await stop();
  }

  async function stop() {
    daemon.child.stdin.end();
    await daemon.ended;
  }

  await run();
  await call('create');
  await call('load_wallet');
  return daemon;
}

// The daemon writes where it listens, in Python: ('tcp', ('127.0.0.1', 7777), 1700000000.0).
async function addressIn(file) {
  const text = await readFile(file, 'utf8').catch(() => '');
  const [, host, port] = /'tcp', \('([^']+)', (\d+)\)/.exec(text) ?? [];
  return port && `http://${host}:${port}`;
}

async function freePort() {
  const port = await openPort(createServer(), { port: 0, host: '127.0.0.1' });
  await port.down();
  return port.number;
}

async function openChannel(chain, seller, payer) {
  chain.give(await payer.call('getunusedaddress'), FUNDS_SAT);
  await eventually(async () => Number((await payer.call('getbalance')).confirmed) > 0, 'the money');
  await payer.call('open_channel', { connection_string: await seller.call('nodeid'), amount: CHANNEL_BTC, push_amount: SELLER_BTC });
  chain.mine(CONFIRMATIONS);
  const isOpen = async ({ call }) => (await call('list_channels')).some(({ state, peer_state }) => state === 'OPEN' && peer_state === 'GOOD');
  for (const side of [seller, payer]) await eventually(() => isOpen(side), 'the channel');
}

async function pay(payer, text) {
  const { success, payment_hash, preimage, log } = await payer.call('lnpay', { invoice: text, timeout: PAY_TIMEOUT_SECONDS });
  if (!success) throw new Error(`not paid: ${JSON.stringify(log)}`);
  return { paymentHash: payment_hash, preimage };
}

async function ask(daemon, sat, expiration = 3600) {
  const amount = (sat / 1e8).toFixed(8);
  return (await daemon.call('add_request', { amount, expiration, force: true })).lightning_invoice;
}

async function forget(daemon, paymentHash) {
  const { request_id } = (await daemon.call('list_requests')).find(({ rhash }) => rhash === paymentHash);
  await daemon.call('delete_request', { request_id });
}

// ---- the door -----------------------------------------------------------------------------------------------------------------

function openDoor({ node, seller, payer, port }) {
  const shown = new Set(); // the payments of which an answer was
  return serveHttp(node, {
    port,
    routes: {
      'POST /': async ({ headers, body, response }) => {
        const { order = body, after } = body?.method === 'lnpay' ? await prepare({ node, seller, payer }, body) : {};
        const reply = await forward(seller, order, headers.authorization).catch(() => undefined);
        await after?.();
        if (!reply) return void response.destroy(); // the daemon has gone
        if (reply.value.result) spoil(node, shown, body, reply.value.result);
        return reply;
      },
    },
    rowOf: ({ body }) => ({ method: body?.method, body: body?.params }),
    refusals: {
      unauthorized: new Reply(403, 'Forbidden'),
      'error-500': new Reply(500, 'Invalid Request'),
      'bad-request': new Reply(500, 'Invalid Request'),
      'not-found': new Reply(404, '404: Not Found'),
    },
  });
}

// Books an order to pay, and makes what hinders it real: {order, after}, where that is not the order itself.
async function prepare({ node, seller, payer }, order) {
  const payment = node.send(order.params.invoice);
  const { failure } = await Promise.race([payment.ended, sleep(SOON_MS, {})]);
  if (payment.status === 'pending') payer.signal('SIGSTOP');
  if (failure === 'no-route') await forget(payer, payment.paymentHash);
  if (failure === 'unsupported') return { order: { ...order, params: { invoice: elsewhere() } } };
  return failure === 'no-balance' ? { after: await takeAll(seller, payer) } : {};
}

const elsewhere = () => new LightningNode({ network: 'bitcoin' }).create({ amountMsat: 9_000 }).bolt11;

// The seller can spend nothing until what this returns is called.
async function takeAll(seller, payer) {
  const [{ local_balance, local_reserve }] = await seller.call('list_channels');
  const sat = local_balance - local_reserve;
  await pay(seller, await ask(payer, sat));
  return async () => pay(payer, await ask(seller, sat));
}

async function forward({ url, credential }, body, authorization = `Basic ${Buffer.from(credential).toString('base64')}`) {
  const response = await fetch(url, { method: 'POST', headers: { authorization }, body: JSON.stringify(body) });
  const text = await response.text();
  return new Reply(response.status, response.ok ? JSON.parse(text) : text);
}

function spoil(node, shown, { method }, result) {
  if (method === 'add_request') {
    const { rhash: paymentHash, amount_msat: amountMsat, timestamp: createdAt, expiration, message: description } = result;
    const told = { paymentHash, amountMsat, createdAt, expirySeconds: expiration - createdAt, description, paymentSecret: randomHex() };
    result.lightning_invoice = node.spoiled(told) ?? result.lightning_invoice;
  }
  if (method === 'lightning_history') spoilHistory(node, shown, result.filter(({ preimage }) => preimage));
}

function spoilHistory(node, shown, payments) {
  const newest = payments.filter(({ payment_hash }) => !shown.has(payment_hash)).at(-1);
  if (newest) newest.preimage = node.proof(newest);
  for (const payment of payments) {
    shown.add(payment.payment_hash);
    const [{ feeMsat } = {}] = payment.amount_msat < 0 ? node.told(payment.payment_hash) : [];
    if (feeMsat) Object.assign(payment, { amount_msat: payment.amount_msat - feeMsat, fee_msat: payment.fee_msat + feeMsat });
  }
}
