// What each wallet's stand-in has of its own, without the program.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import bolt11 from 'bolt11';
import { eventually } from '../eventually.mjs';
import { AMOUNT_MSAT, base64, connectClnRest, connectLnd, connectPhoenixd, hexOf, open, PUSH_TIMEOUT_MS, Refused } from './clients.mjs';
import { skipWithoutElectrum } from './electrum.mjs';
import { randomHex, sha256, sha256OfText } from './lightning-node.mjs';
import { INVOICE_RIGHTS } from './lnd.mjs';

const REGTEST = { bech32: 'bcrt', pubKeyHash: 0x6f, scriptHash: 0xc4, validWitnessVersions: [0, 1] };

const refusedWith = (status, pattern = /./) => (error) => error instanceof Refused && error.status === status && pattern.test(error.message);

test('LND: a preimage cannot be used twice, and an open invoice shows it', async (t) => {
  const { client } = await open(t, 'LND');
  const made = await client.create({ id: 'job 1' });
  assert.equal(made.paymentHash, sha256(made.preimage));
  await assert.rejects(client.create({ id: 'job 1' }), refusedWith(500, /already exists/));
  const found = await client.get(`/v1/invoice/${made.paymentHash}`);
  assert.deepEqual([found.state, hexOf(found.r_preimage), found.settle_index, found.value_msat], ['OPEN', made.preimage, '0', String(AMOUNT_MSAT)]);
});

test('LND: the stream starts behind an index, and tells of new invoices too', async (t) => {
  const { wallet, client } = await open(t, 'LND');
  const made = [];
  for (const id of ['a', 'b', 'c']) made.push(await client.create({ id }));
  for (const { bolt11: text } of made.slice(0, 2)) await wallet.pay(text);
  const next = await client.listen({ from: 1 });
  await client.create({ id: 'd' });
  await wallet.pay(made[2].bolt11, { amountMsat: 2 * AMOUNT_MSAT });
  assert.deepEqual([await next(), await next()], [made[1].paymentHash, made[2].paymentHash]);
  assert.equal((await client.look(made[2])).receivedMsat, 2 * AMOUNT_MSAT);
  const page = await client.get('/v1/invoices?index_offset=1&num_max_invoices=2');
  assert.deepEqual([page.invoices.map(({ memo }) => memo), page.last_index_offset], [['b', 'c'], '3']);
});

test('LND: the macaroon and the certificate are checked; the state needs none', async (t) => {
  const { wallet, client } = await open(t, 'LND');
  const stranger = connectLnd({ ...wallet, files: { ...wallet.files, credential: '00' } });
  await assert.rejects(stranger.ping(), refusedWith(500, /verification failed/));
  assert.equal((await stranger.get('/v1/state')).state, 'SERVER_ACTIVE');
  const seller = await open(t, 'LND', { rights: INVOICE_RIGHTS });
  await seller.client.create({ id: 'job 1' });
  for (const path of ['/v1/getinfo', '/v1/balance/channels']) await assert.rejects(seller.client.get(path), refusedWith(500, /permission denied/));
  const doubter = connectLnd({ ...wallet, files: { ...wallet.files, certificate: undefined } });
  await assert.rejects(doubter.ping(), /self-signed/);
  assert.equal((await client.get('/v1/balance/channels')).local_balance.msat, '1000000000');
});

test('LND: a hold invoice is accepted, then settled by its preimage or canceled', async (t) => {
  const { wallet, client } = await open(t, 'LND');
  const preimage = randomHex();
  for (const hash of [sha256(preimage), randomHex()]) {
    const made = await client.post('/v2/invoices/hodl', { hash: base64(hash), value_msat: '5000' });
    await wallet.pay(made.payment_request);
    assert.equal((await client.get(`/v1/invoice/${hash}`)).state, 'ACCEPTED');
    if (hash === sha256(preimage)) await client.post('/v2/invoices/settle', { preimage: base64(preimage) });
    else await client.post('/v2/invoices/cancel', { payment_hash: base64(hash) });
  }
  assert.deepEqual((await client.get('/v1/invoices')).invoices.map(({ state }) => state), ['SETTLED', 'CANCELED']);
});

test('Core Lightning: a used preimage is said before a used label', async (t) => {
  const { client } = await open(t, 'Core Lightning');
  await client.create({ id: 'job 1' });
  await assert.rejects(client.create({ id: 'job 1' }), refusedWith(901));
  const again = { amount_msat: '5000msat', description: 'x', preimage: randomHex() };
  await assert.rejects(client.call('invoice', { ...again, label: 'job 1' }), refusedWith(900, /Duplicate label/));
  const [found] = (await client.call('listinvoices', { label: 'job 1' })).invoices;
  assert.deepEqual([found.status, found.amount_msat, found.payment_preimage], ['unpaid', AMOUNT_MSAT, undefined]);
  await assert.rejects(client.call('nonsense'), refusedWith(-32601));
  await assert.rejects(client.call('invoice', { label: 'x' }), refusedWith(-32602));
});

