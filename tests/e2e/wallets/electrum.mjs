// The real Electrum (4.3.4, Debian's): a seller's daemon and a payer's, with a real channel between them, on a chain of our
// own (electrum-chain.mjs). What the program calls is a door in front of the seller's daemon: it books the calls and makes the
// faults; all else goes through as it is.
//
// What a caller may not expect: a missing credential is a 401 and a wrong one a 403; errors are 200 with an `error`; an amount
// is a text in bitcoin; and an invoice runs out at its own time alone, so expire() cannot be.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { eventually } from '../provider.mjs';
import { startChain } from './electrum-chain.mjs';
import { LightningNode, openPort, randomHex, Reply, serveHttp, walletOf } from './node.mjs';

const START_TIMEOUT_MS = 60_000;
const PAY_TIMEOUT_SECONDS = 20;
const FUNDS_SAT = 100_000_000;
const CHANNEL_BTC = '0.1';
const CONFIRMATIONS = 6;
const RUN_WHILE_WE_LIVE = '"$0" "$@" & read -r _; kill $!; wait'; // the pipe closes with us, whatever we die of

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
  const door = await openDoor(node, seller, port);
  return {
    ...walletOf(node, door, {
      kind: 'electrum',
      settings: { 'wallet.url': `http://127.0.0.1:${door.number}` },
      files: { credential: seller.credential },
    }),
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

// A daemon with a new wallet, and how to call it: {call, credential, url, stop}.
async function startDaemon(folder, config) {
  const password = randomHex();
  const home = join(folder, 'regtest');
  await mkdir(home, { recursive: true });
  const settings = { oneserver: true, auto_connect: false, use_gossip: true, check_updates: false, rpcuser: 'user', rpcpassword: password, ...config };
  await writeFile(join(home, 'config'), JSON.stringify({ config_version: 3, ...settings }));
  const child = spawn('sh', ['-c', RUN_WHILE_WE_LIVE, 'electrum', '--regtest', '-D', folder, 'daemon', '--rpcsock', 'tcp'], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const ended = new Promise((done) => child.on('close', done));
  const url = await eventually(() => addressIn(join(home, 'daemon')), 'a daemon of Electrum', START_TIMEOUT_MS);

  async function call(method, params = {}) {
    const { status, value } = await forward({ url, credential: `user:${password}` }, { id: 1, method, params });
    if (status !== 200 || value.error) throw new Error(`Electrum's ${method}: ${JSON.stringify(value.error ?? value)}`);
    return value.result;
  }

  async function stop() {
    child.stdin.end();
    await ended;
  }

  await call('create');
  await call('load_wallet');
  return { call, stop, url, credential: `user:${password}` };
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
  await eventually(async () => Number((await payer.call('getbalance')).confirmed) > 0, 'the money', START_TIMEOUT_MS);
  await payer.call('open_channel', { connection_string: await seller.call('nodeid'), amount: CHANNEL_BTC });
  chain.mine(CONFIRMATIONS);
  const isOpen = async ({ call }) => (await call('list_channels')).some(({ state, peer_state }) => state === 'OPEN' && peer_state === 'GOOD');
  for (const side of [seller, payer]) await eventually(() => isOpen(side), 'the channel', START_TIMEOUT_MS);
}

async function pay(payer, text) {
  const { success, payment_hash, preimage, log } = await payer.call('lnpay', { invoice: text, timeout: PAY_TIMEOUT_SECONDS });
  if (!success) throw new Error(`not paid: ${JSON.stringify(log)}`);
  return { paymentHash: payment_hash, preimage };
}

async function forget(seller, paymentHash) {
  const { request_id } = (await seller.call('list_requests')).find(({ rhash }) => rhash === paymentHash);
  await seller.call('delete_request', { request_id });
}

// ---- the door -----------------------------------------------------------------------------------------------------------------

function openDoor(node, seller, port) {
  return serveHttp(node, {
    port,
    routes: {
      'POST /': async ({ headers, body }) => {
        const reply = await forward(seller, body, headers.authorization);
        if (reply.value.result) spoil(node, body, reply.value.result);
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

async function forward({ url, credential }, body, authorization = `Basic ${Buffer.from(credential).toString('base64')}`) {
  const response = await fetch(url, { method: 'POST', headers: { authorization }, body: JSON.stringify(body) });
  const text = await response.text();
  return new Reply(response.status, response.ok ? JSON.parse(text) : text);
}

function spoil(node, { method, params }, result) {
  if (method === 'add_request') {
    const { rhash: paymentHash, amount_msat: amountMsat, timestamp: createdAt, expiration, message: description } = result;
    const told = { paymentHash, amountMsat, createdAt, expirySeconds: expiration - createdAt, description, paymentSecret: randomHex() };
    result.lightning_invoice = node.spoiled(told) ?? result.lightning_invoice;
  }
  const newest = method === 'lightning_history' && result.filter(({ preimage }) => preimage).at(-1);
  if (newest) newest.preimage = node.proof(newest);
}
