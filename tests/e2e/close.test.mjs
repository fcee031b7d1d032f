// The operator says how an invoice ended that the wallet does not know any more: `jobs close`.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressed, openWalletMarket, untilState } from '../harness/market.mjs';
import { skipWithoutProgram } from '../harness/provider.mjs';
import { hashOf } from '../harness/refunds.mjs';
import { startLnd } from '../harness/wallets/lnd.mjs';

const options = { skip: skipWithoutProgram, timeout: 300_000 };
const HOUR_MS = 3_600_000;

test('a job is closed by the word of the operator, once its invoice has expired', options, async (t) => {
  const counterpart = await startLnd();
  t.after(() => counterpart.close());
  const market = await openWalletMarket(t, counterpart);
  const { customer, provider } = market;
  const job = await customer.ask(addressed(provider));
  const invoice = await job.invoice();
  await untilState(market, job, 'delivered_unpaid');
  const close = (...how) => provider.cli(['jobs', 'close', job.id, ...how]);

  assert.equal((await close()).code, 2);
  assert.equal((await close('--never-paid', 'I looked', '--paid-elsewhere', 'in cash')).code, 2);
  const early = await close('--never-paid', 'I looked');
  assert.notEqual(early.code, 0);
  assert.match(early.stderr, /can still be paid/);

  await provider.stop();
  await counterpart.forget(hashOf(invoice));
  const { stderr } = await close('--never-paid', 'I looked');
  assert.match(stderr, /no `sellcompute serve` is running/);
  await provider.start({ clockMs: Date.now() + 2 * HOUR_MS });
  const closed = await close('--paid-elsewhere', 'in cash');
  assert.equal(closed.code, 0, closed.stderr);
  await untilState(market, job, 'unpaid');
  const [shown] = await provider.json(['jobs', 'show', job.id, '--json']);
  const end = shown.facts.find((fact) => fact.type === 'InvoiceExpired');
  assert.equal(end.facts.basis, 'operator_said');
  assert.equal(end.facts.evidence, 'paid elsewhere: in cash');
  const again = await close('--never-paid', 'I looked');
  assert.notEqual(again.code, 0);
  assert.match(again.stderr, /no invoice of this job is open/);
  assert.equal((await provider.cli(['audit'])).code, 0);
});
