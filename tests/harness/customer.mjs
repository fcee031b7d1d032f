// A customer, made of nostr-tools: asks in every shape that real clients use, keeps books of what came back, and believes
// nothing that it has not checked (signatures, tags, invoices).
import { decode } from 'light-bolt11-decoder';
import { finalizeEvent, generateSecretKey, getPublicKey, verifyEvent } from 'nostr-tools/pure';
import { Relay, useWebSocketImplementation } from 'nostr-tools/relay';
import WebSocket from 'ws';
import { PATIENCE_MS } from './eventually.mjs';

useWebSocketImplementation(WebSocket);

export const REQUEST_KIND = 5050;
export const RESULT_KIND = 6050;
const RESULT_KINDS = [6001, 6002, RESULT_KIND];
export const FEEDBACK_KIND = 7000;
const STATUSES = ['payment-required', 'processing', 'error', 'success', 'partial', 'pong'];

export const nowSeconds = () => Math.floor(Date.now() / 1000);
export const tagsOf = (event, name) => event.tags.filter((tag) => tag[0] === name);
export const statusOf = (event) => tagsOf(event, 'status')[0]?.[1];

// The event as the relay passes it on: what a `request` tag must hold, to the letter.
export function wireOf({ id, pubkey, created_at, kind, tags, content, sig }) {
  return JSON.stringify({ id, pubkey, created_at, kind, tags, content, sig });
}

// What light-bolt11-decoder reads in an invoice.
export function readInvoice(bolt11) {
  const sections = Object.fromEntries(decode(bolt11).sections.map((section) => [section.name, section.value]));
  return {
    network: sections.coin_network?.bech32,
    amountMsat: sections.amount,
    paymentHash: sections.payment_hash,
    timestamp: sections.timestamp,
    expirySeconds: sections.expiry ?? 3600,
    description: sections.description,
    hasSecret: Boolean(sections.payment_secret),
  };
}

// relayUrl: where to ask and to listen. provider: the seller's public key in hex. signIn: whether the relay demands it (NIP-42).
export async function openCustomer({ relayUrl, provider, secretKey = generateSecretKey(), signIn = false }) {
  const pubkey = getPublicKey(secretKey);
  const relay = new Relay(relayUrl);
  relay.publishTimeout = PATIENCE_MS;
  relay.verifyEvent = () => true; // nostr-tools would drop a bad signature in silence; faultsOf complains about it
  await (signIn ? connectSignedIn(relay, secretKey) : relay.connect());
  const jobs = new Map();
  const complaints = []; // every broken promise seen, as a sentence; a good run leaves it empty
  let waiters = [];

  const subscription = relay.subscribe([{ kinds: [FEEDBACK_KIND, ...RESULT_KINDS] }], {
    onevent(event) {
      const job = jobs.get(tagsOf(event, 'e')[0]?.[1]);
      if (!job) return;
      complaints.push(...faultsOf(event, job.request, provider).map((fault) => `${fault} in ${JSON.stringify(event)}`));
      job.take(event);
      waiters.forEach((wake) => wake());
    },
  });

  // Resolves with the first truthy value of `look`, asked again after each event.
  function until(look, what, timeoutMs = PATIENCE_MS) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => end(reject, new Error(`waited ${timeoutMs} ms for ${what}`)), timeoutMs).unref();
      const wake = () => {
        const found = look();
        if (found) end(resolve, found);
      };
      function end(how, value) {
        clearTimeout(timer);
        waiters = waiters.filter((other) => other !== wake);
        how(value);
      }
      waiters.push(wake);
      wake();
    });
  }

  function sign(template) {
    return finalizeEvent({ kind: REQUEST_KIND, created_at: nowSeconds(), tags: [], content: '', ...template }, secretKey);
  }

  // Follows a request that is brought to the provider on another way.
  function follow(request) {
    if (jobs.has(request.id)) throw new Error('this very request was made before: the same words within the same second');
    const job = new Job(request, until);
    jobs.set(request.id, job);
    return job;
  }

  // Publishes a request made from a template {tags, content, …} and returns its Job.
  async function ask(template) {
    return publish(sign(template));
  }

  // Publishes a request that is signed already, by whomever, and follows it.
  async function publish(request) {
    const job = follow(request);
    await relay.publish(request);
    return job;
  }

  function close() {
    subscription.close();
    relay.close();
  }

  return { pubkey, secretKey, complaints, jobs, sign, follow, publish, ask, close };
}

// nostr-tools answers a challenge by itself, but does not say again what was refused before: so nothing is said before.
async function connectSignedIn(relay, secretKey) {
  const challenged = new Promise((done) => {
    relay.onauth = async (template) => {
      done();
      return finalizeEvent(template, secretKey);
    };
  });
  await relay.connect();
  await challenged;
  await relay.auth(relay.onauth); // the one that is under way
}

