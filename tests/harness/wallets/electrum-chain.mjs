// A stub of an Electrum server (protocol 1.4: newline JSON on TCP) with a regtest chain that exists nowhere else: money comes
// from nowhere, blocks hold one transaction at most, and nobody checks their work.
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { address as addresses, networks, Transaction } from 'bitcoinjs-lib';
import { nowSeconds } from './lightning-node.mjs';
import { openPort } from './serving.mjs';

// Regtest's first block, which Electrum knows by its hash.
const GENESIS =
  '0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4adae5494dffff7f2002000000';
const EASIEST_BITS = 'ffff7f20';
const FEE_BTC_PER_KB = 0.0001;
const MEMPOOL_FEE_SAT = 1000; // as told; nobody adds it up

const sha256 = (bytes) => createHash('sha256').update(bytes).digest();
const reversed = (bytes) => Buffer.from(bytes).reverse();
const hashOfHeader = (hex) => sha256(sha256(Buffer.from(hex, 'hex')));
const scriptHash = (script) => reversed(sha256(script)).toString('hex');

export async function startChain() {
  const headers = [GENESIS];
  const transactions = new Map(); // id → {raw, height, scripts, touches}; height 0: in no block yet
  const subscribers = new Map(); // socket → what it was told: {height, scripts: script hash → status}

  const tip = () => ({ height: headers.length - 1, hex: headers.at(-1) });

  function accept(raw) {
    const transaction = Transaction.fromHex(raw);
    const spent = transaction.ins.map(({ hash, index }) => transactions.get(reversed(hash).toString('hex'))?.scripts[index]);
    const scripts = transaction.outs.map(({ script }) => scriptHash(script));
    transactions.set(transaction.getId(), { raw, height: 0, scripts, touches: new Set([...spent, ...scripts]) });
    tell();
    return transaction.getId();
  }

  // Each block takes one transaction that waits, if any does.
  function mine(blocks = 1) {
    for (let mined = 0; mined < blocks; mined += 1) {
      const [id, waiting] = [...transactions].find(([, { height }]) => height === 0) ?? [];
      if (waiting) waiting.height = headers.length;
      const root = id ? reversed(Buffer.from(id, 'hex')) : randomBytes(32);
      const time = Buffer.alloc(4);
      time.writeUInt32LE(nowSeconds());
      headers.push(Buffer.concat([Buffer.from('00000020', 'hex'), hashOfHeader(headers.at(-1)), root, time]).toString('hex') + EASIEST_BITS + '00000000');
    }
    tell();
  }

  // Money from nowhere, in the next block.
  function give(address, sat) {
    const transaction = new Transaction();
    transaction.addInput(randomBytes(32), 0);
    transaction.addOutput(addresses.toOutputScript(address, networks.regtest), sat);
    accept(transaction.toHex());
    mine();
  }

  function historyOf(script) {
    const found = [...transactions].filter(([, { touches }]) => touches.has(script));
    return found
      .map(([tx_hash, { height }]) => (height ? { tx_hash, height } : { tx_hash, height, fee: MEMPOOL_FEE_SAT }))
      .sort((a, b) => (a.height || Infinity) - (b.height || Infinity));
  }

  function statusOf(script) {
    const history = historyOf(script).map(({ tx_hash, height }) => `${tx_hash}:${height}:`).join('');
    return history ? sha256(history).toString('hex') : null;
  }

  // What has changed since it was last told.
  function tell() {
    for (const [socket, told] of subscribers) {
      const notify = (method, ...params) => socket.write(JSON.stringify({ jsonrpc: '2.0', method, params }) + '\n');
      if (told.height !== undefined && told.height !== tip().height) notify('blockchain.headers.subscribe', tip());
      if (told.height !== undefined) told.height = tip().height;
      for (const [script, status] of told.scripts) {
        if (status === statusOf(script)) continue;
        told.scripts.set(script, statusOf(script));
        notify('blockchain.scripthash.subscribe', script, statusOf(script));
      }
    }
  }

  const methods = {
    'server.version': () => ['stub 1', '1.4'],
    'server.banner': () => '',
    'server.donation_address': () => '',
    'server.peers.subscribe': () => [],
    'server.ping': () => null,
    'mempool.get_fee_histogram': () => [],
    'blockchain.estimatefee': () => FEE_BTC_PER_KB,
    'blockchain.relayfee': () => FEE_BTC_PER_KB / 10,
    'blockchain.headers.subscribe': (told) => {
      told.height = tip().height;
      return tip();
    },
    'blockchain.block.header': (told, height) => headers[height],
    'blockchain.block.headers': (told, start, count) => {
      const found = headers.slice(start, start + count);
      return { count: found.length, hex: found.join(''), max: 2016 };
    },
    'blockchain.scripthash.subscribe': (told, script) => {
      told.scripts.set(script, statusOf(script));
      return statusOf(script);
    },
    'blockchain.scripthash.get_history': (told, script) => historyOf(script),
    'blockchain.transaction.get': (told, id) => transactions.get(id).raw,
    'blockchain.transaction.get_merkle': (told, id) => ({ block_height: transactions.get(id).height, merkle: [], pos: 0 }),
    'blockchain.transaction.broadcast': (told, raw) => accept(raw),
  };

  function answer(told, { id, method, params = [] }) {
    try {
      return { jsonrpc: '2.0', id, result: methods[method](told, ...params) };
    } catch (error) {
      return { jsonrpc: '2.0', id, error: { code: 1, message: `${method}: ${error.message}` } };
    }
  }

  const server = createServer((socket) => {
    const told = { scripts: new Map() };
    subscribers.set(socket, told);
    socket.on('close', () => subscribers.delete(socket));
    createInterface({ input: socket })
      .on('error', () => {}) // the socket's, said again
      .on('line', (line) => socket.write(JSON.stringify(answer(told, JSON.parse(line))) + '\n'));
  });
  const open = await openPort(server, { port: 0, host: '127.0.0.1' });
  return { server: `127.0.0.1:${open.number}:t`, mine, give, close: open.down };
}
