// A whole market on this machine: a relay, an Ollama, one provider online and one customer.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCustomer, RESULT_KIND, tagsOf, wireOf } from './customer.mjs';
import { judge } from './event-schemas.mjs';
import { startOllama } from './ollama.mjs';
import { createProvider } from './provider.mjs';
import { startRelay } from './relay.mjs';

export const MODES = ['result_first', 'payment_first'];

// t: the test, at whose end everything is closed. start: what provider.start is given, or false to leave it off. moreRelays: URLs
// of relays of the provider's beside the market's own. tables: more of its configuration, as TOML. ownModels: see createProvider.
export async function openMarket(t, { mode = 'result_first', settings = {}, tables = '', start = {}, ollamaOptions, relayOptions, moreRelays = [], ownModels = true } = {}) {
  const closers = [];
  t.after(async () => {
    for (const close of closers.reverse()) await close();
  });
  const relay = await startRelay(relayOptions);
  closers.push(relay.close);
  const ollama = await startOllama(ollamaOptions);
  closers.push(ollama.close);
  const provider = await createProvider({ relay, ollama, tables, ownModels, settings: { 'selling.payment_mode': mode, 'relays.urls': [relay.url, ...moreRelays], ...settings } });
  closers.push(provider.remove);
  const customer = await openCustomer({ relayUrl: relay.url, provider: provider.pubkey, signIn: Boolean(relayOptions?.demandAuth) });
  closers.push(customer.close);
  if (start) await provider.start(start);
  return { relay, ollama, provider, customer, mode };
}

// A market whose provider's wallet is a counterpart. files: what wallet.<name>_file is to hold, by that name; more as for
// openMarket.
export async function openWalletMarket(t, counterpart, { files = counterpart.files, settings = {}, ...more } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'sellcompute-wallet-'));
  t.after(() => rm(folder, { recursive: true }));
  const keep = (name, text) => writeFile(join(folder, name), text, { mode: 0o600 });
  const patient = { 'selling.invoice_grace': '1 s', 'selling.invoice_attempts': 20, 'selling.invoice_retry': '300 ms' };
  const all = { ...counterpart.settings, 'wallet.network': 'regtest', ...patient, ...settings };
  for (const [name, text] of Object.entries(files ?? {})) {
    all[`wallet.${name}_file`] = join(folder, name);
    await keep(name, text);
  }
  const market = await openMarket(t, { settings: all, ...more });
  return { ...market, counterpart, keep };
}

// A request addressed to the provider.
export function addressed(provider, tags = [], prompt = 'What is a data vending machine?') {
  return { tags: [['i', prompt, 'text'], ...tags, ['p', provider.pubkey]] };
}

// Pays the one invoice of a job, once, as soon as it is revealed; keeps trying while the provider is away. Returns what the
// wallet printed. market.onPaid, if set, is called at the moment of payment.
export async function pay(market, job) {
  const invoice = await job.invoice();
  job.paid ??= market.provider.eventually(async () => {
    const answer = await market.provider.pay(invoice);
    if (answer.code !== 0) return undefined;
    market.onPaid?.();
    return answer;
  }, `the payment of ${job.id}`);
  return job.paid;
}

// The customer's side of a sale, after the request: pays and waits for the result and the end.
export async function buy(market, job) {
  const paid = await pay(market, job);
  await job.result();
  await job.status('success');
  return paid;
}

export async function untilState({ provider }, job, state) {
  let row;
  await provider.eventually(async () => {
    row = await provider.job(job.id);
    return row?.state === state;
  }, `${job.id} to be ${state}`, { about: job.id }).catch((error) => {
    throw new Error(`${error.message}; it is ${JSON.stringify(row)}`);
  });
  return row;
}

// What the provider ever sent about a job must agree with itself, seen from the relay's book, where repetitions show: one
// result, one invoice, and the same bytes whenever an event was published again.
export function assertNothingTwice({ relay, provider }, job) {
  const sent = relay.heard
    .map(({ event }) => event)
    .filter((event) => event.pubkey === provider.pubkey && tagsOf(event, 'e')[0]?.[1] === job.id);
  const distinct = (list) => [...new Set(list)];
  const results = distinct(sent.filter((event) => event.kind === RESULT_KIND).map(wireOf));
  assert.ok(results.length <= 1, `more than one result: ${results.join('\n')}`);
  const invoices = distinct(sent.flatMap((event) => tagsOf(event, 'amount').map((tag) => tag[2])).filter(Boolean));
  assert.ok(invoices.length <= 1, `more than one revealed invoice: ${invoices.join('\n')}`);
  assert.equal(distinct(sent.map((event) => event.id)).length, distinct(sent.map(wireOf)).length, 'an event came back with other bytes');
}

// At the end of every test: the customer has nothing to complain about, all that the provider published has the shape that
// others expect, and the ledger proves itself.
export async function assertClean({ customer, provider, relay }) {
  assert.deepEqual(customer.complaints, []);
  const published = [...relay.heard.map(({ event }) => event), ...relay.auths].filter((event) => event.pubkey === provider.pubkey);
  for (const event of published) assert.deepEqual(judge(event).faults, [], JSON.stringify(event));
  const audit = await provider.cli(['audit']);
  assert.equal(audit.code, 0, `audit: ${audit.stdout}${audit.stderr}`);
}

// The sums of `earnings report`, over all time.
export async function earnings(provider) {
  const [report] = await provider.json(['earnings', 'report', '--json']);
  return report.total;
}
