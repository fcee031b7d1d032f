// A wallet that answers is not yet one that is able: what serve finds out before it goes online, and what it does without.
import assert from 'node:assert/strict';
import { access, rm } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from '../harness/eventually.mjs';
import { addressed, openWalletMarket, untilState } from '../harness/market.mjs';
import { skipWithoutProgram } from '../harness/provider.mjs';
import { startCoreLightning } from '../harness/wallets/core-lightning.mjs';
import { startLightningAddress } from '../harness/wallets/lightning-address.mjs';
import { INVOICE_RIGHTS, READONLY_RIGHTS, selfSigned, startLnd } from '../harness/wallets/lnd.mjs';
import { startNwc } from '../harness/wallets/nwc.mjs';

const options = { skip: skipWithoutProgram, timeout: 120_000 };
const DEAD = encodeURIComponent('ws://127.0.0.1:9');

async function open(t, counterpart, more = {}) {
  t.after(() => counterpart.close());
  return openWalletMarket(t, counterpart, { start: false, ...more });
}

// serve must end by itself, as what is configured wrongly does.
async function assertRefused({ provider }, words) {
  await provider.start({ wait: false });
  assert.equal(await provider.death(), 2, provider.log.join('\n'));
  assert.match(provider.log.join('\n'), words);
}

test('a Lightning address that does not tell what was paid', options, async (t) => {
  const market = await open(t, await startLightningAddress({ verify: false }));
  await assertRefused(market, /LUD-21.*another wallet/);
});

test('a node on another network than wallet.network', options, async (t) => {
  const market = await open(t, await startCoreLightning(), { settings: { 'wallet.network': 'testnet' } });
  await assertRefused(market, /is on regtest, and wallet\.network is testnet/);
  for (const command of [['status'], ['wallet', 'status']]) assert.equal((await market.provider.cli(command)).code === 0, false);
});

test('escrow with a wallet that cannot hold, for status too', options, async (t) => {
  const market = await open(t, await startCoreLightning(), { settings: { 'selling.payment_mode': 'escrow' } });
  const { stdout } = await market.provider.cli(['status']);
  assert.match(stdout, /cannot hold payments/);
  await assertRefused(market, /cannot hold payments/);
});

test('a credential that is none, and one that the wallet refuses', options, async (t) => {
  const counterpart = await startLnd();
  const market = await open(t, counterpart, { files: { ...counterpart.files, credential: 'zz' } });
  await assertRefused(market, /no macaroon of LND/);
  await market.keep('credential', 'ab'.repeat(64));
  await market.provider.start({ wait: false });
  assert.notEqual(await market.provider.death(), 0);
  assert.match(market.provider.log.join('\n'), /the wallet refuses our credential/);
});

test('a server that repeats our credential in its errors: no log and no ledger holds it', options, async (t) => {
  const server = createHttpServer((request, response) => {
    response.writeHead(400, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ detail: `bad call: ${JSON.stringify(request.headers)}` }));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const password = 'correct-horse-battery';
  const settings = { 'wallet.kind': 'phoenixd', 'wallet.url': `http://127.0.0.1:${server.address().port}` };
  const { provider } = await openWalletMarket(t, { settings, files: { credential: password } }, { start: false });
  await provider.start({ wait: false });
  await provider.eventually(() => provider.log.some((line) => line.includes('(credential)')), 'the log to show the error');
  await provider.kill();
  const { stdout } = await provider.cli(['ledger', 'export']);
  const told = provider.log.join('\n') + stdout;
  for (const secret of [password, Buffer.from(`:${password}`).toString('base64')]) assert.ok(!told.includes(secret), told);
});

test("LND's own invoice.macaroon is enough, and readonly.macaroon is not", options, async (t) => {
  const counterpart = await startLnd({ rights: INVOICE_RIGHTS });
  const market = await open(t, counterpart);
  const { provider, customer } = market;
  const [fresh] = await provider.json(['wallet', 'status', '--json']);
  assert.deepEqual([fresh.name, fresh.balance_msat], ['LND', null]);
  await provider.start();
  const job = await customer.ask(addressed(provider));
  await counterpart.pay(await job.invoice());
  await untilState(market, job, 'settled');
  const { stdout } = await provider.cli(['ledger', 'export']);
  assert.ok(stdout.includes(counterpart.node.id), 'the invoice names the node that made it');
  await assertRefused(await open(t, await startLnd({ rights: READONLY_RIGHTS })), /permission denied.*invoices:write/);
});

