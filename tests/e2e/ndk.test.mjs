// A customer made of NDK alone: its classes make the request, find the answers and read them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import NDK, { NDKDVMJobFeedback, NDKDVMJobResult, NDKDVMRequest, NDKKind, NDKPrivateKeySigner, NDKRelay } from '@nostr-dev-kit/ndk';
import WebSocket from 'ws';
import { readInvoice } from '../harness/customer.mjs';
import { eventually } from '../harness/eventually.mjs';
import { MODES, openMarket, untilState } from '../harness/market.mjs';
import { skipWithoutProgram } from '../harness/provider.mjs';

globalThis.WebSocket ??= WebSocket; // NDK takes the browser's, which Node 18 lacks
NDKRelay.prototype.updateValidationRatio = () => {}; // else a timer that nothing stops keeps the process alive for ever

const options = { skip: skipWithoutProgram, timeout: 300_000 };
const PROMPT = 'What is a data vending machine?';

for (const mode of MODES) {
  test(`${mode}: NDK asks, pays and finds its result`, options, async (t) => {
    const { market, buyer } = await openSale(t, mode);
    const request = buyer.request();
    await request.sign();
    const job = await buyer.publish(request);
    const { result, feedback } = await job.bought();
    assert.equal(result.result, market.ollama.chats[0].answer);
    assert.equal(result.jobRequestId, request.id);
    assert.equal(result.status, 'success');
    assert.deepEqual(result.jobRequest.rawEvent(), request.rawEvent());
    assert.ok(result.jobRequest.verifySignature(false));
    assert.deepEqual([...new Set(feedback.map(({ status }) => status))].sort(), [...expected(mode)]);
    await untilState(market, request, 'settled');
  });
}

for (const scheme of ['nip44', 'nip04']) {
  for (const mode of MODES) {
    test(`${scheme}, ${mode}: what NDK hides is served, and what comes back is hidden so that NDK can read it`, options, async (t) => {
      const { market, buyer } = await openSale(t, mode);
      const request = buyer.request();
      await hide(request, buyer, scheme);
      await request.sign();
      const job = await buyer.publish(request);
      const { result, feedback } = await job.bought();
      assert.deepEqual(market.ollama.chats[0].body.messages, [{ role: 'user', content: PROMPT }]);
      assert.equal(market.ollama.chats[0].body.options.num_predict, 20);
      assert.equal(result.jobRequestId, request.id);
      assert.notEqual(result.content, market.ollama.chats[0].answer);
      await result.decrypt();
      assert.equal(result.result, market.ollama.chats[0].answer);
      assert.ok(feedback.every((event) => event.encrypted));
      await untilState(market, request, 'settled');
    });
  }
}

test('a bid and an output that NDK hides are heeded', options, async (t) => {
  const { market, buyer } = await openSale(t, 'result_first');
  const request = buyer.request();
  request.output = 'application/json';
  await hide(request, buyer, 'nip44');
  await request.sign();
  await (await buyer.publish(request)).bought();
  assert.equal(market.ollama.chats[0].body.format, 'json');

  const low = buyer.request('What else?');
  low.bid = 1;
  await hide(low, buyer, 'nip44');
  await low.sign();
  const job = await buyer.publish(low);
  await eventually(() => job.feedback().some(({ status }) => status === 'error'), 'a refusal');
  assert.equal(job.invoice(), undefined);
});

test('NDK opens encrypted feedback with its own class', options, async (t) => {
  const { buyer } = await openSale(t, 'payment_first');
  const request = buyer.request();
  await hide(request, buyer, 'nip44');
  await request.sign();
  const job = await buyer.publish(request);
  await job.bought();
  for (const event of job.feedback()) {
    const opened = await NDKDVMJobFeedback.from(event);
    assert.ok(opened.getMatchingTags('status').some(([, , words]) => words), `no words in ${JSON.stringify(opened.tags)}`);
  }
});

const expected = (mode) => (mode === 'payment_first' ? ['payment-required', 'processing', 'success'] : ['processing', 'success']);

// NDK's own `encryption` knows NIP-44 only; the older form is what its parts can do.
async function hide(request, { seller }, scheme) {
  if (scheme === 'nip44') return request.encryption(seller);
  const hidden = request.tags.filter(([name]) => name === 'i' || name === 'param');
  request.tags = [...request.tags.filter((tag) => !hidden.includes(tag)), ['encrypted']];
  request.content = JSON.stringify(hidden);
  return request.encrypt(seller, undefined, scheme);
}

async function openSale(t, mode) {
  // NDK's own idea of where people write leads to the internet: the market's relay only.
  const ndk = new NDK({ signer: NDKPrivateKeySigner.generate(), enableOutboxModel: false, autoConnectUserRelays: false });
  // Before the market ends, since NDK would look for a lost relay for ever.
  t.after(() => {
    ndk.subManager.subscriptions.forEach((subscription) => subscription.stop());
    ndk.pool.relays.forEach((relay) => relay.disconnect());
  });
  const market = await openMarket(t, { mode });
  ndk.addExplicitRelay(market.relay.url);
  await ndk.connect(5_000);
  return { market, buyer: openBuyer(ndk, market) };
}

function openBuyer(ndk, { provider }) {
  const seller = ndk.getUser({ pubkey: provider.pubkey });

  function request(prompt = PROMPT) {
    const made = new NDKDVMRequest(ndk);
    made.kind = NDKKind.DVMReqTextGeneration;
    made.addInput(prompt, 'text');
    made.addParam('max_tokens', '20');
    made.dvm = seller;
    return made;
  }

  // Publishes a signed request and follows it by the filter that NDK makes of it.
  async function publish(signed) {
    const events = [];
    ndk.subscribe(
      { kinds: [NDKKind.DVMJobFeedback, NDKKind.DVMReqTextGeneration + 1000], authors: [seller.pubkey], ...signed.filter() },
      { closeOnEose: false, groupable: false },
      { onEvent: (event) => events.push(event) },
    );
    await signed.publish();
    const job = {
      feedback: () => events.filter(({ kind }) => kind === NDKKind.DVMJobFeedback).map((event) => new NDKDVMJobFeedback(ndk, event.rawEvent())),
      result: () => events.filter(({ kind }) => NDKDVMJobResult.kinds.includes(kind)).map(NDKDVMJobResult.from).find((event) => event.jobRequestId === signed.id),
      invoice: () => events.flatMap((event) => event.getMatchingTags('amount')).map(([, , bolt11]) => bolt11).find(Boolean),
      bought,
    };
    return job;

    async function bought() {
      const bolt11 = await eventually(job.invoice, 'an invoice');
      assert.ok(Number(readInvoice(bolt11).amountMsat) > 0);
      const paid = await provider.pay(bolt11);
      assert.equal(paid.code, 0, paid.stderr);
      const result = await eventually(job.result, 'a result that NDK takes for its own');
      await eventually(() => job.feedback().some(({ status }) => status === 'success'), 'success');
      return { result, feedback: job.feedback() };
    }
  }

  return { seller, request, publish };
}
