// A flood: requests of keys that never pay, signed beforehand, and the customers who ask in the middle of it.
import './webcrypto.mjs';
import { setTimeout as sleep } from 'node:timers/promises';
import { initNostrWasm } from 'nostr-wasm';
import { minePow } from 'nostr-tools/nip13';
import { nowSeconds, openCustomer, REQUEST_KIND, wireOf } from './customer.mjs';
import { PATIENCE_MS } from './eventually.mjs';
import { addressed, pay } from './market.mjs';

const MAX_BACKLOG_BYTES = 1024 * 1024;
const SIGNED_AT_ONCE = 500;
const SENT_AT_ONCE = 50; // then others have their turn
const FIRST_WORK_BITS = 16; // that the program asks of new keys when too many ask
const SHORT_PATIENCE_MS = 10_000; // of a new customer, who may not get any answer
const PAUSE_MS = 2_000; // between two requests of one customer

// What `config.toml` leaves to the program, where the harness has more generous limits.
export const OWNERS_LIMITS = {
  'selling.stranger_pool_msat': 100_000,
  'selling.exposure_limit_msat': 1_000_000,
  'selling.entries_per_key': 60,
  'selling.entries_of_strangers': 600,
  'selling.error_notices_per_customer': 10,
  'selling.error_notices': 100,
};

// Requests to the provider, as the text that a relay passes on. Signed with libsecp256k1: nostr-tools takes ten times as long.
export async function signFlood({ provider, count, keys }) {
  const nostr = await initNostrWasm();
  const secrets = Array.from({ length: keys }, () => nostr.generateSecretKey());
  const flood = [];
  for (let i = 0; i < count; i += 1) {
    const event = { kind: REQUEST_KIND, created_at: nowSeconds(), content: '', ...addressed({ pubkey: provider }, [], `Flood ${i}?`) };
    nostr.finalizeEvent(event, secrets[i % keys]);
    flood.push(wireOf(event));
    if (i % SIGNED_AT_ONCE === 0) await sleep(0);
  }
  return flood;
}

// Sends the flood at an even pace, and never faster than the provider reads. Resolves when the last was sent.
export async function pour(relay, flood, seconds) {
  const began = Date.now();
  for (const [i, raw] of flood.entries()) {
    const early = () => (i / flood.length) * seconds * 1000 - (Date.now() - began);
    while (early() > 0 || relay.backlogBytes() > MAX_BACKLOG_BYTES) await sleep(Math.max(1, early()));
    relay.inject(raw);
    if (i % SENT_AT_ONCE === 0) await sleep(0);
  }
}

// Asks again and again until `over()`; pays whatever is offered. Returns, per request, {startedMs, servedMs}: when its job began,
// after it was asked for or after the payment that had to come first, and when it was over; undefined where it was not served.
// isNew: whether it may be left without an answer; work: whether its requests then bear proof of work.
export async function buyAgainAndAgain(market, customer, over, { isNew = false, work = false } = {}) {
  const sales = [];
  let bits = 0;
  while (!over()) {
    const asked = Date.now();
    const job = await customer.publish(request(market.provider, customer, sales.length, bits));
    const answer = await firstAnswer(job, isNew ? SHORT_PATIENCE_MS : PATIENCE_MS);
    sales.push(answer === 'offer' ? await serve(market, job, asked) : undefined);
    if (work && answer !== 'offer') bits = workAsked(job) ?? FIRST_WORK_BITS;
    await sleep(PAUSE_MS);
  }
  return sales;
}

export const openCustomerOf = ({ relay, provider }) => openCustomer({ relayUrl: relay.url, provider: provider.pubkey });

function request(provider, customer, number, bits) {
  const template = { kind: REQUEST_KIND, created_at: nowSeconds(), content: '', ...addressed(provider, [], `Question ${number}?`) };
  return customer.sign(bits > 0 ? minePow({ ...template, pubkey: customer.pubkey }, bits) : template);
}

// 'offer': it is worked on, or an invoice says what to pay; 'refusal'; 'silence'.
function firstAnswer(job, patienceMs) {
  const look = () => (job.invoices().length > 0 || job.feedback('processing').length > 0 ? 'offer' : job.feedback('error')[0] && 'refusal');
  return job.until(look, 'any answer', patienceMs).catch(() => 'silence');
}

async function serve(market, job, asked) {
  const at = () => Date.now();
  const [paid, started] = await Promise.all([pay(market, job).then(at), job.status('processing').then(at), job.result()]);
  return { startedMs: started - (paid < started ? paid : asked), servedMs: at() - asked };
}

function workAsked(job) {
  const said = job.feedback('error').map((event) => / ([0-9]+) bits of proof of work/.exec(event.tags.find(([name]) => name === 'status')?.[2]));
  return said.find(Boolean) && Number(said.find(Boolean)[1]);
}
