// Our invoices, read by two libraries that we did not write.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import bolt11 from 'bolt11';
import { nowSeconds, readInvoice } from '../harness/customer.mjs';
import { eventually } from '../harness/eventually.mjs';
import { addressed, assertClean, MODES, openMarket, untilState } from '../harness/market.mjs';
import { skipWithoutProgram } from '../harness/provider.mjs';

const PREFIXES = { bitcoin: 'bc', testnet: 'tb', signet: 'tbs', regtest: 'bcrt' };
const REGTEST = { bech32: 'bcrt', pubKeyHash: 0x6f, scriptHash: 0xc4, validWitnessVersions: [0, 1] };
const { invoices } = JSON.parse(readFileSync(new URL('../../fixtures/invoices/invoices.json', import.meta.url), 'utf8'));

test('light-bolt11-decoder finds in our fixtures what they say', async (t) => {
  assert.ok(invoices.length > 2);
  for (const { title, bolt11: text, fields } of invoices) {
    await t.test(title, () => {
      const read = readInvoice(text);
      assert.equal(read.network, PREFIXES[fields.network]);
      assert.equal(read.amountMsat, fields.amount_msat === undefined ? undefined : String(fields.amount_msat));
      assert.equal(read.paymentHash, fields.payment_hash);
      assert.equal(read.timestamp, fields.timestamp_s);
      assert.equal(read.expirySeconds, fields.expiry_s ?? 3600);
      assert.equal(read.description, fields.description);
    });
  }
});

test('bolt11 finds in our fixtures what they say, and the payee that signed them', async (t) => {
  for (const { title, bolt11: text, fields } of invoices) {
    await t.test(title, () => assertReads(text, fields));
  }
});

for (const mode of MODES) {
  test(`${mode}: bolt11 reads the invoice of a sale`, { skip: skipWithoutProgram, timeout: 300_000 }, async (t) => {
    const market = await openMarket(t, { mode });
    const job = await market.customer.ask(addressed(market.provider));
    const read = bolt11.decode(await job.invoice(), REGTEST);
    assert.equal(read.millisatoshis, String(job.amountMsat()));
    assert.ok(Math.abs(read.timestamp - nowSeconds()) < 60);
    assert.equal(read.timeExpireDate - read.timestamp, 3600);
    assert.equal(read.payeeNodeKey.length, 66);
    await assertClean(market);
  });
}

test('an invoice that nobody paid in time is renewed, if the seller wishes', { skip: skipWithoutProgram, timeout: 300_000 }, async (t) => {
  const settings = { 'selling.renew_invoices': true, 'selling.invoice_expiry': '1 min', 'selling.invoice_grace': '0 s' };
  const market = await openMarket(t, { settings });
  const { customer, provider } = market;
  const job = await customer.ask(addressed(provider));
  const first = await job.invoice();
  await job.status('success');
  await provider.kill();
  await provider.start({ clockMs: Date.now() + 90_000 });
  const [, second] = await eventually(() => job.invoices().length === 2 && job.invoices(), 'another invoice');
  assert.equal(readInvoice(second).amountMsat, readInvoice(first).amountMsat);
  assert.notEqual(readInvoice(second).paymentHash, readInvoice(first).paymentHash);
  assert.notEqual((await provider.pay(first)).code, 0, 'the first is over');
  assert.equal((await provider.pay(second)).code, 0);
  await untilState(market, job, 'settled');
  await assertClean(market);
});

test("somebody else's invoice is none of the sandbox's", { skip: skipWithoutProgram, timeout: 300_000 }, async (t) => {
  const { provider } = await openMarket(t, { start: false });
  for (const text of [...invoices.map((invoice) => invoice.bolt11), 'lnbcrt1nonsense', '']) {
    const { code, stderr } = await provider.pay(text);
    assert.ok(code === 1 || code === 2, `exit code ${code}`);
    assert.ok(stderr.length > 0);
  }
});

function assertReads(text, fields) {
  const read = bolt11.decode(text, fields.network === 'regtest' ? REGTEST : undefined);
  assert.equal(read.complete, true);
  assert.equal(read.network.bech32, PREFIXES[fields.network]);
  assert.equal(read.millisatoshis ?? undefined, fields.amount_msat === undefined ? undefined : String(fields.amount_msat));
  assert.equal(read.timestamp, fields.timestamp_s);
  assert.equal(read.payeeNodeKey, fields.payee);
  const tag = (name) => read.tags.find((each) => each.tagName === name)?.data;
  assert.equal(tag('payment_hash'), fields.payment_hash);
  assert.equal(tag('payment_secret'), fields.payment_secret);
  assert.equal(tag('description'), fields.description);
  if (fields.description_hash) assert.equal(tag('purpose_commit_hash'), fields.description_hash);
  assert.equal(tag('expire_time'), fields.expiry_s);
}
