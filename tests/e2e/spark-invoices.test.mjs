// Invoices of the Spark sidecar alone, with the real SDK in it, in a world of Spark on loopback.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readInvoice } from '../harness/customer.mjs';
import { eventually } from '../harness/eventually.mjs';
import { hashOf, openSidecar, openWorld, order, settled, shareSpark } from '../harness/wallets/spark-sidecar.mjs';
import { skipWithoutSpark } from '../harness/wallets/spark-world.mjs';

const options = { skip: skipWithoutSpark, timeout: 300_000 };
const shared = shareSpark();

test('an invoice is genuine, and settled only when the money is there', options, async (t) => {
  const world = await openWorld(t);
  const sidecar = await openSidecar(t, world);
  const made = order();
  const hash = hashOf(made.preimage);
  const invoice = await sidecar.call('create_invoice', made);
  assert.equal(invoice.payment_hash, hash);
  const read = readInvoice(invoice.bolt11);
  assert.deepEqual(
    [read.paymentHash, read.amountMsat, read.description, (read.timestamp + read.expirySeconds) * 1000],
    [hash, '2100000', 'an answer', invoice.expires_at_ms],
  );
  assert.equal((await sidecar.call('look_up', { payment_hash: hash })).state, 'open');

  await world.pay(invoice.bolt11, { until: 'PAYMENT_PREIMAGE_RECOVERED' });
  const halfWay = await sidecar.call('look_up', { payment_hash: hash });
  assert.equal(halfWay.state, 'open');
  assert.equal(JSON.parse(halfWay.evidence).status, 'PAYMENT_PREIMAGE_RECOVERED');
  assert.ok(!sidecar.output.includes(made.preimage), 'the preimage was told before the settlement');

  const newsBefore = sidecar.news();
  await world.pay(invoice.bolt11, { feeSat: 3 });
  await eventually(() => sidecar.news() > newsBefore, 'news');
  const { evidence, ...rest } = await settled(sidecar, hash);
  assert.deepEqual(rest, {
    state: 'settled',
    received_msat: 2_097_000,
    fee_msat: 3000,
    settled_at_ms: world.find(invoice.bolt11).updatedAt,
    preimage: made.preimage,
  });
  const { status, id, invoice: spoken, paymentPreimage } = JSON.parse(evidence);
  assert.deepEqual([status, id, spoken.encodedInvoice], ['TRANSFER_COMPLETED', invoice.id, invoice.bolt11]);
  assert.deepEqual([spoken.memo, paymentPreimage], [undefined, undefined]);
  const { identity_public_key, ...told } = await sidecar.call('status');
  assert.deepEqual(told, { name: 'Spark', balance_msat: 2_097_000 });
  assert.match(identity_public_key, /^0[23][0-9a-f]{64}$/);
});

test('the same preimage means the same invoice', options, async (t) => {
  const world = await openWorld(t);
  const first = await openSidecar(t, world);
  const made = order();
  const [invoice, sameTime] = await Promise.all([first.call('create_invoice', made), first.call('create_invoice', made)]);
  assert.deepEqual(sameTime, invoice);
  assert.deepEqual(await first.call('create_invoice', made), invoice);
  const others = [];
  for (let count = 0; count < 4; count += 1) others.push(await first.call('create_invoice', order()));
  assert.equal(new Set(others.map(({ bolt11 }) => bolt11)).size, 4);
  await first.kill();

  const second = await openSidecar(t, world);
  assert.deepEqual(await second.call('create_invoice', made), invoice);
  assert.equal(world.requests.length, 5);
});

test('without a preimage, each order makes an invoice', options, async () => {
  const { world, sidecar } = shared;
  const some = order({ preimage: undefined, memo: '' });
  const [one, other] = [await sidecar.call('create_invoice', some), await sidecar.call('create_invoice', some)];
  assert.notEqual(one.payment_hash, other.payment_hash);
  await world.pay(one.bolt11);
  assert.equal(hashOf((await settled(sidecar, one.payment_hash)).preimage), one.payment_hash);
  assert.equal((await sidecar.call('look_up', { payment_hash: other.payment_hash })).state, 'open');
});

test('what happened while it was away is found, and the money claimed', options, async (t) => {
  const world = await openWorld(t);
  const before = await openSidecar(t, world);
  const [paid, unpaid] = [await before.call('create_invoice', order()), await before.call('create_invoice', order())];
  assert.equal(await before.end(), 0);
  await world.pay(paid.bolt11);
  assert.equal(world.find(paid.bolt11).status, 'TRANSFER_CREATED');

  const after = await openSidecar(t, world);
  assert.equal((await settled(after, paid.payment_hash)).received_msat, 2_100_000);
  assert.equal((await after.call('look_up', { payment_hash: unpaid.payment_hash })).state, 'open');
  assert.deepEqual(await after.call('look_up', { payment_hash: hashOf('00') }), { state: 'unknown', evidence: 'null' });
});

test('an invoice expires, unless something was received', options, async () => {
  const { world, sidecar } = shared;
  const state = async ({ payment_hash }) => (await sidecar.call('look_up', { payment_hash })).state;
  const short = () => sidecar.call('create_invoice', order({ expiry_s: 2 }));
  const [forgotten, received] = await Promise.all([short(), short()]);
  await world.pay(received.bolt11, { until: 'LIGHTNING_PAYMENT_RECEIVED' });
  await sleep(Math.max(forgotten.expires_at_ms, received.expires_at_ms) - Date.now() + 50);
  assert.equal(await state(forgotten), 'expired');
  assert.equal(await state(received), 'open');
});