test('Core Lightning: answers overtake one that waits, which ends by a payment or by its time', async (t) => {
  const { wallet, client } = await open(t, 'Core Lightning');
  const [first, second] = [await client.create({ id: 'a' }), await client.create({ id: 'b {"' })];
  await assert.rejects(client.call('waitanyinvoice', { lastpay_index: 0, timeout: 0 }), refusedWith(904));
  const waiting = client.call('waitanyinvoice', { lastpay_index: 1 }, PUSH_TIMEOUT_MS);
  await Promise.all([client.ping(), client.call('listfunds')]);
  await wallet.pay(second.bolt11);
  await client.ping();
  await wallet.pay(first.bolt11, { amountMsat: AMOUNT_MSAT + 1 });
  const { payment_hash, pay_index, amount_received_msat } = await waiting;
  assert.deepEqual([payment_hash, pay_index, amount_received_msat], [first.paymentHash, 2, AMOUNT_MSAT + 1]);
});

test('clnrest: the rune is checked, errors are those of the socket', async (t) => {
  const { wallet, client } = await open(t, 'clnrest');
  await client.create({ id: 'job 1' });
  await assert.rejects(client.create({ id: 'job 1' }), refusedWith(500, /901/));
  await assert.rejects(client.call('nonsense'), refusedWith(404));
  await assert.rejects(connectClnRest({ ...wallet, files: { credential: 'x' } }).ping(), refusedWith(401, /Rune/));
});

test('phoenixd: an external id may occur twice, and fees are kept back', async (t) => {
  const { wallet, client } = await open(t, 'phoenixd');
  const made = [await client.create({ id: 'job 1' }), await client.create({ id: 'job 1' }), await client.create({ id: 'job 2' })];
  assert.equal((await client.get('/payments/incoming?externalId=job+1')).length, 0);
  const both = await client.get('/payments/incoming?externalId=job%201&all=true');
  assert.deepEqual(both.map(({ paymentHash }) => paymentHash), [made[1].paymentHash, made[0].paymentHash]);
  assert.ok(!both[0].isPaid && sha256(both[0].preimage) === made[1].paymentHash);
  await wallet.pay(made[0].bolt11, { feeMsat: 2000 });
  const [paid] = await client.get('/payments/incoming');
  assert.deepEqual([paid.requestedSat, paid.receivedSat, paid.fees, paid.isPaid], [21, 19, 2000, true]);
  assert.equal((await client.get('/getbalance')).balanceSat, 1_000_019);
});

test('phoenixd: it minds the password and the description, in plain words', async (t) => {
  const { wallet, client } = await open(t, 'phoenixd');
  await assert.rejects(connectPhoenixd({ ...wallet, files: { credential: 'x' } }).ping(), refusedWith(401, /Invalid authentication/));
  await assert.rejects(connectPhoenixd({ ...wallet, files: { credential: 'x' } }).listen(), /401/);
  await assert.rejects(client.create({ id: 'x'.repeat(129) }), refusedWith(400, /too long/));
  await assert.rejects(client.post('/createinvoice', { amountSat: '1' }), refusedWith(400, /Must provide/));
});

test('LNbits: what does not say out:false is a payment', async (t) => {
  const { wallet, client } = await open(t, 'LNbits');
  const invoice = { amount: 5, unit: 'sat', memo: 'x' };
  await assert.rejects(client.post('/api/v1/payments', invoice), refusedWith(403));
  await assert.rejects(client.post('/api/v1/payments', invoice, { 'X-Api-Key': wallet.adminKey }), refusedWith(400, /BOLT11/));
  assert.equal(wallet.node.invoices.size, 0);
});

test('LNbits: a look-up needs no key, the rest does; what was made is listed', async (t) => {
  const { wallet, client } = await open(t, 'LNbits');
  const made = await client.create({ id: 'job 1' });
  await client.create({ id: 'job 2' });
  const stranger = { 'X-Api-Key': 'x' };
  await assert.rejects(client.get('/api/v1/wallet', stranger), refusedWith(404, /Wallet not found/));
  const { details, ...open_ } = await client.get(`/api/v1/payments/${made.paymentHash}`, stranger);
  assert.deepEqual([details, open_.paid, open_.status], [undefined, false, 'pending']);
  await wallet.pay(made.bolt11);
  const [paid] = await client.get('/api/v1/payments?status=success');
  assert.deepEqual([paid.payment_hash, paid.extra, paid.amount], [made.paymentHash, { job: 'job 1' }, AMOUNT_MSAT]);
  assert.equal((await client.get('/api/v1/payments?limit=1'))[0].memo, 'job 2');
  assert.equal((await client.get('/api/v1/wallet')).balance, 1_000_021_000);
});