test('a file of certificates that holds none, and one of another server', options, async (t) => {
  const counterpart = await startLnd();
  const market = await open(t, counterpart, { files: { ...counterpart.files, certificate: 'none' } });
  const { code, stderr } = await market.provider.cli(['wallet', 'status']);
  assert.equal(code, 2);
  assert.match(stderr, /holds no certificate in PEM form/);
  await market.keep('certificate', (await selfSigned()).cert);
  const refused = await market.provider.cli(['wallet', 'status']);
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /self-signed certificate, which is not trusted here.*wallet\.certificate_file/s);
});

for (const [name, order] of [['first', (live) => [DEAD, live]], ['last', (live) => [live, DEAD]]]) {
  test(`NWC over two relays, the ${name} of which is dead`, options, async (t) => {
    const counterpart = await startNwc();
    const uri = counterpart.files.credential;
    const live = /relay=([^&]+)/.exec(uri)[1];
    const credential = uri.replace(`relay=${live}`, order(live).map((relay) => `relay=${relay}`).join('&'));
    const market = await open(t, counterpart, { files: { credential } });
    assert.equal((await market.provider.cli(['wallet', 'status'])).code, 0);
    await market.provider.start();
    const job = await market.customer.ask(addressed(market.provider));
    await counterpart.pay(await job.invoice());
    await untilState(market, job, 'settled');
  });
}

test('Ctrl-C while the wallet has not answered yet ends at once', options, async (t) => {
  const asked = new Set();
  const silent = createServer((socket) => asked.add(socket.on('error', () => {})));
  await new Promise((done) => silent.listen(0, '127.0.0.1', done));
  t.after(() => {
    for (const socket of asked) socket.destroy();
    silent.close();
  });
  const { provider } = await openWalletMarket(t, {
    settings: { 'wallet.kind': 'phoenixd', 'wallet.url': `http://127.0.0.1:${silent.address().port}` },
    files: { credential: 'a'.repeat(64) },
  }, { start: false });
  await provider.start({ wait: false });
  await eventually(() => asked.size > 0, 'serve to ask the wallet');
  const start = Date.now();
  assert.equal(await provider.stop(), 0);
  assert.equal(Date.now() - start < 3_000, true, provider.log.join('\n'));
  assert.doesNotMatch(provider.log.join('\n'), /selling as|WentOnline/);
});

test('a wallet whose word about a payment cannot be believed: the log and status say so', options, async (t) => {
  const counterpart = await startLightningAddress();
  const market = await open(t, counterpart, { mode: 'payment_first' });
  const { provider, customer } = market;
  await provider.start();
  const job = await customer.ask(addressed(provider));
  const invoice = await job.invoice();
  for (let i = 0; i < 100; i += 1) counterpart.fail('wrong-preimage');
  await counterpart.pay(invoice);
  const doubt = /whether .* paid is not known: .*preimage/;
  await provider.eventually(() => provider.log.some((line) => doubt.test(line)), 'the log to tell');
  const { code, stdout } = await provider.cli(['status']);
  assert.notEqual(code, 0);
  assert.match(stdout, /payments.*whether 1 invoice was paid is not known: .*preimage/);
  assert.equal(provider.log.filter((line) => doubt.test(line)).length, 1, 'once, however often it is asked');
});

test('a lost wallet.secret is missed and not made anew', options, async (t) => {
  const market = await open(t, await startLnd());
  const secret = join(market.provider.folder, 'wallet.secret');
  await rm(secret);
  for (const command of [['wallet', 'status'], ['wallet', 'invoice', '21'], ['wallet', 'settlements'], ['serve'], ['status']]) {
    const { code, stdout, stderr } = await market.provider.cli(command);
    assert.equal(code, 2, command.join(' '));
    assert.match(stdout + stderr, /wallet's secret is missing/);
    await assert.rejects(access(secret), { code: 'ENOENT' });
  }
});
