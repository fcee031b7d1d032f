// A ledger that lost its end: serve finds out, refuses, and goes on only at the operator's word, without doing anything twice.
import assert from 'node:assert/strict';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { addressed, buy, openMarket, pay, untilState } from '../harness/market.mjs';
import { skipWithoutProgram } from '../harness/provider.mjs';

const options = { skip: skipWithoutProgram, timeout: 300_000 };
const LEDGER_EXIT = 5;

const ledgerOf = ({ provider }) => join(provider.folder, 'data', 'ledger');

// Puts a copy of the ledger, as it is now, aside; the wallet's books are not part of it.
async function backUp(market, name) {
  const copy = join(market.provider.folder, name);
  await cp(ledgerOf(market), copy, { recursive: true });
  return copy;
}

async function restore(market, copy) {
  await rm(ledgerOf(market), { recursive: true });
  await cp(copy, ledgerOf(market), { recursive: true });
}

async function assertRefused({ provider }, evidence) {
  const before = provider.log.length;
  await provider.start({ wait: false });
  assert.equal(await provider.death(), LEDGER_EXIT, provider.log.slice(before).join('\n'));
  const log = provider.log.slice(before).join('\n');
  assert.match(log, /this ledger went back in time/);
  assert.match(log, evidence);
  assert.match(log, /--accept-rollback/);
  assert.doesNotMatch(log, /selling as/);
}

// A market whose ledger was put back to a moment at which the first job waited for its payment; the customer has paid for it
// since, and for a second one.
async function marketWithBackup(t) {
  const market = await openMarket(t, { mode: 'payment_first' });
  const { customer, provider } = market;
  const first = await customer.ask(addressed(provider));
  await first.invoice();
  await untilState(market, first, 'awaiting_payment');
  await provider.stop();
  const backup = await backUp(market, 'backup');
  await provider.start();
  await buy(market, first);
  const second = await customer.ask(addressed(provider, [], 'And what is a relay?'));
  await buy(market, second);
  await untilState(market, second, 'settled');
  await provider.stop();
  return { ...market, first, second, backup };
}

test('a backup that was put back: nothing is sold before the operator agrees, and nothing is done twice then', options, async (t) => {
  const market = await marketWithBackup(t);
  const { provider, first, second } = market;
  const facts = (await provider.json(['ledger', 'stats', '--json']))[0];
  await restore(market, market.backup);
  await assertRefused(market, /a checkpoint of \d+ entries, signed with this key, while this ledger has \d+/);
  assert.ok((await provider.json(['ledger', 'stats', '--json']))[0].entries < facts.entries, 'nothing was written');

  await provider.start({ args: ['--accept-rollback'] });
  await untilState(market, first, 'refund_owed');
  assert.equal(first.results().length, 1);
  assert.equal(first.invoices().length, 1);
  assert.equal(await provider.job(second.id), undefined, 'it was served by what was lost');
  assert.equal(second.results().length, 1);
  const [shown] = await provider.json(['jobs', 'show', first.id, '--json']);
  assert.ok(shown.facts.some((fact) => fact.type === 'JobClosed'));
  assert.equal((await provider.cli(['audit'])).code, 0);

  const third = await market.customer.ask(addressed(provider, [], 'Is the shop open again?'));
  await buy(market, third);
  await provider.stop();
  await provider.start();
  await provider.stop();
});

test('two machines with one key: each sees what the other did', options, async (t) => {
  const market = await marketWithBackup(t);
  const { provider } = market;
  const one = await backUp(market, 'one');
  await restore(market, market.backup);
  await provider.start({ args: ['--accept-rollback'] });
  await buy(market, await market.customer.ask(addressed(provider, [], 'Which machine is this?')));
  await provider.stop();
  await restore(market, one);
  await assertRefused(market, /signed with this key/);
});

test('a new ledger with the key of an old one is no rollback', options, async (t) => {
  const market = await marketWithBackup(t);
  await rm(ledgerOf(market), { recursive: true });
  await new Promise((done) => setTimeout(done, 1_100)); // relays tell seconds apart
  await market.provider.start();
  await buy(market, await market.customer.ask(addressed(market.provider, [], 'Is this a new shop?')));
  await market.provider.stop();
  await market.provider.start();
});

test('with no relay to ask the shop opens, and says that nothing was checked', options, async (t) => {
  const { provider } = await openMarket(t);
  await provider.stop();
  const env = { SELLCOMPUTE_RELAYS_URLS: 'ws://127.0.0.1:9' };
  await provider.start({ wait: false, env });
  await provider.eventually(() => provider.log.some((line) => line.includes('rollback not checked')), 'the log to tell');
  await provider.eventually(async () => /rollback.*not checked/.test((await provider.cli(['status'])).stdout), 'status to tell');
  assert.equal(await provider.stop(), 0);
});
