// A seller, made of nostr-tools: it answers as a test tells it to, and keeps what it was asked.
import { setTimeout as sleep } from 'node:timers/promises';
import { decrypt, encrypt, getConversationKey } from 'nostr-tools/nip44';
import { finalizeEvent, generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { Relay, useWebSocketImplementation } from 'nostr-tools/relay';
import WebSocket from 'ws';
import { FEEDBACK_KIND, nowSeconds, REQUEST_KIND, RESULT_KIND, tagsOf, wireOf } from './customer.mjs';

useWebSocketImplementation(WebSocket);

// t: the test, at whose end it is closed. relay: startRelay's. act: called with each request that is addressed to the seller or
// to everybody, and with what it can say about it.
export async function openSeller(t, relay, act = () => {}) {
  const secretKey = generateSecretKey();
  const pubkey = getPublicKey(secretKey);
  const connection = await Relay.connect(relay.url);
  t.after(() => connection.close());
  const seller = { pubkey, secretKey, requests: [], act, publish, inputsOf };

  function publish(kind, tags, content = '') {
    return connection.publish(finalizeEvent({ kind, created_at: nowSeconds(), tags, content }, secretKey));
  }

  const keyWith = (request) => getConversationKey(secretKey, request.pubkey);

  // The `i` and `param` tags, decrypted where they are hidden.
  function inputsOf(request) {
    const hidden = tagsOf(request, 'encrypted').length > 0;
    const tags = hidden ? JSON.parse(decrypt(request.content, keyWith(request))) : request.tags;
    return tags.filter(([name]) => name === 'i' || name === 'param');
  }

  function sayings(request) {
    const hidden = tagsOf(request, 'encrypted').length > 0;
    const about = [['e', request.id], ['p', request.pubkey], ...(hidden ? [['encrypted']] : [])];
    const seal = (text) => (hidden && text ? encrypt(text, keyWith(request)) : text);
    return {
      status: (word, text = '') => publish(FEEDBACK_KIND, [['status', word, ...(hidden ? [] : [text])], ...about], hidden ? seal(text) : ''),
      partial: (text) => publish(FEEDBACK_KIND, [['status', 'partial'], ...about], seal(text)),
      result: (text) => publish(RESULT_KIND, [['request', wireOf(request)], ...about, ['status', 'success']], seal(text)),
      // Each part by itself, so that a reader sees the answer grow.
      async parts(texts, pauseMs = 60) {
        for (const text of texts) {
          await this.partial(text);
          await sleep(pauseMs);
        }
      },
    };
  }

  connection.subscribe([{ kinds: [REQUEST_KIND], since: nowSeconds() - 10 }], {
    onevent(request) {
      const named = tagsOf(request, 'p').map((tag) => tag[1]);
      if (named.length > 0 && !named.includes(pubkey)) return;
      seller.requests.push(request);
      seller.act(request, sayings(request));
    },
  });
  return seller;
}
