// The Spark sidecar alone, with the real SDK in it, in a world of Spark on loopback.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { readInvoice } from '../harness/customer.mjs';
import { eventually } from '../harness/eventually.mjs';
import { sparkFolder } from '../harness/wallets/spark-operators.mjs';
import { skipWithoutSpark, startSparkWorld } from '../harness/wallets/spark-world.mjs';

const MNEMONIC = 'legal winner thank year wave sausage worth useful legal winner thank yellow';
const ANSWER_LIMIT_MS = 40_000; // the sidecar itself gives up after 30 s
const options = { skip: skipWithoutSpark, timeout: 120_000 };

const hashOf = (preimage) => createHash('sha256').update(preimage, 'hex').digest('hex');

const order = (fields = {}) => ({
  amount_sat: 2100,
  memo: 'an answer',
  expiry_s: 600,
  preimage: randomBytes(32).toString('hex'),
  ...fields,
});

function startSidecar(t) {
  const child = spawn(process.execPath, [fileURLToPath(new URL('sidecar.mjs', sparkFolder))], { stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  let gone = false;
  let calls = 0;
  const sidecar = {
    messages: [], // whatever it said
    output: '', // the same as text, and what it said on stderr
    news: () => sidecar.messages.filter(({ method }) => method === 'news').length,
    connection: () => sidecar.messages.findLast(({ method }) => method === 'connection')?.params.state,
    write: (text) => child.stdin.write(text),
    ask,
    call,
    refusal,
    end,
    pause: () => child.kill('SIGSTOP'),
    resume: () => child.kill('SIGCONT'),
    kill: () => child.kill('SIGKILL') && ended,
    exit: async () => (await ended)[0],
  };
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    sidecar.messages.push(...lines.map((line) => JSON.parse(line)));
    sidecar.output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => (sidecar.output += text));
  child.stdin.on('error', () => {});
  child.on('close', () => (gone = true));
  t.after(sidecar.kill);
  return sidecar;

  // The whole answer.
  async function ask(method, params) {
    const id = (calls += 1);
    sidecar.write(JSON.stringify({ jsonrpc: '2.0', id, method, params }) + '\n');
    return eventually(() => {
      const answer = sidecar.messages.find((message) => message.id === id);
      if (!answer && gone) throw new Error(`the sidecar ended before it answered ${method}: ${sidecar.output.slice(-500)}`);
      return answer;
    }, `an answer to ${method}`, ANSWER_LIMIT_MS);
  }

  async function call(method, params = {}) {
    const { result, error } = await ask(method, params);
    assert.equal(error, undefined, `${method}: ${JSON.stringify(error)}`);
    return result;
  }

  // Which of our errors it is.
  async function refusal(method, params = {}) {
    const { error } = await ask(method, params);
    assert.equal(error?.code, -32000, `${method} was not refused`);
    assert.ok(error.message.length > 10, error.message);
    return error.data.code;
  }

  // Ctrl-D: its exit code.
  async function end() {
    child.stdin.end();
    return sidecar.exit();
  }
}

const opening = (world, fields = {}) => ({ mnemonic_or_seed: MNEMONIC, network: 'LOCAL', options: world.options, ...fields });

async function openSidecar(t, world) {
  const sidecar = startSidecar(t);
  await sidecar.call('open', opening(world));
  return sidecar;
}

async function openWorld(t) {
  const world = await startSparkWorld();
  t.after(world.close);
  return world;
}

// The world and the sidecar of all tests that need no fresh ones: a start takes two seconds or more.
let world;
let sidecar;
const ends = [];
before(async () => {
  if (skipWithoutSpark) return;
  const t = { after: (end) => ends.unshift(end) };
  world = await openWorld(t);
  sidecar = await openSidecar(t, world);
});
after(async () => {
  for (const end of ends) await end();
});

const settled = (sidecar, payment_hash, hold) =>
  eventually(async () => {
    const found = await sidecar.call('look_up', { payment_hash, hold });
    return found.state === 'settled' && found;
  }, 'the settlement');

const held = (sidecar, payment_hash) => sidecar.call('look_up', { payment_hash, hold: true });

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
  assert.deepEqual(await sidecar.call('status'), { name: 'Spark', balance_msat: 2_097_000 });
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

test('without a preimage, each order makes an invoice', options, async (t) => {
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

test('an invoice expires, unless something was received', options, async (t) => {
  const state = async ({ payment_hash }) => (await sidecar.call('look_up', { payment_hash })).state;
  const short = () => sidecar.call('create_invoice', order({ expiry_s: 2 }));
  const [forgotten, received] = await Promise.all([short(), short()]);
  await world.pay(received.bolt11, { until: 'LIGHTNING_PAYMENT_RECEIVED' });
  await sleep(Math.max(forgotten.expires_at_ms, received.expires_at_ms) - Date.now() + 50);
  assert.equal(await state(forgotten), 'expired');
  assert.equal(await state(received), 'open');
});

test('an outage, a lost answer, lost shares: the repeated order makes one invoice that can be paid', options, async (t) => {
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
  for (const lie of ['wrong-network', 'expired-invoice', 'wrong-description']) {
    const made = order();
    world.fail(lie);
    const invoice = await sidecar.call('create_invoice', made);
    assert.equal(world.find(invoice.bolt11), undefined, lie);
    assert.deepEqual(await sidecar.call('create_invoice', made), invoice, lie);
  }
});

test('what the SDK mends by itself: a session that was forgotten, shares whose storing was not heard of', options, async () => {
  for (const [fault, call] of [['unauthorized', 'RequestLightningReceive'], ['lost-answer', 'store_preimage_share']]) {
    world.fail(fault, call);
    const invoice = await sidecar.call('create_invoice', order());
    assert.equal(world.faultsLeft(), 0, fault);
    await world.pay(invoice.bolt11);
    await settled(sidecar, invoice.payment_hash);
  }
});

test('an invoice whose shares were never stored is not settled by a payment', options, async (t) => {
  const made = order();
  world.fail('error-500', 'store_preimage_share');
  await sidecar.refusal('create_invoice', made);
  await world.pay(world.requests.at(-1).bolt11);
  assert.equal((await sidecar.call('look_up', { payment_hash: hashOf(made.preimage) })).state, 'open');
});

test('an invoice fails when the provider says so', options, async (t) => {
  const invoice = await sidecar.call('create_invoice', order());
  world.find(invoice.bolt11).status = 'TRANSFER_CREATION_FAILED';
  assert.equal((await sidecar.call('look_up', { payment_hash: invoice.payment_hash })).state, 'failed');
});

test('news come at once, also while another process with the same seed takes the money first', options, async (t) => {
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
  const world = await openWorld(t);
  const sidecar = await openSidecar(t, world);
  world.providerLagMs = 500;
  const invoice = await sidecar.call('create_invoice', order());
  await world.pay(invoice.bolt11);
  await eventually(() => world.find(invoice.bolt11).status === 'TRANSFER_COMPLETED', 'the provider');
  const newsBefore = sidecar.news();
  await eventually(() => sidecar.news() > newsBefore, 'news again');
  assert.equal((await sidecar.call('look_up', { payment_hash: invoice.payment_hash })).state, 'settled');
});

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
  const world = await openWorld(t);
  const sidecar = await openSidecar(t, world);
  world.providerLagMs = 500;
  const made = order({ hold: true });
  const { bolt11, payment_hash } = await sidecar.call('create_invoice', made);
  await world.pay(bolt11);
  const [one, other] = await Promise.all([1, 2].map(() => sidecar.call('take', { payment_hash, preimage: made.preimage })));
  assert.deepEqual([one, other], [{}, {}]);
  assert.equal((await held(sidecar, payment_hash)).state, 'held');
  await settled(sidecar, payment_hash, true);
});

test('a payment that is never taken goes back', options, async (t) => {
  const made = order({ hold: true });
  const { bolt11, payment_hash } = await sidecar.call('create_invoice', made);
  await world.pay(bolt11);
  assert.equal((await held(sidecar, payment_hash)).state, 'held');
  world.giveBack(bolt11);
  assert.equal((await held(sidecar, payment_hash)).state, 'returned');
  assert.equal(await sidecar.refusal('take', { payment_hash, preimage: made.preimage }), 'refused');
});

test('what somebody else sends under the hash of an invoice is no payment, and gets no preimage', options, async (t) => {
  const made = order({ hold: true });
  const { bolt11, payment_hash } = await sidecar.call('create_invoice', made);
  await world.slip(bolt11, 1);
  assert.equal((await held(sidecar, payment_hash)).state, 'open');
  assert.equal(await sidecar.refusal('take', { payment_hash, preimage: made.preimage }), 'refused');
});

test('an attempt that the provider gave up is no payment, and another one may follow', options, async (t) => {
  const { bolt11, payment_hash } = await sidecar.call('create_invoice', order({ hold: true }));
  await world.pay(bolt11);
  world.giveBack(bolt11, { expired: false });
  assert.equal((await held(sidecar, payment_hash)).state, 'open');
  await world.pay(bolt11);
  assert.equal((await held(sidecar, payment_hash)).received_msat, 2_100_000);
});

test('a refusal says why', options, async (t) => {
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

test('a lost stream of news is told, and mended', options, async (t) => {
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
  await eventually(async () => (await sidecar.call('look_up', { payment_hash: invoice.payment_hash })).state === 'settled', 'the claim', 60_000);
  await eventually(() => sidecar.connection() === 'connected', 'the stream again', 60_000);
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