test('an outage, a lost answer, lost shares: the repeated order makes one invoice that can be paid', options, async (t) => {
  const { world, sidecar } = shared;
  for (const [fault, call, code] of [
    ['outage', 'RequestLightningReceive', 'unreachable'],
    ['lost-answer', 'RequestLightningReceive', 'unreachable'],
    ['error-500', 'store_preimage_share', 'failed'],
  ]) {
    await t.test(`${fault} of ${call}`, async () => {
      const made = order();
      const asked = world.asked('RequestLightningReceive');
      world.fail(fault, call);
      assert.equal(await sidecar.refusal('create_invoice', made), code);
      assert.equal(world.asked('RequestLightningReceive') - asked, 1, 'the SDK repeated it by itself');
      const invoice = await sidecar.call('create_invoice', made);
      assert.equal(world.requests.filter(({ hash }) => hash === invoice.payment_hash).length, 1);
      await world.pay(invoice.bolt11);
      assert.equal((await settled(sidecar, invoice.payment_hash)).preimage, made.preimage);
    });
  }
});

test('a wrong invoice, told once: the SDK refuses it, and the repeated order finds the right one', options, async () => {
  const { world, sidecar } = shared;
  for (const lie of ['wrong-amount', 'wrong-hash', 'amountless']) {
    const made = order();
    world.fail(lie);
    assert.equal(await sidecar.refusal('create_invoice', made), 'failed', lie);
    const invoice = await sidecar.call('create_invoice', made);
    assert.equal(world.find(invoice.bolt11).hash, hashOf(made.preimage), lie);
    assert.equal(world.requests.filter(({ hash }) => hash === invoice.payment_hash).length, 1, lie);
  }
});

test('what the SDK does not look at in an invoice, the caller must: it is told again', options, async () => {
  const { world, sidecar } = shared;
  for (const lie of ['wrong-network', 'expired-invoice', 'wrong-description']) {
    const made = order();
    world.fail(lie);
    const invoice = await sidecar.call('create_invoice', made);
    assert.equal(world.find(invoice.bolt11), undefined, lie);
    assert.deepEqual(await sidecar.call('create_invoice', made), invoice, lie);
  }
});

test('what the SDK mends by itself: a session that was forgotten, shares whose storing was not heard of', options, async () => {
  const { world, sidecar } = shared;
  for (const [fault, call] of [['unauthorized', 'RequestLightningReceive'], ['lost-answer', 'store_preimage_share']]) {
    world.fail(fault, call);
    const invoice = await sidecar.call('create_invoice', order());
    assert.equal(world.faultsLeft(), 0, fault);
    await world.pay(invoice.bolt11);
    await settled(sidecar, invoice.payment_hash);
  }
});

test('an invoice whose shares were never stored is not settled by a payment', options, async () => {
  const { world, sidecar } = shared;
  const made = order();
  world.fail('error-500', 'store_preimage_share');
  await sidecar.refusal('create_invoice', made);
  await world.pay(world.requests.at(-1).bolt11);
  assert.equal((await sidecar.call('look_up', { payment_hash: hashOf(made.preimage) })).state, 'open');
});

test('an invoice fails when the provider says so', options, async () => {
  const { world, sidecar } = shared;
  const invoice = await sidecar.call('create_invoice', order());
  world.find(invoice.bolt11).status = 'TRANSFER_CREATION_FAILED';
  assert.equal((await sidecar.call('look_up', { payment_hash: invoice.payment_hash })).state, 'failed');
});

test('a refusal says why', options, async () => {
  const { world, sidecar } = shared;
  world.fail('error-500', 'RequestLightningReceive');
  const { error } = await sidecar.ask('create_invoice', order());
  assert.deepEqual(error.data, { code: 'refused' });
  assert.match(error.message, /this wallet may not do that/);
});

test('the list has all pages, newest first, since a time', options, async (t) => {
  const world = await openWorld(t);
  const sidecar = await openSidecar(t, world);
  assert.deepEqual(await sidecar.call('list', { since_ms: 0 }), { invoices: [], more: false });
  const made = [];
  for (let count = 0; count < 7; count += 1) made.unshift(await sidecar.call('create_invoice', order({ amount_sat: 100 + count })));
  await world.pay(made[2].bolt11);
  await settled(sidecar, made[2].payment_hash);
  const { invoices, more } = await sidecar.call('list', { since_ms: 0 });
  assert.equal(more, false);
  const states = made.map((_, index) => (index === 2 ? 'settled' : 'open'));
  assert.deepEqual(invoices.map(({ bolt11 }) => bolt11), made.map(({ bolt11 }) => bolt11));
  assert.deepEqual(invoices.map(({ state }) => state), states);
  assert.deepEqual(invoices.map(({ amount_msat }) => amount_msat), [106, 105, 104, 103, 102, 101, 100].map((sat) => sat * 1000));
  assert.equal(invoices[2].received_msat, invoices[2].amount_msat);
  assert.ok(invoices[2].settled_at_ms >= invoices[2].created_at_ms);
  assert.equal(invoices[0].received_msat, undefined);
  const recent = await sidecar.call('list', { since_ms: invoices[3].created_at_ms });
  assert.deepEqual(recent.invoices, invoices.slice(0, 4));
});
