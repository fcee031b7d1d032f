// What is said to @buildonspark/spark-sdk (0.8.8, read). An invoice is a receive request of the service provider. It is
// settled when its transfer to us is completed, for which this process has to run: the SDK claims it.
//
// An invoice with a preimage of ours takes two steps: the service provider makes it, then the operators get shares of the
// preimage, so that they can settle it without us. Either answer may be lost. When it is repeated, the first step must not
// make a second invoice for the same hash, so the first one is looked for; the second step may be repeated, operators keep
// what they have.
//
// An invoice that holds leaves out the second step. Its payment waits at the operators, under its hash, until they get the
// preimage; at its expiry, which the service provider sets, they send it back. Nobody tells us that it has come.
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';

const CALL_LIMIT_MS = 30_000;
const HTTP_LIMIT_MS = 10_000;
const NEWS_AGAIN_MS = 2000;
const PAGE = 100;
const MAX_READ = 5000;
const MAX_LISTED = 1000;
const MAX_REMEMBERED = 10_000;
const MAX_EVIDENCE_BYTES = 4096;
const MAX_MESSAGE_CHARACTERS = 300;
const GRPC_UNREACHABLE = [1, 4, 10, 14]; // CANCELLED, DEADLINE_EXCEEDED, ABORTED, UNAVAILABLE
const GRPC_REFUSED = [3, 5, 6, 7, 9, 11, 12, 16]; // what is wrong with the request or with us; not INTERNAL and the like
const RETURNED = 2; // PreimageRequestStatus
const COMPLETED = 5; // TransferStatus
const MSAT = { MILLISATOSHI: 1, NANOBITCOIN: 100, SATOSHI: 1000, MICROBITCOIN: 1e5, MILLIBITCOIN: 1e8, BITCOIN: 1e11 };

export class WalletError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

// A wallet whose calls answer within 30 s. tell(method, params) is called with news.
export const openWallet = (params, tell) => within(open(params, tell));

async function open({ mnemonic_or_seed, account_number, network, options }, tell) {
  const { SparkWallet, isMnemonic } = await packages();
  // The SDK would take an empty secret for the wish for a new wallet.
  if (!isMnemonic(mnemonic_or_seed) && !/^([0-9a-f]{2}){16,64}$/i.test(mnemonic_or_seed)) {
    throw new WalletError('bad_params', 'mnemonic_or_seed is neither a BIP-39 mnemonic nor a seed of 16 to 64 bytes in hex');
  }
  const { wallet } = await SparkWallet.initialize({
    mnemonicOrSeed: mnemonic_or_seed,
    accountNumber: account_number,
    options: { ...options, network, log: false, events: listeners(tell) },
  });
  return new Wallet(wallet, { network, identity_public_key: await wallet.getIdentityPublicKey() });
}

async function packages() {
  globalThis.fetch = promptly(globalThis.fetch); // the SDK keeps the one it finds when it is loaded
  try {
    const [{ SparkWallet }, { validateMnemonic }, { wordlist }] = await Promise.all([
      import('@buildonspark/spark-sdk'),
      import('@scure/bip39'),
      import('@scure/bip39/wordlists/english'),
    ]);
    return { SparkWallet, isMnemonic: (text) => validateMnemonic(text, wordlist) };
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    const folder = fileURLToPath(new URL('.', import.meta.url));
    throw new WalletError('failed', `the Spark sidecar's packages are missing: npm ci --ignore-scripts in ${folder}`);
  }
}

// The SDK would repeat a failed request for 25 s, and post an order for an invoice again whose answer was lost. Who asked us
// does that better. A TimeoutError is what it does not repeat.
function promptly(fetch) {
  return async (url, init) => {
    try {
      const response = await fetch(url, { ...init, signal: AbortSignal.timeout(HTTP_LIMIT_MS) });
      if (response.status < 500 && response.status !== 429) return response;
      throw new Error(`HTTP status ${response.status}`);
    } catch (error) {
      throw Object.assign(new Error(error.cause?.message || error.message), { name: 'TimeoutError' });
    }
  };
}

function listeners(tell) {
  const news = () => tell('news', {});
  let owned;
  let again;
  const balance = (now) => {
    if (now.owned === owned) return; // something is on its way, and not here yet
    owned = now.owned;
    news();
    // The service provider may learn of a claim after us, and nothing would tell.
    clearTimeout(again);
    again = setTimeout(news, NEWS_AGAIN_MS);
  };
  let state;
  const connection = (now) => () => {
    if (state !== now) tell('connection', { state: (state = now) });
  };
  return {
    'balance:update': balance, // each claim has one
    'stream:connected': connection('connected'),
    'stream:reconnecting': connection('lost'),
    'stream:disconnected': connection('lost'),
  };
}

class Wallet {
  #spark;
  #requests = new Map(); // payment hash → {request, complete}; complete: the operators have its preimage
  #making = new Map(); // payment hash → the invoice that is being made
  #allRead = false; // #requests has all that was there before this process, as far as we read
  #toTheEnd = false; // there was no more to read
  #failures = 0;

