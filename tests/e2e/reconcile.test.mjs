// What the wallet itself lists, beside what the ledger says; and a wallet that was used before.
import assert from 'node:assert/strict';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from '../harness/eventually.mjs';
import { addressed, assertClean, buy, openMarket, pay, untilState } from '../harness/market.mjs';
import { skipWithoutProgram } from '../harness/provider.mjs';

const options = { skip: skipWithoutProgram, timeout: 300_000 };

async function auditOf(provider) {
  const { code, stdout } = await provider.cli(['audit', '--wallet', '--json']);
  return { code, wallet: JSON.parse(stdout).wallet };
}

// Another wallet from now on; returns the settings of the one before.
async function changeWallet(provider) {
  const config = join(provider.folder, 'config.toml');
  const before = await readFile(config, 'utf8');
  await writeFile(config, before.replace('[wallet]', '[wallet]\nfolder = "another"'));
  return before;
}

test('the wallet lists what the ledger settled, and each job', options, async (t) => {
  const market = await openMarket(t, { mode: 'payment_first' });
  const { customer, provider } = market;
  const jobs = [];
  for (const question of ['One?', 'Two?']) {
    const job = await customer.ask(addressed(provider, [], question));
    await buy(market, job);
    await untilState(market, job, 'settled');
    jobs.push(job);
  }
  const listed = await provider.json(['wallet', 'settlements', '--json']);
  assert.deepEqual(listed.map((row) => row.job).sort(), jobs.map((job) => job.id).sort());
  const people = await provider.cli(['wallet', 'settlements']);
  assert.match(people.stdout, /^2 payments, [\d,.]+ sat, since 20/m);
  const { code, wallet } = await auditOf(provider);
  assert.equal(code, 0);
  assert.equal(wallet.matched, 2);
  assert.equal(wallet.matched_msat, jobs[0].amountMsat() + jobs[1].amountMsat());
  await assertClean(market);
});

test('a payment that came while nobody served is a difference until serve has seen it', options, async (t) => {
  const market = await openMarket(t, { mode: 'payment_first' });
  const { customer, provider } = market;
  const job = await customer.ask(addressed(provider));
  await job.invoice();
  await provider.stop();
  await pay(market, job);
  const missed = await auditOf(provider);
  assert.equal(missed.code, 4);
  assert.deepEqual(missed.wallet.differences.map((one) => [one.kind, one.job]), [['not_recorded', job.id]]);
  await provider.start();
  await untilState(market, job, 'settled');
  assert.equal((await auditOf(provider)).code, 0);
});

test('a payment that the wallet has lost is a difference', options, async (t) => {
  const market = await openMarket(t, { mode: 'payment_first' });
  const { customer, provider } = market;
  const job = await customer.ask(addressed(provider));
  await buy(market, job);
  await untilState(market, job, 'settled');
  await rename(join(provider.folder, 'data', 'wallet'), join(provider.folder, 'lost'));
  await mkdir(join(provider.folder, 'data', 'wallet'), { mode: 0o700 });
  const { code, wallet } = await auditOf(provider);
  assert.equal(code, 4);
  assert.deepEqual(wallet.differences.map((one) => one.kind), ['not_in_wallet']);
  const { stdout } = await provider.cli(['audit', '--wallet']);
  assert.match(stdout, /the wallet does not list it/);
  assert.doesNotMatch(stdout, /nothing is wrong/, 'the verdict counts the wallet');
  // Unless the operator knows that this wallet deletes what was paid.
  const known = await provider.cli(['audit', '--wallet', '--json'], { env: { SELLCOMPUTE_WALLET_FORGETS_PAID: 'true' } });
  assert.equal(known.code, 0, known.stderr);
  assert.equal(JSON.parse(known.stdout).wallet.forgotten, 1);
});

test('serve finds by itself what was paid and nobody watches', options, async (t) => {
  const market = await openMarket(t, { start: false });
  const { provider } = market;
  const [orphan] = await provider.json(['wallet', 'invoice', '21', '--memo', 'sellcompute job 0123456789abcdef', '--json']);
  assert.equal((await provider.pay(orphan.bolt11)).code, 0);
  await provider.start();
  await eventually(() => provider.log.some((line) => line.includes('an invoice that the ledger never had')), 'serve to say so');
  const books = (await provider.cli(['status', '--json'])).stdout.split('\n').filter(Boolean).map(JSON.parse).find(({ what }) => what === 'books');
  assert.equal(books.ok, false);
  assert.match(books.note, /differ in 1 payment/);
});

test('the wallet used before is compared too', options, async (t) => {
  const market = await openMarket(t, { mode: 'payment_first' });
  const { customer, provider } = market;
  const job = await customer.ask(addressed(provider));
  await buy(market, job);
  await untilState(market, job, 'settled');
  await provider.stop();
  const before = await changeWallet(provider);
  assert.equal((await auditOf(provider)).code, 4, 'the new one knows nothing of it');
  await writeFile(join(provider.folder, 'former.toml'), before);
  const { code, wallet } = await auditOf(provider);
  assert.equal(code, 0);
  assert.equal(wallet.matched, 1);
});

test('an open invoice of the wallet used before is still watched', options, async (t) => {
  const market = await openMarket(t, { mode: 'payment_first' });
  const { customer, provider } = market;
  const job = await customer.ask(addressed(provider));
  await job.invoice();
  await provider.stop();
  await pay(market, job);
  await writeFile(join(provider.folder, 'former.toml'), await changeWallet(provider));
  await provider.start();
  await job.result();
  await untilState(market, job, 'settled');
  const another = await customer.ask(addressed(provider, [], 'And with the new one?'));
  await buy(market, another);
  await provider.eventually(async () => (await provider.job(another.id)).state === 'settled', 'the new wallet to be paid');
});
