// A relay that serves nobody who has not signed in (NIP-42), neither reading nor writing: whole sales go through it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { verifyEvent } from 'nostr-tools/pure';
import { nowSeconds, openCustomer, tagsOf } from '../harness/customer.mjs';
import { eventually } from '../harness/eventually.mjs';
import { addressed, assertClean, assertNothingTwice, buy, openMarket, untilState } from '../harness/market.mjs';
import { skipWithoutProgram } from '../harness/provider.mjs';

const options = { skip: skipWithoutProgram, timeout: 300_000 };
const HOSTNAME = '127.0.0.1';
const WORDS = 'auth-required: sign in first';

// NIP-42's words, and strfry's.
for (const demandAuth of [WORDS, `ERROR: ${WORDS}`]) {
  for (const mode of ['result_first', 'payment_first']) {
    test(`"${demandAuth}", ${mode}: it signs in, then sells as ever`, options, async (t) => {
      const market = await openMarket(t, { mode, relayOptions: { hostname: HOSTNAME, demandAuth } });
      const { customer, provider, relay } = market;
      assert.ok(relay.refusals > 0, 'the relay refused nothing, so this tests nothing');
      const job = await customer.ask(addressed(provider));
      await buy(market, job);
      await untilState(market, job, 'settled');
      assertNothingTwice(market, job);
      const auths = relay.auths.filter((event) => event.pubkey === provider.pubkey);
      assert.equal(auths.length, 1, 'once a connection');
      assertAuth(auths[0], relay);
      await assertClean(market);
    });
  }
}

test('every new connection is signed in anew, with its own challenge', options, async (t) => {
  const market = await openMarket(t, { relayOptions: { hostname: HOSTNAME, demandAuth: WORDS } });
  const { provider, relay } = market;
  relay.dropConnections();
  await eventually(() => relay.subscribed(5050) === 0, 'the connection to be gone');
  await eventually(() => relay.subscribed(5050) > 0, 'the program to be back');
  const customer = await openCustomer({ relayUrl: relay.url, provider: provider.pubkey, signIn: true });
  t.after(() => customer.close());
  const job = await customer.ask(addressed(provider));
  await buy(market, job);
  const challenges = relay.auths.filter((event) => event.pubkey === provider.pubkey).map((event) => tagsOf(event, 'challenge')[0][1]);
  assert.equal(challenges.length, 2);
  assert.equal(new Set(challenges).size, 2);
  await assertClean({ ...market, customer });
});

test('our own customer signs in too, with its own key', options, async (t) => {
  const { provider, relay } = await openMarket(t, { relayOptions: { hostname: HOSTNAME, demandAuth: WORDS } });
  const { code, stdout, stderr } = await provider.cli(['request', '--to', provider.pubkey, '--relay', relay.url, '--pay', 'Are you there?']);
  assert.equal(code, 0, stderr);
  assert.ok(stdout.trim().length > 0);
  const asked = relay.heard.map(({ event }) => event).find((event) => event.kind === 5050);
  assert.ok(relay.auths.some((event) => event.pubkey === asked.pubkey), 'it signed in as somebody else');
});

function assertAuth(event, relay) {
  assert.ok(verifyEvent(JSON.parse(JSON.stringify(event))));
  assert.equal(event.kind, 22242);
  assert.equal(new URL(tagsOf(event, 'relay')[0][1]).host, new URL(relay.url).host);
  assert.equal(tagsOf(event, 'challenge').length, 1);
  assert.ok(Math.abs(event.created_at - nowSeconds()) < 60);
}
