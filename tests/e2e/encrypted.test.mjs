// Sales of which nobody but the two sides can read a word, in both forms of encryption, with nostr-tools on the other side.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as nip04 from 'nostr-tools/nip04';
import * as nip44 from 'nostr-tools/nip44';
import { statusOf, tagsOf } from '../harness/customer.mjs';
import { assertClean, assertNothingTwice, buy, openMarket, untilState } from '../harness/market.mjs';
import { skipWithoutProgram } from '../harness/provider.mjs';

const options = { skip: skipWithoutProgram, timeout: 300_000 };
const PROMPT = 'What does nobody else need to know?';

const FORMS = [
  {
    name: 'NIP-44',
    looks: /^A[g-v]/,
    encrypt: (text, secretKey, pubkey) => nip44.encrypt(text, nip44.getConversationKey(secretKey, pubkey)),
    decrypt: (text, secretKey, pubkey) => nip44.decrypt(text, nip44.getConversationKey(secretKey, pubkey)),
  },
  { name: 'NIP-04', looks: /\?iv=/, encrypt: (text, ...keys) => nip04.encrypt(...keys, text), decrypt: (text, ...keys) => nip04.decrypt(...keys, text) },
];

const hidden = (form, { customer, provider }, tags) => ({
  content: form.encrypt(JSON.stringify(tags), customer.secretKey, provider.pubkey),
  tags: [['p', provider.pubkey], ['encrypted']],
});

// What an encrypted 7000 says, in the form in which other customers expect it: the status tag with the words, among tags.
function wordsOf(plaintext, status) {
  const [[name, value, words]] = JSON.parse(plaintext);
  assert.deepEqual([name, value], ['status', status]);
  return words;
}

for (const form of FORMS) {
  for (const mode of ['result_first', 'payment_first']) {
    test(`${form.name}, ${mode}: asked, answered and told in this form only, paid, settled`, options, async (t) => {
      const market = await openMarket(t, { mode });
      const { customer, provider, ollama } = market;
      const job = await customer.ask(hidden(form, market, [['i', PROMPT, 'text'], ['param', 'max_tokens', '20']]));
      await buy(market, job);
      await untilState(market, job, 'settled');
      assert.deepEqual(ollama.chats[0].body.messages, [{ role: 'user', content: PROMPT }]);
      const open = (event) => form.decrypt(event.content, customer.secretKey, provider.pubkey);
      assert.equal(open(job.results()[0]), ollama.chats[0].answer);
      for (const event of job.events.values()) {
        assert.match(event.content, form.looks);
        assert.equal(tagsOf(event, 'encrypted').length, 1);
        assert.equal(tagsOf(event, 'i').length, 0);
        assert.equal(tagsOf(event, 'status')[0].length, 2, 'no words in the clear');
      }
      assert.match(wordsOf(open(job.feedback('processing')[0]), 'processing'), /working on it/);
      assertNothingTwice(market, job);
      await assertClean(market);
    });
  }
}

test('a refusal of an encrypted request is encrypted too', options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider } = market;
  const job = await customer.ask(hidden(FORMS[0], market, [['i', PROMPT, 'text'], ['param', 'temperature', '9']]));
  const refusal = await job.until(() => job.feedback('error')[0], 'a refusal');
  assert.equal(statusOf(refusal), 'error');
  assert.match(wordsOf(FORMS[0].decrypt(refusal.content, customer.secretKey, provider.pubkey), 'error'), /temperature/);
});

test('our own customer asks in both forms and reads what it bought', options, async (t) => {
  const { provider, relay } = await openMarket(t);
  for (const form of ['nip44', 'nip04']) {
    const { code, stdout, stderr } = await provider.cli(['request', '--to', provider.pubkey, '--relay', relay.url, '--encrypt', form, '--pay', PROMPT]);
    assert.equal(code, 0, stderr);
    assert.ok(stdout.trim().length > 0 && !/\?iv=|^A[g-v]/.test(stdout), `not in clear text: ${stdout}`);
    assert.match(stderr, /working on it/);
  }
});
