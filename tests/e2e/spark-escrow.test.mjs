// Payments that the Spark sidecar holds, with the real SDK in it, in a world of Spark on loopback.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../harness/eventually.mjs';
import { held, openSidecar, openWorld, order, settled, shareSpark } from '../harness/wallets/spark-sidecar.mjs';
import { skipWithoutSpark } from '../harness/wallets/spark-world.mjs';

const options = { skip: skipWithoutSpark, timeout: 300_000 };
const shared = shareSpark();

test('an invoice that holds: its payment waits, is taken, and then it is settled', options, async (t) => {
  const world = await openWorld(t);
  const before = await openSidecar(t, world);
  const made = order({ hold: true });
  const invoice = await before.call('create_invoice', made);
  assert.deepEqual(await before.call('create_invoice', made), invoice);
  const payment_hash = invoice.payment_hash;
  const taking = { payment_hash, preimage: made.preimage };
  assert.equal((await held(before, payment_hash)).state, 'open');
  assert.equal(await before.refusal('take', taking), 'refused');

  await world.pay(invoice.bolt11, { feeSat: 3 });
  const { evidence, until_ms, ...rest } = await held(before, payment_hash);
  assert.deepEqual(rest, { state: 'held', received_msat: 2_097_000, fee_msat: 3000 });
  assert.ok(until_ms > Date.now());
  assert.equal(JSON.parse(evidence).payment.sats, 2097);
  assert.equal((await before.call('status')).balance_msat, 0);
  await before.kill();

  const after = await openSidecar(t, world);
  assert.deepEqual(await after.call('create_invoice', made), invoice);
  assert.equal((await held(after, payment_hash)).state, 'held');
  assert.equal(await after.refusal('take', { ...taking, preimage: order().preimage }), 'bad_params');
  assert.ok(!after.output.includes(made.preimage), 'the preimage was told before it was taken');
  const newsBefore = after.news();
  assert.deepEqual(await after.call('take', taking), {});
  assert.deepEqual(await after.call('take', taking), {});
  await eventually(() => after.news() > newsBefore, 'news');
  const { received_msat, fee_msat, preimage } = await settled(after, payment_hash, true);
  assert.deepEqual([received_msat, fee_msat, preimage], [2_097_000, 3000, made.preimage]);
  assert.equal((await after.call('status')).balance_msat, 2_097_000);
  assert.deepEqual(await after.call('take', taking), {});
  assert.equal((await after.call('status')).balance_msat, 2_097_000);
});

test('a payment is held until the provider knows that it was taken', options, async (t) => {
  const { world, sidecar } = shared;
  const tell = world.withholdClaims();
  t.after(tell);
  const made = order({ hold: true });
  const { bolt11, payment_hash } = await sidecar.call('create_invoice', made);
  await world.pay(bolt11);
  const [one, other] = await Promise.all([1, 2].map(() => sidecar.call('take', { payment_hash, preimage: made.preimage })));
  assert.deepEqual([one, other], [{}, {}]);
  assert.equal((await held(sidecar, payment_hash)).state, 'held');
  tell();
  await settled(sidecar, payment_hash, true);
});

test('a payment that is never taken goes back', options, async () => {
  const { world, sidecar } = shared;
  const made = order({ hold: true });
  const { bolt11, payment_hash } = await sidecar.call('create_invoice', made);
  await world.pay(bolt11);
  assert.equal((await held(sidecar, payment_hash)).state, 'held');
  world.giveBack(bolt11);
  assert.equal((await held(sidecar, payment_hash)).state, 'returned');
  assert.equal(await sidecar.refusal('take', { payment_hash, preimage: made.preimage }), 'refused');
});

test('what somebody else sends under the hash of an invoice is no payment, and gets no preimage', options, async () => {
  const { world, sidecar } = shared;
  const made = order({ hold: true });
  const { bolt11, payment_hash } = await sidecar.call('create_invoice', made);
  await world.slip(bolt11, 1);
  assert.equal((await held(sidecar, payment_hash)).state, 'open');
  assert.equal(await sidecar.refusal('take', { payment_hash, preimage: made.preimage }), 'refused');
});

test('an attempt that the provider gave up is no payment, and another one may follow', options, async () => {
  const { world, sidecar } = shared;
  const { bolt11, payment_hash } = await sidecar.call('create_invoice', order({ hold: true }));
  await world.pay(bolt11);
  world.giveBack(bolt11, { expired: false });
  assert.equal((await held(sidecar, payment_hash)).state, 'open');
  await world.pay(bolt11);
  assert.equal((await held(sidecar, payment_hash)).received_msat, 2_100_000);
});
