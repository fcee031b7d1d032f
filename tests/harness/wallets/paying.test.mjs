// The wallets' stand-ins that can pay, without the program.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../eventually.mjs';
import { AMOUNT_MSAT, open, Refused, WALLETS } from './clients.mjs';
import { LightningNode } from './lightning-node.mjs';

// words: for what was paid, what is on its way and what failed. limits: whether they take a limit of the fee. keeps: what they
// remember of what they did not try.
const PAYERS = {
  LND: { words: ['SUCCEEDED', undefined, 'FAILED'], limits: true, keeps: ['no-balance'] },
  'Core Lightning': { words: ['complete', 'pending', 'failed'], limits: true },
  phoenixd: { words: ['paid', 'pending', 'failed'], keeps: ['no-balance'] },
  LNbits: { words: ['success', 'pending', 'failed'], keeps: ['unsupported'] },
  NWC: { words: ['settled', 'pending', 'failed'] },
};

// Somebody else's node, whose invoices the wallet can pay.
async function openPayer(t, name) {
  const { wallet, client: receiver } = await open(t, name);
  const theirs = new LightningNode();
  wallet.node.reach(theirs);
  const credential = wallet.refundCredential ?? wallet.files.credential;
  const client = WALLETS[name].connect({ ...wallet, files: { ...wallet.files, credential } });
  t.after(() => client.leave?.());
  return { wallet, receiver, client, theirs, invoice: () => theirs.create({ amountMsat: AMOUNT_MSAT }) };
}

for (const [name, { words: [paid, pending, failed], limits = false, keeps = [] }] of Object.entries(PAYERS)) {
  test(`${name}: it pays once, and knows what it paid`, async (t) => {
    const { wallet, client, theirs, invoice } = await openPayer(t, name);
    const { bolt11: text, paymentHash, preimage } = invoice();
    assert.equal(await client.sent(paymentHash), undefined);
    const before = wallet.node.balanceMsat();
    await client.pay(text);
    await client.pay(text).catch(() => {});
    const known = await client.sent(paymentHash);
    assert.deepEqual([known.status, known.preimage], [paid, preimage]);
    assert.ok(known.feeMsat > 0);
    assert.equal(theirs.invoices.get(paymentHash).receivedMsat, AMOUNT_MSAT);
    assert.equal(wallet.node.payments.filter(({ status }) => status === 'complete').length, 1);
    assert.equal(wallet.node.balanceMsat(), before - AMOUNT_MSAT - known.feeMsat);
  });

  test(`${name}: it says that it could not pay`, async (t) => {
    const { wallet, client, invoice } = await openPayer(t, name);
    for (const fault of ['no-route', 'no-balance', 'unsupported']) {
      const { bolt11: text, paymentHash } = invoice();
      wallet.fail(fault);
      await assert.rejects(client.pay(text), Refused, fault);
      assert.equal((await client.sent(paymentHash))?.status, ['no-route', ...keeps].includes(fault) ? failed : undefined, fault);
    }
    const { paymentHash } = wallet.node.create({ amountMsat: AMOUNT_MSAT });
    assert.notEqual((await client.sent(paymentHash))?.status, paid, 'its own invoice is no payment');
    if (limits) await assert.rejects(client.pay(invoice().bolt11, { feeLimitMsat: 0 }), Refused);
  });

  test(`${name}: a payment goes on when nobody waits for it any more`, async (t) => {
    const { wallet, client, invoice } = await openPayer(t, name);
    const { bolt11: text, paymentHash } = invoice();
    wallet.fail('held');
    const paying = client.pay(text).catch(() => {});
    await eventually(() => wallet.node.payments.length === 1, 'the payment to begin');
    if (pending) assert.equal((await client.sent(paymentHash)).status, pending);
    else await assert.rejects(client.sent(paymentHash), 'it answers at the end alone');
    wallet.land();
    await paying;
    assert.equal((await client.sent(paymentHash)).status, paid);
  });

  test(`${name}: what receives cannot spend`, { skip: name === 'Core Lightning' && 'who may open its socket may spend' }, async (t) => {
    const { wallet, receiver, invoice } = await openPayer(t, name);
    await assert.rejects(receiver.pay(invoice().bolt11), Refused);
    assert.deepEqual(wallet.node.payments, []);
  });
}
