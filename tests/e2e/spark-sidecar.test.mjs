// The Spark sidecar as a process: what it says by itself, how it starts and ends, what it refuses; with the real SDK in it, in a
// world of Spark on loopback.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { eventually } from '../harness/eventually.mjs';
import { MNEMONIC, opening, openSidecar, openWorld, order, settled, shareSpark, startSidecar } from '../harness/wallets/spark-sidecar.mjs';
import { skipWithoutSpark, startSparkWorld } from '../harness/wallets/spark-world.mjs';

const options = { skip: skipWithoutSpark, timeout: 300_000 };
const shared = shareSpark();

test('news come at once, also while another process with the same seed takes the money first', options, async (t) => {
  const { world, sidecar } = shared;
  const [daemon, command] = [sidecar, await openSidecar(t, world)];
  const byHand = await command.call('create_invoice', order());
  daemon.pause();
  await world.pay(byHand.bolt11);
  await settled(command, byHand.payment_hash);
  await command.end();
  daemon.resume();
  const invoice = await daemon.call('create_invoice', order());
  const [newsBefore, paidAt] = [daemon.news(), Date.now()];
  await world.pay(invoice.bolt11);
  await eventually(() => daemon.news() > newsBefore, 'news');
  await settled(daemon, invoice.payment_hash);
  assert.ok(Date.now() - paidAt < 5000, 'it took its time');
});

test('news come again, for a provider who learns of a claim late', options, async (t) => {
  const { world, sidecar } = shared;
  const tell = world.withholdClaims();
  t.after(tell);
  const invoice = await sidecar.call('create_invoice', order());
  const newsBefore = sidecar.news();
  await world.pay(invoice.bolt11);
  await eventually(() => sidecar.news() > newsBefore, 'news');
  assert.equal((await sidecar.call('look_up', { payment_hash: invoice.payment_hash })).state, 'open');
  const newsOnce = sidecar.news();
  tell();
  await eventually(() => sidecar.news() > newsOnce, 'news again');
  assert.equal((await sidecar.call('look_up', { payment_hash: invoice.payment_hash })).state, 'settled');
});

test('a lost stream of news is told, and mended', options, async () => {
  const { world, sidecar } = shared;
  await eventually(() => sidecar.connection() === 'connected', 'the stream');
  world.dropStreams();
  await eventually(() => sidecar.connection() === 'lost', 'the loss');
  await eventually(() => sidecar.connection() === 'connected', 'the stream again');
  const invoice = await sidecar.call('create_invoice', order());
  await world.pay(invoice.bolt11);
  await settled(sidecar, invoice.payment_hash);
});

test('away and back: calls say so meanwhile, and what is paid then is claimed', options, async (t) => {
  const world = await openWorld(t);
  const sidecar = await openSidecar(t, world);
  const invoice = await sidecar.call('create_invoice', order());
  await world.down();
  for (const [method, params] of [['status'], ['create_invoice', order()], ['look_up', { payment_hash: invoice.payment_hash }]]) {
    assert.equal(await sidecar.refusal(method, params), 'unreachable', method);
  }
  await world.up();
  await world.pay(invoice.bolt11);
  await eventually(async () => (await sidecar.call('look_up', { payment_hash: invoice.payment_hash })).state === 'settled', 'the claim');
  await eventually(() => sidecar.connection() === 'connected', 'the stream again');
});

test('offline, open says so and ends the process', options, async (t) => {
  const world = await startSparkWorld();
  await world.close();
  const sidecar = startSidecar(t);
  assert.equal(await sidecar.refusal('open', opening(world)), 'unreachable');
  assert.equal(await sidecar.exit(), 1);
});

test('open wants a secret that is one, and says nothing of it', options, async (t) => {
  const world = await openWorld(t);
  const wrong = MNEMONIC.replace('yellow', 'winner');
  const sidecar = startSidecar(t);
  assert.equal(await sidecar.refusal('open', opening(world, { mnemonic_or_seed: wrong })), 'bad_params');
  assert.equal(await sidecar.exit(), 1);
  assert.doesNotMatch(sidecar.output, /legal|winner/);
});

test('lines that are no requests get errors, and do no harm', options, async (t) => {
  const world = await openWorld(t);
  const sidecar = startSidecar(t);
  for (const [text, code] of [
    ['this is no JSON', -32700],
    ['{"jsonrpc":"2.0","id":1,"meth', -32700],
    ['[]', -32600],
    ['null', -32600],
    ['{"jsonrpc":"2.0","id":{},"method":"status"}', -32600],
    [`{"jsonrpc":"2.0","id":"x","method":"status","params":{"long":"${'x'.repeat(64 * 1024)}"}}`, -32600],
    ['x'.repeat(1_000_000), -32600],
  ]) {
    const before = sidecar.messages.length;
    sidecar.write(text + '\n');
    const { id, error } = await eventually(() => sidecar.messages[before], `an error for ${text.slice(0, 40)}`);
    assert.deepEqual([id, error.code], [null, code], text.slice(0, 40));
  }
  assert.equal((await sidecar.ask('steal', {})).error.code, -32601);
  assert.equal((await sidecar.ask('toString', {})).error.code, -32601);
  assert.equal(await sidecar.refusal('status'), 'not_open');
  assert.equal(await sidecar.refusal('open', opening(world, { network: 'MOON' })), 'bad_params');
  await sidecar.call('open', opening(world));
  assert.equal(await sidecar.refusal('open', opening(world)), 'failed');
  for (const fields of [{ hold: 1 }, { hold: true, preimage: undefined }, { amount_sat: 0 }, { amount_sat: 1.5 }, { amount_sat: '1' }, { memo: undefined }, { memo: 'x'.repeat(640) },
    { expiry_s: 0 }, { preimage: 'f'.repeat(64) }, { preimage: '0'.repeat(64) }, { preimage: 'ab' }]) {
    assert.equal(await sidecar.refusal('create_invoice', order(fields)), 'bad_params', JSON.stringify(fields).slice(0, 40));
  }
  assert.equal(await sidecar.refusal('look_up', { payment_hash: 7 }), 'bad_params');
  assert.equal(await sidecar.refusal('list', []), 'bad_params');
  assert.equal((await sidecar.call('status')).balance_msat, 0);
});

test('it ends with stdin, and never said a secret', options, async (t) => {
  const world = await openWorld(t);
  const seed = randomBytes(32).toString('hex');
  const sidecar = startSidecar(t);
  const { network, identity_public_key: identity } = await sidecar.call('open', opening(world, { mnemonic_or_seed: seed, account_number: 3 }));
  assert.equal(network, 'LOCAL');
  assert.match(identity, /^0[23][0-9a-f]{64}$/);
  const made = order();
  for (const [fault, call] of [
    ['outage', 'RequestLightningReceive'],
    ['error-500', 'RequestLightningReceive'],
    ['lost-answer', 'RequestLightningReceive'],
    ['error-500', 'store_preimage_share'],
  ]) {
    world.fail(fault, call);
    await sidecar.ask('create_invoice', made);
  }
  await sidecar.call('create_invoice', made);
  await sidecar.call('list', { since_ms: 0 });
  const from = Date.now();
  assert.equal(await sidecar.end(), 0);
  assert.ok(Date.now() - from < 1000, 'it took its time');
  for (const secret of [seed, made.preimage]) assert.ok(!sidecar.output.includes(secret), 'a secret was said');
  assert.deepEqual(sidecar.output.split('\n').filter((line) => line && !line.startsWith('{')), [], 'something was said on stderr');
});
