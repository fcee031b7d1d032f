// What the tests of refunds share: markets in which the customer can be paid back, and what is owed there.
//
// A market here has besides: payProvider(invoice); invoiceFor(msat, clockMs), an invoice of the customer's, good also when the
// provider's clock shows clockMs; received(), the payment hashes of those that were paid.
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readInvoice } from './customer.mjs';
import { addressed, openMarket, openWalletMarket, untilState } from './market.mjs';
import { createProvider } from './provider.mjs';
import { LightningNode, sha256 } from './wallets/lightning-node.mjs';
import { startLnd } from './wallets/lnd.mjs';

export const [DONE, FAILED, USAGE, UNREACHABLE] = [0, 1, 2, 3]; // exit codes
export const HOUR_MS = 3_600_000;

// The customer has a sandbox too, in the same folder: one can pay the other.
export async function openSandboxes(t) {
  const market = await openMarket(t, { mode: 'payment_first' });
  const { relay, ollama, provider } = market;
  const folder = join(provider.folder, 'data', 'wallet');
  const theirs = await createProvider({ relay, ollama, settings: { 'wallet.folder': folder } });
  t.after(theirs.remove);
  return {
    ...market,
    payProvider: provider.pay,
    async invoiceFor(msat, clockMs) {
      const env = clockMs ? { SELLCOMPUTE_TEST_CLOCK_MS: String(clockMs) } : {};
      const { code, stdout, stderr } = await theirs.cli(['wallet', 'invoice', String(msat / 1000), '--json'], { env });
      assert.equal(code, DONE, stderr);
      return JSON.parse(stdout).bolt11;
    },
    async received() {
      const names = await readdir(folder);
      return names.filter((name) => name.endsWith('.sent')).map((name) => name.slice(0, 64)).filter((hash) => names.includes(`${hash}.paid`));
    },
  };
}

export async function openPayingMarket(t, counterpart, credential = counterpart.refundCredential) {
  const files = { ...counterpart.files, ...(credential && { refund_credential: credential }) };
  const market = await openWalletMarket(t, counterpart, { mode: 'payment_first', files });
  const customer = counterpart.customer ?? customerBehind(counterpart.node);
  return {
    ...market,
    payProvider: counterpart.pay,
    invoiceFor: (msat, clockMs) => customer.invoiceFor(msat, clockMs ? 86_400 : 3600),
    received: customer.received,
  };
}

export async function openWithLnd(t) {
  const counterpart = await startLnd();
  t.after(counterpart.close);
  return openPayingMarket(t, counterpart);
}

function customerBehind(node) {
  const theirs = new LightningNode();
  node.reach(theirs);
  return {
    invoiceFor: async (msat, expirySeconds) => theirs.create({ amountMsat: msat, expirySeconds }).bolt11,
    received: async () => theirs.settledAfter(0).map(({ paymentHash }) => paymentHash),
  };
}

// A job that was paid, and cannot be served. All of them cost the same.
export async function owe(market) {
  market.ollama.fail('truncation');
  const job = await market.customer.ask(addressed(market.provider, [['param', 'max_tokens', '20']], `Question ${Math.random().toFixed(15)}?`));
  await market.payProvider(await job.invoice());
  await untilState(market, job, 'refund_owed');
  return job;
}

export const invoiceOf = (market, job) => market.invoiceFor(job.amountMsat());
export const hashOf = (invoice) => readInvoice(invoice).paymentHash;
export const refund = ({ provider }, job, ...how) => provider.cli(['jobs', 'refund', job.id, ...how]);

export async function payBack(market, job, invoice) {
  const told = await refund(market, job, '--invoice', invoice);
  assert.equal(told.code, DONE, told.stderr);
  await untilState(market, job, 'refunded');
  return told.stdout;
}

export async function factsOf({ provider }, job, type) {
  const [shown] = await provider.json(['jobs', 'show', job.id, '--json']);
  return shown.facts.filter((entry) => entry.type === type).map(({ facts }) => facts);
}

export const attemptsOf = async (market, job, type) => (await factsOf(market, job, type)).map(({ attempt }) => attempt);

// Refused before anything is begun: nothing new in the ledger, nothing paid.
export async function assertRefused(market, job, reason, ...how) {
  const begun = await attemptsOf(market, job, 'RefundStarted');
  const paid = await market.received();
  const told = await refund(market, job, ...how);
  assert.equal(told.code, FAILED, told.stdout + told.stderr);
  assert.match(told.stderr, reason);
  assert.deepEqual(await attemptsOf(market, job, 'RefundStarted'), begun);
  assert.deepEqual(await market.received(), paid);
}

export const toldToPay = ({ counterpart }, invoice) => counterpart.node.told(hashOf(invoice));

// One payment, whatever came between, which the ledger can prove.
export async function assertPaidOnce(market, job, invoice) {
  assert.equal((await market.received()).filter((hash) => hash === hashOf(invoice)).length, 1);
  assert.equal(toldToPay(market, invoice).length, 1);
  const [paid, ...others] = await factsOf(market, job, 'RefundPaid');
  assert.deepEqual(others, []);
  assert.equal(sha256(paid.preimage), hashOf(invoice));
  assert.deepEqual([paid.amount_msat, paid.fee_msat], [job.amountMsat(), toldToPay(market, invoice)[0].feeMsat]);
}
