// Every wallet's stand-in, without the program: how it makes invoices and is paid, and its faults. So we know how it behaves
// before the program meets it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nowSeconds, readInvoice } from '../customer.mjs';
import { eventually } from '../eventually.mjs';
import { AMOUNT_MSAT, open, Refused, WALLETS } from './clients.mjs';
import { sha256 } from './lightning-node.mjs';

for (const [name, { cannot = [], skip = false }] of Object.entries(WALLETS)) {
  test(`${name}: an invoice is made, pushed when it is paid, and proved`, { skip }, async (t) => {
    const { wallet, client } = await open(t, name);
    assert.equal(wallet.settings['wallet.kind'], wallet.kind);
    const made = await client.create({ id: 'job 1' });
    const read = readInvoice(made.bolt11);
    assert.deepEqual([read.network, read.amountMsat, read.paymentHash, read.expirySeconds], ['bcrt', String(AMOUNT_MSAT), made.paymentHash, 600]);
    assert.ok(read.hasSecret && Math.abs(read.timestamp - nowSeconds()) < 5);
    assert.equal((await client.look(made)).settled, false);
    const next = await client.listen?.();
    const paid = await wallet.pay(made.bolt11);
    if (next) assert.equal(await next(), made.paymentHash);
    assert.equal(sha256(paid.preimage), made.paymentHash);
    assert.equal(paid.preimage, made.preimage ?? paid.preimage);
    const found = await client.look(made);
    assert.deepEqual([found.settled, found.preimage, found.receivedMsat ?? AMOUNT_MSAT], [true, paid.preimage, AMOUNT_MSAT]);
    await assert.rejects(wallet.pay(made.bolt11), /settled|already/);
    assert.ok(wallet.asked.length >= 3 && wallet.asked.every(({ method, at }) => method && at));
  });

  test(`${name}: an invoice can be of another network, run out and be forgotten`, { skip: skip || cannot.includes('run out') }, async (t) => {
    const { wallet, client } = await open(t, name, { network: 'bitcoin' });
    const made = await client.create({ id: 'job 1' });
    assert.equal(readInvoice(made.bolt11).network, 'bc');
    await wallet.expire(made.paymentHash);
    await assert.rejects(wallet.pay(made.bolt11), /expired/);
    assert.equal((await client.look(made)).settled, false);
    await wallet.forget(made.paymentHash);
    assert.equal(await client.look(made), undefined);
  });

  test(`${name}: every fault of a call`, { skip }, async (t) => {
    const { wallet, client } = await open(t, name);
    await client.ping();
    const faults = { outage: Error, silent: Error, garbage: SyntaxError, 'error-500': Refused, unauthorized: Refused, 'lost-answer': Error };
    for (const [fault, kind] of Object.entries(faults)) {
      if (cannot.includes(fault)) continue;
      const before = wallet.asked.length;
      wallet.fail(fault);
      await assert.rejects(client.ping(), kind, fault);
      assert.deepEqual([wallet.faultsLeft(), wallet.asked.length], [0, before + 1], fault);
      await eventually(() => client.ping().then(() => true, () => false), `${name} to be well after ${fault}`);
    }
    const made = async () => (await client.count?.()) ?? wallet.node.invoices.size;
    const before = await made();
    wallet.fail('lost-answer', 'invoice|payments|callback|request');
    await client.ping();
    assert.equal(wallet.faultsLeft(), 1);
    await assert.rejects(client.create({ id: 'lost' }));
    assert.equal(await made(), before + 1);
    assert.throws(() => wallet.fail('no such fault'));
  });

  test(`${name}: every fault of an invoice`, { skip }, async (t) => {
    const { wallet, client } = await open(t, name);
    async function spoiled(fault, detail) {
      wallet.fail(fault, detail);
      const made = await client.create({ id: fault + (detail ?? '') });
      return { ...readInvoice(made.bolt11), expectedHash: made.paymentHash, bolt11: made.bolt11 };
    }
    assert.equal((await spoiled('wrong-amount')).amountMsat, String(AMOUNT_MSAT + 1000));
    assert.equal((await spoiled('wrong-amount', 1000)).amountMsat, '1000');
    assert.equal((await spoiled('amountless')).amountMsat, undefined);
    assert.equal((await spoiled('wrong-network')).network, 'bc');
    const other = await spoiled('wrong-hash');
    assert.notEqual(other.paymentHash, other.expectedHash);
    const old = await spoiled('expired-invoice');
    assert.ok(old.timestamp + old.expirySeconds < nowSeconds());
    assert.notEqual((await spoiled('wrong-description')).description, 'wrong-description');
    const made = await client.create({ id: 'proof' });
    await wallet.pay(made.bolt11);
    wallet.fail('wrong-preimage');
    assert.notEqual(sha256((await client.look(made)).preimage), made.paymentHash);
    assert.equal(sha256((await client.look(made)).preimage), made.paymentHash);
  });

  test(`${name}: it goes away and comes back with what was paid meanwhile`, { skip }, async (t) => {
    const { wallet, client } = await open(t, name);
    const made = await client.create({ id: 'job 1' });
    await wallet.down();
    await assert.rejects(client.ping());
    await wallet.pay(made.bolt11);
    await wallet.up();
    assert.equal((await client.look(made)).settled, true);
  });
}