// The books of one request.
class Job {
  constructor(request, until) {
    this.request = request;
    this.events = new Map(); // by id
    this.until = until;
  }

  get id() {
    return this.request.id;
  }

  take(event) {
    this.events.set(event.id, event);
  }

  feedback(status) {
    return [...this.events.values()].filter((event) => event.kind === FEEDBACK_KIND && (!status || statusOf(event) === status));
  }

  results() {
    return [...this.events.values()].filter((event) => RESULT_KINDS.includes(event.kind));
  }

  // Every different invoice that was revealed for this job.
  invoices() {
    const shown = [...this.events.values()].flatMap((event) => tagsOf(event, 'amount').map((tag) => tag[2]));
    return [...new Set(shown.filter(Boolean))];
  }

  amountMsat() {
    return Number([...this.events.values()].flatMap((event) => tagsOf(event, 'amount').map((tag) => tag[1]))[0]);
  }

  status(status, timeoutMs) {
    return this.until(() => this.feedback(status)[0], `a 7000 ${status} for ${this.id}`, timeoutMs);
  }

  result(timeoutMs) {
    return this.until(() => this.results()[0], `a 6050 for ${this.id}`, timeoutMs);
  }

  invoice(timeoutMs) {
    return this.until(() => this.invoices()[0], `an invoice for ${this.id}`, timeoutMs);
  }

  // The reason that a refusal gives.
  async refusal(timeoutMs) {
    return tagsOf(await this.status('error', timeoutMs), 'status')[0][2];
  }
}

// ---- what is wrong with an answer -----------------------------------------------------------------------------------

export function faultsOf(event, request, provider) {
  const faults = [];
  const must = (holds, otherwise) => holds || faults.push(otherwise);
  must(verifyEvent(JSON.parse(JSON.stringify(event))), 'the id or the signature is wrong');
  must(event.pubkey === provider, 'it is not signed by the provider');
  const marks = tagsOf(event, 'e');
  must(marks.length === 1 && marks[0][1] === request.id, 'it must have one e tag, the request');
  must(!marks[0]?.[2] || /^wss?:\/\//.test(marks[0][2]), 'the relay hint of its e tag is no relay');
  must(tagsOf(event, 'p').length === 1 && tagsOf(event, 'p')[0][1] === request.pubkey, 'it must have one p tag, the customer');
  if (event.kind === FEEDBACK_KIND) checkFeedback(event, must);
  if (RESULT_KINDS.includes(event.kind)) checkResult(event, request, must);
  for (const tag of tagsOf(event, 'amount')) checkAmount(tag, must);
  return faults;
}

function checkFeedback(event, must) {
  const [, status, extra] = tagsOf(event, 'status')[0] ?? [];
  must(tagsOf(event, 'status').length === 1 && STATUSES.includes(status), `"${status}" is no status`);
  const hidden = tagsOf(event, 'encrypted').length > 0;
  must(status !== 'error' || (hidden ? event.content : extra), 'an error must say why');
  must(status !== 'payment-required' || tagsOf(event, 'amount')[0]?.[2], 'a demand for payment must hold an invoice');
}

function checkResult(event, request, must) {
  must(event.content.length > 0, 'the result is empty');
  must(tagsOf(event, 'request').length === 1 && tagsOf(event, 'request')[0][1] === wireOf(request), 'the request tag is not the request, verbatim');
  const inputs = (of) => JSON.stringify(tagsOf(of, 'i'));
  const long = inputs(request).length > 8192; // long inputs may be left out: the request tag has them
  must(long || inputs(event) === inputs(request), 'the inputs are not those of the request');
  must(tagsOf(event, 'amount').length <= 1, 'more than one amount');
  must(statusOf(event) === 'success', 'a result has the status success');
  must(Buffer.byteLength(wireOf(event)) <= 64 * 1024, 'relays refuse events over 64 KiB');
}

function checkAmount([, amount, bolt11], must) {
  must(/^[1-9][0-9]*$/.test(amount), `"${amount}" is no amount of millisatoshi`);
  if (bolt11 === undefined) return;
  try {
    const invoice = readInvoice(bolt11);
    must(invoice.amountMsat === amount, `the tag asks for ${amount} msat, the invoice for ${invoice.amountMsat}`);
    must(invoice.network === 'bcrt', `the invoice is for the network ${invoice.network}`);
    must(/^[0-9a-f]{64}$/.test(invoice.paymentHash ?? ''), 'the invoice has no payment hash');
    must(invoice.hasSecret, 'the invoice has no payment secret');
    must(invoice.expirySeconds > 0, 'the invoice has no time to be paid');
  } catch (error) {
    must(false, `the invoice cannot be decoded (${error.message})`);
  }
}
