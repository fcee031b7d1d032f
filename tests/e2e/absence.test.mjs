// Away while half a thousand customers ask, over three relays of which none has heard all of them, some with clocks that are
// wrong: back again, every one is answered, once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventUtils } from '@nostr-relay/common';
import { Relay } from 'nostr-tools/relay';
import { nowSeconds, tagsOf } from '../harness/customer.mjs';
import { eventually } from '../harness/eventually.mjs';
import { addressed, assertClean, openMarket } from '../harness/market.mjs';
import { skipWithoutProgram } from '../harness/provider.mjs';
import { startRelay } from '../harness/relay.mjs';

const REQUESTS = 500;
const MOST_SKEWED_S = 600;
const TOO_OLD_S = 950; // asked for, since clocks may differ by a quarter of an hour, but older than what is served

// The relays take signatures as they come: three that check thousands in JavaScript, in one process, lose their connections on
// a busy machine. The customer checks each result.
EventUtils.isSigValid = () => true;

test(`${REQUESTS} requests that came while it was away are each served once, and what is too old is declined`, { skip: skipWithoutProgram, timeout: 600_000 }, async (t) => {
  const others = [await startRelay(), await startRelay()];
  t.after(() => Promise.all(others.map((relay) => relay.close())));
  const market = await openMarket(t, {
    start: false,
    settings: {
      'selling.slots': 8,
      'selling.queue_limit': 4 * REQUESTS, // a key that never paid may fill a quarter of it
      'selling.request_age_limit': '15 min',
    },
    moreRelays: others.map((relay) => relay.url),
  });
  const { relay, provider, customer, ollama } = market;
  // It was here before: its cursors say since when it has been away.
  await provider.start();
  await customer.ask(addressed(provider, [], 'Are you there?')).then((job) => job.result());
  assert.equal(await provider.stop(), 0);

  const connections = await Promise.all([relay, ...others].map(({ url }) => Relay.connect(url)));
  t.after(() => connections.forEach((connection) => connection.close()));
  const ask = async (n, created_at) => {
    const job = customer.follow(customer.sign({ ...addressed(provider, [], `Question ${n}, please.`), created_at }));
    const subset = (n % 7) + 1; // each of the seven sets of relays, in turn
    await Promise.all(connections.filter((_, i) => subset & (1 << i)).map((connection) => connection.publish(job.request)));
    return job;
  };
  const skew = (n) => (n % 5 === 0 ? Math.round(MOST_SKEWED_S * Math.sin(n)) : 0);
  const jobs = [];
  for (let n = 0; n < REQUESTS; n += 1) jobs.push(await ask(n, nowSeconds() + skew(n)));
  const old = await ask(REQUESTS, nowSeconds() - TOO_OLD_S);

  await provider.start();
  await eventually(() => jobs.every((job) => job.results().length > 0), 'every request to be answered', 400_000);
  for (const job of jobs) assert.equal(job.results().length, 1);
  const asked = ollama.chats.map((chat) => chat.body.messages.at(-1).content).filter((text) => text.startsWith('Question'));
  assert.equal(asked.length, REQUESTS);
  assert.equal(new Set(asked).size, REQUESTS, 'one inference a request');
  const sent = [relay, ...others].flatMap((one) => one.heard.map(({ event }) => event)).filter((event) => event.kind === 6050);
  assert.equal(new Set(sent.map((event) => event.id)).size, REQUESTS + 1, 'one result a request, wherever it went');
  assert.match(tagsOf(await old.status('error'), 'status')[0][2], /older than 15 minutes/);
  await assertClean(market);
});
