// A Lightning node, which the wallets' stand-ins share: a book of genuine invoices, and a queue of faults.
//
// fail(fault, detail) queues a fault; each waits for the first call that it fits. Faults of a call (detail: a pattern that
// the call must match, such as 'POST /v1/invoices' or '^invoice$'; without one, the next call):
//     outage             the connection is closed before anything is done
//     silent             nothing is ever said
//     garbage            200, and no JSON
//     error-500          as the wallet says that it failed
//     unauthorized       as the wallet says that it does not know the credential
//     lost-answer        the work is done, then the connection is closed
//     late-answer        the work is done, and told a second later
// Faults of the next invoice that is made, in its text alone: the wallet's own fields say what was asked for.
//     wrong-amount       detail: its msat, else one sat more
//     wrong-hash, wrong-network, wrong-description, amountless
//     expired-invoice    it was made too long ago to be paid
// A fault of the next answer that shows the preimage of a settled invoice, or of a payment:
//     wrong-preimage
// Faults of the next payment that it is told to make:
//     no-route           it is tried, and fails
//     no-balance         there is too little to try
//     unsupported        the invoice demands what the wallet cannot do
//     held               it is on its way until land()
import { createECDH, createHash, randomBytes, randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import bolt11 from 'bolt11';

const CALL_FAULTS = ['outage', 'silent', 'garbage', 'error-500', 'unauthorized', 'lost-answer', 'late-answer'];
const INVOICE_FAULTS = ['wrong-amount', 'wrong-hash', 'wrong-network', 'wrong-description', 'amountless', 'expired-invoice'];
const PAYMENT_FAULTS = ['no-route', 'no-balance', 'unsupported', 'held'];
const PREFIXES = { bitcoin: 'bc', testnet: 'tb', regtest: 'bcrt' };
const START_MSAT = 1_000_000_000; // what the wallet holds before anybody pays
const ROUTING_FEE_MSAT = 1_002;

export const nowSeconds = () => Math.floor(Date.now() / 1000);
export const randomHex = () => randomBytes(32).toString('hex');
export const sha256 = (hex) => createHash('sha256').update(Buffer.from(hex, 'hex')).digest('hex');
export const sha256OfText = (text) => createHash('sha256').update(text).digest('hex');
export const satOf = (msat) => Math.floor(msat / 1000);
const networkOf = (network) => ({ bech32: PREFIXES[network], pubKeyHash: 0x6f, scriptHash: 0xc4, validWitnessVersions: [0, 1] });

// open, accepted (paid, but held), settled, canceled or expired.
export function stateOf(invoice) {
  if (invoice.settledAt !== undefined) return 'settled';
  if (invoice.canceled) return 'canceled';
  if (invoice.accepted) return 'accepted';
  return invoice.expiresAt <= nowSeconds() ? 'expired' : 'open';
}

// Says 'created' and 'settled', each with the invoice.
export class LightningNode extends EventEmitter {
  invoices = new Map(); // payment hash → invoice
  payments = []; // what it was told to pay, in that order
  asked = []; // every call, as {method, path, query, body, at}
  #payees = [];
  #faults = [];
  #secretKey = randomHex();
  #made = 0;
  #settled = 0;

  constructor({ network = 'regtest' } = {}) {
    super();
    this.setMaxListeners(0);
    this.network = network;
    const pair = createECDH('secp256k1');
    pair.setPrivateKey(this.#secretKey, 'hex');
    this.id = pair.getPublicKey('hex', 'compressed');
  }

  fail(fault, detail) {
    const known = [...CALL_FAULTS, ...INVOICE_FAULTS, ...PAYMENT_FAULTS, 'wrong-preimage'];
    if (!known.includes(fault)) throw new Error(`no such fault: ${fault}`);
    this.#faults.push({ fault, detail });
  }

  faultsLeft() {
    return this.#faults.length;
  }

  #take(fits) {
    const index = this.#faults.findIndex(fits);
    return index < 0 ? {} : this.#faults.splice(index, 1)[0];
  }

  // Books a call and says what is to go wrong with it.
  receive(call) {
    this.asked.push({ ...call, at: Date.now() });
    const name = [call.method, call.path].filter(Boolean).join(' ');
    return this.#take(({ fault, detail = '' }) => CALL_FAULTS.includes(fault) && new RegExp(detail).test(name)).fault;
  }

  // paymentHash alone: the wallet itself is not told the preimage. more: what it keeps beside the rest.
  create({ amountMsat, description = '', descriptionHash, expirySeconds = 3600, paymentHash, preimage, ...more }) {
    preimage ??= paymentHash ? undefined : randomHex();
    const createdAt = nowSeconds();
    const invoice = {
      index: ++this.#made,
      paymentHash: paymentHash ?? sha256(preimage),
      preimage,
      paymentSecret: randomHex(),
      amountMsat: amountMsat || undefined, // 0: the payer chooses
      description,
      descriptionHash,
      createdAt,
      expirySeconds,
      expiresAt: createdAt + expirySeconds,
      ...more,
    };
    invoice.bolt11 = this.spoiled(invoice) ?? this.#write(invoice);
    this.invoices.set(invoice.paymentHash, invoice);
    this.emit('created', invoice);
    return invoice;
  }

  // The text of an invoice with the next fault of an invoice in it; nothing if none is queued.
  spoiled(invoice) {
    const { fault, detail } = this.#take((queued) => INVOICE_FAULTS.includes(queued.fault));
    const { amountMsat = 0, createdAt, expirySeconds, descriptionHash } = invoice;
    const lies = {
      'wrong-amount': { amountMsat: detail ?? amountMsat + 1000 },
      'wrong-hash': { paymentHash: randomHex() },
      'wrong-network': { network: this.network === 'bitcoin' ? 'regtest' : 'bitcoin' },
      'wrong-description': descriptionHash ? { descriptionHash: randomHex() } : { description: 'another' },
      amountless: { amountMsat: undefined },
      'expired-invoice': { createdAt: createdAt - expirySeconds - 60 },
    };
    return fault && this.#write({ ...invoice, ...lies[fault] });
  }

  #write({ network = this.network, amountMsat, paymentHash, paymentSecret, description, descriptionHash, createdAt, expirySeconds }) {
    const unsigned = bolt11.encode({
      network: networkOf(network),
      millisatoshis: amountMsat && String(amountMsat),
      timestamp: createdAt,
      tags: [
        { tagName: 'payment_hash', data: paymentHash },
        { tagName: 'payment_secret', data: paymentSecret },
        descriptionHash ? { tagName: 'purpose_commit_hash', data: descriptionHash } : { tagName: 'description', data: description },
        { tagName: 'expire_time', data: expirySeconds },
        { tagName: 'min_final_cltv_expiry', data: 18 },
      ],
    });
    return bolt11.sign(unsigned, this.#secretKey).paymentRequest;
  }

  find(text) {
    return [...this.invoices.values()].find((invoice) => invoice.bolt11 === text);
  }

  // As a payer does. amountMsat: what arrives, where it is not what was asked. feeMsat: what the wallet keeps of it.
  pay(text, { amountMsat, feeMsat = 0 } = {}) {
    const invoice = this.find(text);
    if (!invoice) throw new Error('this invoice is not known here');
    if (stateOf(invoice) !== 'open') throw new Error(`this invoice is ${stateOf(invoice)}`);
    invoice.receivedMsat = amountMsat ?? invoice.amountMsat;
    invoice.feeMsat = feeMsat;
    if (invoice.preimage) this.settle(invoice);
    else invoice.accepted = true;
    return { paymentHash: invoice.paymentHash, preimage: invoice.preimage };
  }

  settle(invoice) {
    invoice.settledAt = nowSeconds();
    invoice.settleIndex = ++this.#settled;
    this.emit('settled', invoice);
  }

  // Time runs out for it, whatever its text says.
  expire(paymentHash) {
    this.invoices.get(paymentHash).expiresAt = nowSeconds();
  }

  // The wallet loses it.
  forget(paymentHash) {
    this.invoices.delete(paymentHash);
  }

  // From now on it can pay the invoices of this node.
  reach(node) {
    this.#payees.push(node);
  }

  // Pays as it is told to. The payment is pending until its `ended` resolves, with itself: then it is complete, with the
  // preimage, or failed, with why.
  send(text, { maxFeeMsat = Infinity, feeOf = () => ROUTING_FEE_MSAT } = {}) {
    const { millisatoshis, tagsObject } = bolt11.decode(text, networkOf(this.network));
    const { fault } = this.#take((queued) => PAYMENT_FAULTS.includes(queued.fault));
    const payment = {
      index: this.payments.length + 1,
      id: randomUUID(),
      paymentHash: tagsObject.payment_hash,
      bolt11: text,
      amountMsat: Number(millisatoshis),
      feeMsat: feeOf(Number(millisatoshis)),
      status: 'pending',
      createdAt: nowSeconds(),
    };
    const landed = new Promise((land) => (payment.land = land));
    payment.ended = landed.then(() => this.#end(payment, this.#obstacle(payment, fault, maxFeeMsat)));
    this.payments.push(payment);
    if (fault !== 'held') payment.land();
    return payment;
  }

  #obstacle({ bolt11: text, feeMsat }, fault, maxFeeMsat) {
    if (fault && fault !== 'held') return fault;
    if (feeMsat > maxFeeMsat) return 'too-expensive';
    const payee = this.#payeeOf(text);
    if (!payee) return 'no-route';
    return stateOf(payee.find(text)) === 'open' ? undefined : 'rejected';
  }

  #end(payment, failure) {
    payment.endedAt = nowSeconds();
    if (failure) return Object.assign(payment, { status: 'failed', failure });
    const { preimage } = this.#payeeOf(payment.bolt11).pay(payment.bolt11);
    return Object.assign(payment, { status: 'complete', preimage });
  }

  #payeeOf(text) {
    return this.#payees.find((node) => node.find(text));
  }

  // What it was told to pay, to one invoice if its hash or text is given; without what failed for one of these reasons.
  told(to, without = []) {
    const kept = this.payments.filter(({ failure }) => !without.includes(failure));
    return to === undefined ? kept : kept.filter(({ paymentHash, bolt11: text }) => paymentHash === to || text === to);
  }

  // Those that were held come to their end.
  land() {
    this.payments.forEach((payment) => payment.land());
  }

  // What an answer shows as the preimage of what was paid.
  proof({ preimage }) {
    return this.#take(({ fault }) => fault === 'wrong-preimage').fault ? randomHex() : preimage;
  }

  // In the order of their settlement, from behind `index`.
  settledAfter(index) {
    const settled = [...this.invoices.values()].filter((invoice) => invoice.settleIndex > index);
    return settled.sort((a, b) => a.settleIndex - b.settleIndex);
  }

  balanceMsat() {
    const received = this.settledAfter(0).reduce((sum, invoice) => sum + invoice.receivedMsat - invoice.feeMsat, 0);
    const paid = this.payments.filter(({ status }) => status === 'complete').reduce((sum, payment) => sum + payment.amountMsat + payment.feeMsat, 0);
    return START_MSAT + received - paid;
  }
}

// Without those that only try whether the wallet is able, where it is told what an invoice is for.
const sold = (node) => [...node.invoices.values()].filter(({ description }) => !description.startsWith('sellcompute probe'));

// What every wallet's start function returns. port: openPort's (serving.mjs). files: what receiving needs. refundCredential: with what it
// pays, where that is another.
export function walletOf(node, port, { kind, settings = {}, files, refundCredential }) {
  return {
    kind,
    settings: { 'wallet.kind': kind, ...settings },
    files,
    refundCredential,
    node,
    asked: node.asked,
    pay: async (text, options) => node.pay(text, options),
    expire: async (paymentHash) => node.expire(paymentHash),
    forget: async (paymentHash) => node.forget(paymentHash),
    made: () => sold(node).length,
    lastInvoice: () => sold(node).at(-1)?.bolt11,
    fail: (fault, detail) => node.fail(fault, detail),
    faultsLeft: () => node.faultsLeft(),
    land: () => node.land(),
    down: port.down,
    up: port.up,
    close: port.down,
  };
}