  constructor(spark, identity) {
    this.#spark = spark;
    this.identity = identity;
  }

  createInvoice(order) {
    if (order.preimage === undefined) return within(this.#createAnyInvoice(order));
    const hash = hashOf(order.preimage);
    if (!this.#making.has(hash)) this.#making.set(hash, this.#make(hash, order));
    return this.#making.get(hash);
  }

  lookUp = (hash, hold) => within(this.#lookUp(hash, hold));
  take = (hash, preimage) => within(this.#take(hash, preimage));
  status = () => within(this.#status());
  list = (sinceMs) => within(this.#list(sinceMs));

  async #createAnyInvoice({ amount_sat, memo, expiry_s, hold }) {
    if (hold) throw new WalletError('bad_params', 'an invoice that holds needs a preimage of ours');
    const request = await this.#spark.createLightningInvoice({ amountSats: amount_sat, memo, expirySeconds: expiry_s });
    return invoice(this.#remember(request, true));
  }

  async #make(hash, order) {
    try {
      return await within(this.#createInvoice(hash, order));
    } catch (error) {
      this.#allRead = false; // perhaps it was made, and only the answer was lost
      this.#failures += 1;
      throw error;
    } finally {
      this.#making.delete(hash);
    }
  }

  async #createInvoice(hash, { amount_sat, memo, expiry_s, preimage, hold }) {
    if (!this.#requests.has(hash) && !this.#allRead) await this.#readAll();
    const known = this.#requests.get(hash);
    if (known?.complete) return invoice(known.request);
    const order = { amountSats: amount_sat, memo, expirySeconds: expiry_s, paymentHash: hash };
    const make = async () => known?.request ?? this.#spark.createLightningHodlInvoice(order);
    if (hold) return invoice(this.#remember(await make(), false));
    const request = await this.#spark.lightningService.createLightningInvoiceWithPreImage({
      amountSats: amount_sat,
      memo,
      preimage: Uint8Array.from(Buffer.from(preimage, 'hex')),
      invoiceCreator: make,
    });
    return invoice(this.#remember(request, true));
  }

  async #lookUp(hash, hold) {
    if (!this.#requests.has(hash)) await this.#readAll();
    const known = this.#requests.get(hash);
    const request = known && (await this.#spark.getLightningReceiveRequest(known.request.id));
    if (request) return report(request, hold && (await this.#payment(hash)));
    if (known || this.#toTheEnd) return { state: 'unknown', evidence: 'null' };
    throw new WalletError('failed', `this invoice is not among ${MAX_READ} that Spark listed, and there are more`);
  }

  async #take(hash, preimage) {
    if (hashOf(preimage) !== hash) throw new WalletError('bad_params', 'preimage is not that of payment_hash');
    const payment = await this.#payment(hash);
    if (!payment) throw new WalletError('refused', 'no payment waits for this preimage');
    if (payment.status === RETURNED) throw new WalletError('refused', 'the payment went back');
    // Once is enough: the SDK would take what it claimed for unspent, even if it was spent since.
    if (payment.transfer.status !== COMPLETED) await this.#spark.claimHTLC(preimage);
    return {};
  }

  // What was paid to an invoice that holds. Anybody can send us something under its hash; only the provider sends what the
  // payer paid. An attempt of the provider that was given up counts for nothing: another one may follow.
  async #payment(hash) {
    const { preimageRequests } = await this.#spark.queryHTLC({ paymentHashes: [hash] });
    const provider = this.#spark.config.getSspIdentityPublicKey();
    const sent = preimageRequests.filter(({ transfer }) => transfer && hex(transfer.senderIdentityPublicKey) === provider);
    const expired = ({ transfer: { expiryTime } }) => expiryTime?.getTime() > 0 && expiryTime.getTime() <= Date.now();
    return sent.find(({ status }) => status !== RETURNED) ?? sent.find(expired);
  }

  async #status() {
    const { satsBalance } = await this.#spark.getBalance();
    return { name: 'Spark', balance_msat: Number(satsBalance.owned) * 1000, identity_public_key: this.identity.identity_public_key };
  }

  async #list(sinceMs) {
    const invoices = (await this.#readAll()).map(entry).filter(({ created_at_ms }) => created_at_ms >= sinceMs);
    invoices.sort((one, other) => other.created_at_ms - one.created_at_ms);
    return { invoices: invoices.slice(0, MAX_LISTED), more: !this.#toTheEnd || invoices.length > MAX_LISTED };
  }

  // The receive requests that the service provider has. How it sorts them is not documented.
  async #readAll() {
    const failures = this.#failures;
    const requests = [];
    let page;
    do {
      const after = page?.pageInfo.endCursor;
      page = await this.#spark.getUserRequests({ first: PAGE, after, types: ['LIGHTNING_RECEIVE'] });
      requests.push(...(page?.entities ?? []));
    } while (page?.pageInfo.hasNextPage && page.entities.length > 0 && requests.length < MAX_READ);
    for (const request of requests) this.#remember(request, false);
    this.#toTheEnd = !page?.pageInfo.hasNextPage;
    if (failures === this.#failures) this.#allRead = true; // else one that was lost meanwhile may be missing
    return requests;
  }

  #remember(request, complete) {
    const hash = request.invoice.paymentHash;
    complete ||= this.#requests.get(hash)?.complete ?? false;
    this.#requests.set(hash, { request, complete });
    if (this.#requests.size > MAX_REMEMBERED) this.#requests.delete(this.#requests.keys().next().value);
    return request;
  }
}

function invoice({ id, invoice: { encodedInvoice, paymentHash, expiresAt } }) {
  return { id, bolt11: encodedInvoice, payment_hash: paymentHash, expires_at_ms: Date.parse(expiresAt) };
}

function entry(request) {
  const { encodedInvoice, paymentHash, memo, amount } = request.invoice;
  return {
    payment_hash: paymentHash,
    bolt11: encodedInvoice,
    memo: memo ?? '',
    amount_msat: msat(amount),
    state: state(request),
    created_at_ms: Date.parse(request.createdAt),
    ...(state(request) === 'settled' && receipt(request)),
  };
}

function receipt({ invoice: { amount }, transfer, updatedAt }) {
  return { received_msat: msat(transfer?.totalAmount) ?? msat(amount), settled_at_ms: Date.parse(updatedAt) };
}

function report(request, payment) {
  const found = { state: state(request), evidence: evidence(request) };
  if (found.state !== 'settled') return payment ? reportHeld(request, payment) : found;
  const received = receipt(request);
  return {
    ...found,
    ...received,
    fee_msat: Math.max(0, msat(request.invoice.amount) - received.received_msat),
    preimage: request.paymentPreimage,
  };
}

// From the payment's coming until the provider, too, says that it was taken.
function reportHeld(request, { status, createdTime, transfer: { id, totalValue, expiryTime } }) {
  const payment = { id, sats: totalValue, createdTime, expiryTime, returned: status === RETURNED };
  const words = evidence({ ...request, payment });
  if (payment.returned) return { state: 'returned', evidence: words };
  const received_msat = totalValue * 1000;
  const fee_msat = Math.max(0, msat(request.invoice.amount) - received_msat);
  return { state: 'held', received_msat, fee_msat, until_ms: expiryTime?.getTime(), evidence: words };
}

function state({ status, invoice: { expiresAt } }) {
  if (status === 'TRANSFER_COMPLETED') return 'settled';
  if (status.endsWith('_FAILED')) return 'failed';
  return status === 'INVOICE_CREATED' && Date.parse(expiresAt) < Date.now() ? 'expired' : 'open';
}

const hex = (bytes) => Buffer.from(bytes).toString('hex');
const hashOf = (preimage) => createHash('sha256').update(preimage, 'hex').digest('hex');
const msat = (amount) => amount && amount.originalValue * MSAT[amount.originalUnit];

// The preimage has a place of its own, once it proves a payment; the memo is in the invoice.
function evidence(request) {
  const spoken = (key, value) => {
    if (key === 'paymentPreimage' || key === 'memo') return undefined;
    return typeof value === 'bigint' ? String(value) : value;
  };
  return Buffer.from(JSON.stringify(request, spoken)).subarray(0, MAX_EVIDENCE_BYTES).toString();
}

function within(work) {
  let timer;
  const late = new Promise((_, reject) => {
    const error = new WalletError('unreachable', `Spark did not answer within ${CALL_LIMIT_MS / 1000} s`);
    timer = setTimeout(() => reject(error), CALL_LIMIT_MS);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

// Any error as a WalletError. The SDK wraps errors in errors; what happened is in the innermost one. (Offline, the outermost
// one speaks of expired challenges.)
export function explain(error) {
  if (error instanceof WalletError) return error;
  const chain = [Object(error)];
  for (let inner; chain.length < 8 && (inner = chain.at(-1)?.originalError ?? chain.at(-1)?.cause); ) chain.push(inner);
  const words = String(chain.at(-1)?.message ?? chain.at(-1)).slice(0, MAX_MESSAGE_CHARACTERS);
  if (chain.some(unreachable)) return new WalletError('unreachable', `Spark cannot be reached: ${words}`);
  if (chain.some(refused)) return new WalletError('refused', `Spark refuses: ${words}`);
  return new WalletError('failed', `Spark's SDK failed: ${words}`);
}

const unreachable = ({ name, code, message }) =>
  name === 'TimeoutError' || GRPC_UNREACHABLE.includes(code) || /RST_STREAM|Server is busy/.test(message);

const refused = ({ code }) => code === 'RequestFailed' || GRPC_REFUSED.includes(code);
