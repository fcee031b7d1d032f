// The Spark wallet of sellcompute, as a process of its own: Spark's SDK is TypeScript. The program starts it, watches it,
// starts it again. Needs what package-lock.json names: npm ci --ignore-scripts
//
// JSON-RPC 2.0 over stdin and stdout, one JSON text a line, and nothing else on stdout; what there is to complain about goes
// to stderr, and never a secret. Lines to here: at most 64 KiB. From here: `list` may say 2 MiB at once. Answers come in the
// order in which they are ready. Hashes and preimages are 64 lower-case hex digits. When stdin ends, so does the process (exit
// code 0).
//
//     open {mnemonic_or_seed, account_number?, network, options?} → {network, identity_public_key}
//         Comes first. network: MAINNET, REGTEST or LOCAL. mnemonic_or_seed: English BIP-39 words, or a seed in hex.
//         options: the SDK's ConfigOptions, for a test world. When the wallet cannot be opened, the process answers and ends
//         (exit code 1): the SDK leaves a half-open wallet behind that would try forever.
//     create_invoice {amount_sat, memo, expiry_s, preimage?, hold?} → {id, bolt11, payment_hash, expires_at_ms}
//         With a preimage (below the order of secp256k1) it can be repeated, also after a crash or a lost answer: the same
//         preimage means the same invoice. The caller decodes the invoice and checks it. hold: true, with a preimage: the
//         preimage stays here, and a payment waits until it is taken. Whether it holds is said again in each look_up.
//     look_up {payment_hash, hold?} → {state, received_msat?, fee_msat?, settled_at_ms?, until_ms?, preimage?, evidence}
//         state: open, settled (the money is in the wallet), expired, failed, unknown. With hold: true also held (a payment of
//         received_msat waits, or was taken a moment ago; if never taken, Spark sends it back after until_ms) and returned
//         (it was sent back). evidence: Spark's own statement, as JSON text of at most 4 KiB, without memo and preimage;
//         "null" where there is none.
//     take {payment_hash, preimage} → {}
//         Takes a payment that waits; the payer gets the preimage. Can be repeated, also when it was done before. refused:
//         there is no payment, or it went back. There is no way to send a payment back before its time.
//     status {} → {name, balance_msat, identity_public_key}
//     list {since_ms} → {invoices: [{payment_hash, bolt11, memo, amount_msat, state, created_at_ms, received_msat?,
//         settled_at_ms?}], more}
//         Those that were made since then, newest first, at most 1000. more: there are others that are not shown.
//
// Notifications from here: `news {}`, when money came or went and look-ups may have new answers (that a payment waits is no
// news: Spark does not tell); `connection {state}`, connected or lost, whenever that changes (it concerns the stream of news
// only).
//
// Errors: code -32000 and data.code, else the codes of JSON-RPC 2.0.
//     unreachable   Spark does not answer (each call: within 30 s), or is overloaded: try again
//     refused       Spark says no
//     not_open      `open` comes first
//     bad_params    a parameter is missing or wrong
//     failed        anything else
import { Console } from 'node:console';

globalThis.console = new Console(process.stderr); // before any package is loaded: stdout is for the protocol

const { WalletError, explain, openWallet } = await import('./wallet.mjs');

const MAX_LINE_BYTES = 64 * 1024;
const MAX_RUNNING = 256;
const MAX_SAT = 21_000_000 * 100_000_000;
const MAX_EXPIRY_S = 366 * 24 * 3600;
const CURVE_ORDER = 'fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141'; // of secp256k1

const integer = (least, most) => (value) => Number.isSafeInteger(value) && value >= least && value <= most;
const text = (most) => (value) => typeof value === 'string' && value.length <= most;
const hash = (value) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
const scalar = (value) => hash(value) && value < CURVE_ORDER && /[^0]/.test(value);
const flag = (value) => typeof value === 'boolean';
const object = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const oneOf = (...names) => (value) => names.includes(value);
const optional = (check) => (value) => value === undefined || check(value);