test('a Lightning address: the invoice commits to what the address says', async (t) => {
  const { client } = await open(t, 'a Lightning address', { minSendableMsat: 2000 });
  const { metadata, minSendable, tag, callback } = await client.describe();
  assert.deepEqual([tag, minSendable], ['payRequest', 2000]);
  const { tagsObject } = bolt11.decode((await client.create({})).bolt11, REGTEST);
  assert.equal(tagsObject.purpose_commit_hash, sha256OfText(metadata));
  await assert.rejects(client.get(`${callback}?amount=1999`), refusedWith(200, /bounds/));
  await assert.rejects(client.get(callback.replace('/lnurlp/', '/.well-known/lnurlp/x')), refusedWith(404));
});

test('a Lightning address may not say what was paid', async (t) => {
  const { client } = await open(t, 'a Lightning address', { verify: false });
  assert.equal((await client.create({})).verify, undefined);
});

test('NWC: the wallet says what it can do', async (t) => {
  const { client } = await open(t, 'NWC');
  const found = [];
  const relay = await client.listenTo([13194], (event) => found.push(event));
  relay.close();
  assert.match(found[0].content, /make_invoice lookup_invoice/);
  assert.deepEqual(found[0].tags, [['encryption', 'nip04 nip44_v2'], ['notifications', 'payment_received']]);
  const info = await client.call('get_info');
  assert.deepEqual([info.network, (await client.call('get_balance')).balance], ['regtest', 1_000_000_000]);
});

test('NWC: the same request makes another invoice, but what was made can be found', async (t) => {
  const { wallet, client } = await open(t, 'NWC');
  const made = [await client.create({ id: 'job 1' }), await client.create({ id: 'job 1' })];
  assert.equal((await client.call('list_transactions')).transactions.length, 0);
  const { transactions, total_count } = await client.call('list_transactions', { unpaid: true, type: 'incoming' });
  assert.deepEqual(transactions.map(({ payment_hash }) => payment_hash), [made[1].paymentHash, made[0].paymentHash]);
  assert.deepEqual([transactions[0].metadata, transactions[0].state, total_count], [{ job: 'job 1' }, 'pending', 2]);
  await wallet.pay(made[0].bolt11);
  assert.equal((await client.call('list_transactions')).transactions[0].payment_hash, made[0].paymentHash);
  await assert.rejects(client.call('pay_invoice', { invoice: made[1].bolt11 }), refusedWith('NOT_IMPLEMENTED'));
});

test('NWC: both encryptions are spoken, and every notification comes in both', async (t) => {
  const { wallet, client } = await open(t, 'NWC', { state: false });
  const made = await client.call('make_invoice', { amount: 5000, description: 'x' }, { encryption: 'nip04' });
  assert.deepEqual(['state' in made, 'settled_at' in made], [false, false]);
  const heard = new Map();
  const relay = await client.listenTo([23196, 23197], (event) => heard.set(event.kind, event));
  t.after(() => relay.close());
  await wallet.pay(made.invoice);
  await eventually(() => heard.size === 2, 'two notifications');
  for (const event of heard.values()) assert.equal((await client.decrypt(event)).notification.payment_hash, made.payment_hash);
});

test('Electrum: the credential is checked, and what it does not know is no request', { skip: skipWithoutElectrum }, async (t) => {
  const { client } = await open(t, 'Electrum');
  await assert.rejects(client.call('getbalance', {}, 'user:x'), refusedWith(403, /Forbidden/));
  await assert.rejects(client.call('nonsense'), refusedWith(500, /Invalid Request/));
  await assert.rejects(client.call('get_request', { request_id: 'x' }), refusedWith(1));
});

test('Electrum: an invoice runs out by itself, and can be forgotten', { skip: skipWithoutElectrum }, async (t) => {
  const { wallet, client } = await open(t, 'Electrum');
  const made = await client.create({ id: 'job 1', expiration: 1 });
  await assert.rejects(wallet.expire(made.paymentHash));
  await eventually(async () => (await client.call('get_request', { request_id: made.id })).status_str === 'Expired', 'the end of the invoice');
  await assert.rejects(wallet.pay(made.bolt11), /expired/);
  await wallet.forget(made.paymentHash);
  assert.equal(await client.look(made), undefined);
});