const METHODS = {
  open: {
    params: {
      mnemonic_or_seed: text(1024),
      account_number: optional(integer(0, 2 ** 31 - 1)),
      network: oneOf('MAINNET', 'REGTEST', 'LOCAL'),
      options: optional(object),
    },
    run: open,
  },
  create_invoice: {
    params: {
      amount_sat: integer(1, MAX_SAT),
      memo: text(639),
      expiry_s: integer(1, MAX_EXPIRY_S),
      preimage: optional(scalar),
      hold: optional(flag),
    },
    run: (params) => opened().createInvoice(params),
  },
  look_up: {
    params: { payment_hash: hash, hold: optional(flag) },
    run: ({ payment_hash, hold }) => opened().lookUp(payment_hash, hold),
  },
  take: {
    params: { payment_hash: hash, preimage: scalar },
    run: ({ payment_hash, preimage }) => opened().take(payment_hash, preimage),
  },
  status: { params: {}, run: () => opened().status() },
  list: { params: { since_ms: integer(0, Number.MAX_SAFE_INTEGER) }, run: ({ since_ms }) => opened().list(since_ms) },
};

let opening;
let wallet;
let running = 0;

async function open(params) {
  if (opening) throw new WalletError('failed', 'open was called before');
  opening = openWallet(params, (method, news) => send({ method, params: news }));
  opening.catch(() => setImmediate(() => process.exit(1))); // after the answer
  wallet = await opening;
  return wallet.identity;
}

function opened() {
  if (!wallet) throw new WalletError('not_open', 'the wallet is not open: open comes first');
  return wallet;
}

async function handle(line) {
  if (line === undefined) return fail(null, -32600, `a line may have ${MAX_LINE_BYTES} bytes`);
  const request = parse(line);
  if (request === undefined) return fail(null, -32700, 'this is no JSON');
  if (!object(request) || typeof request.method !== 'string') return fail(null, -32600, 'this is no request');
  const { id, method, params = {} } = request;
  if (id === undefined) return; // a notification: there are none to here
  if (!text(64)(id) && !Number.isSafeInteger(id)) return fail(null, -32600, 'an id is a short text or an integer');
  if (!Object.hasOwn(METHODS, method)) return fail(id, -32601, 'there is no such method');
  running += 1;
  try {
    send({ id, result: await call(METHODS[method], params) });
  } catch (error) {
    const { code, message } = explain(error);
    fail(id, -32000, message, { code });
  } finally {
    running -= 1;
  }
}

function call({ params: checks, run }, params) {
  const wrong = object(params) ? Object.keys(checks).find((name) => !checks[name](params[name])) : 'params';
  if (wrong) throw new WalletError('bad_params', `${wrong} is missing or wrong`); // its value may be a secret
  if (running > MAX_RUNNING) throw new WalletError('failed', `${MAX_RUNNING} calls are running`);
  return run(params);
}

function send(message) {
  process.stdout.write(JSON.stringify({ jsonrpc: '2.0', ...message }) + '\n');
}

function fail(id, code, message, data) {
  send({ id, error: { code, message, data } });
}

function parse(line) {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

// The lines of a stream; undefined for each that was too long.
async function* lines(stream) {
  let line = [];
  let bytes = 0;
  for await (const chunk of stream) {
    let start = 0;
    for (let end; (end = chunk.indexOf(10, start)) >= 0; start = end + 1) {
      add(chunk.subarray(start, end));
      yield bytes > MAX_LINE_BYTES ? undefined : Buffer.concat(line).toString();
      line = [];
      bytes = 0;
    }
    add(chunk.subarray(start));
  }

  function add(part) {
    bytes += part.length;
    if (bytes > MAX_LINE_BYTES) line = [];
    else line.push(part);
  }
}

process.stdout.on('error', () => process.exit(0)); // nobody listens any more
// The SDK works in the background as well; what fails there must not end the wallet.
process.on('unhandledRejection', (error) => console.error(`spark: in the background: ${explain(error).message}`));

for await (const line of lines(process.stdin)) {
  if (line !== '') handle(line);
}
process.exit(0);
