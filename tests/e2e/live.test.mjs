// What the operator sees of jobs, and does about a result that no relay took: `jobs tail`, `jobs show --text`, `jobs retry`.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import * as nip44 from 'nostr-tools/nip44';
import { RESULT_KIND, tagsOf } from '../harness/customer.mjs';
import { eventually } from '../harness/eventually.mjs';
import { addressed, assertClean, assertNothingTwice, buy, openMarket, untilState } from '../harness/market.mjs';
import { skipWithoutProgram } from '../harness/provider.mjs';

const options = { skip: skipWithoutProgram, timeout: 300_000 };
const PROMPT = 'Why is the sky blue?\x1b[2J';

// `jobs tail` as it runs: its lines so far, and its end by a signal.
function follow(t, provider, ...args) {
  const child = provider.run(['jobs', 'tail', ...args]);
  t.after(() => child.kill('SIGKILL'));
  const lines = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  async function end(signal) {
    child.kill(signal);
    const [code] = await once(child, 'close');
    return code;
  }
  return { lines, end };
}

test('jobs tail shows each fact once, while serve runs and while it does not', options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider } = market;
  const first = await customer.ask(addressed(provider));
  await buy(market, first);
  await untilState(market, first, 'settled');
  await provider.stop();

  const tail = follow(t, provider, '--json', '--limit', '3');
  const people = follow(t, provider, '--limit', '1');
  await eventually(() => tail.lines.length === 3 && people.lines.length === 1, 'the last facts');
  await provider.start();
  const job = await customer.ask(addressed(provider));
  await buy(market, job);
  await untilState(market, job, 'settled');
  const [shown] = await provider.json(['jobs', 'show', job.id, '--json']);
  const rows = () => tail.lines.map((line) => JSON.parse(line));
  await eventually(() => rows().filter((row) => row.job === job.id).length === shown.facts.length, 'every fact of the sale');
  await eventually(() => people.lines.length === 1 + shown.facts.length, 'a line for each of them');
  const seqs = rows().map((row) => row.seq);
  assert.deepEqual(seqs, [...new Set(seqs)].sort((a, b) => a - b), 'in order, each once');
  assert.ok(rows().every((row) => row.job && row.text), 'jobs only, in words');
  assert.match(people.lines[1], new RegExp(`^\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d  ${job.id.slice(0, 8)}  requested by `));
  assert.equal(await tail.end('SIGINT'), 130);
  assert.equal(await people.end('SIGTERM'), 130);
  await assertClean(market);
});

test('jobs show --text has question and answer, opened where they were encrypted', options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider, ollama } = market;
  const words = async (job) => (await provider.json(['jobs', 'show', job.id, '--text', '--json']))[0];
  const key = nip44.getConversationKey(customer.secretKey, provider.pubkey);
  const asked = [
    addressed(provider, [['param', 'system', 'Be brief.']], PROMPT),
    { content: nip44.encrypt(JSON.stringify([['i', PROMPT, 'text']]), key), tags: [['p', provider.pubkey], ['encrypted']] },
  ];
  const jobs = [];
  for (const request of asked) {
    const job = await customer.ask(request);
    await buy(market, job);
    await untilState(market, job, 'settled');
    jobs.push(job);
  }
  for (const [i, job] of jobs.entries()) {
    const { question, question_state, answer, answer_state } = await words(job);
    assert.deepEqual(question, ollama.chats[i].body.messages);
    assert.equal(answer, ollama.chats[i].answer);
    assert.deepEqual([question_state, answer_state], ['kept', 'kept']);
  }
  const { stdout } = await provider.cli(['jobs', 'show', jobs[0].id, '--text']);
  assert.match(stdout, /^question \(system\)\nBe brief\.\nquestion\nWhy is the sky blue\?\ufffd\[2J\n\nanswer\n/);
  assert.ok(stdout.includes(ollama.chats[0].answer));

  let gone;
  await eventually(async () => {
    await provider.cli(['ledger', 'prune', '--older-than', '0 s']);
    gone = await words(jobs[0]);
    return gone.question_state === 'pruned';
  }, 'the texts to be pruned');
  assert.deepEqual([gone.question, gone.question_state, gone.answer, gone.answer_state], [null, 'pruned', null, 'pruned']);
  assert.equal((await provider.cli(['jobs', 'show', jobs[0].id, '--text'])).stdout, 'question: it was pruned\n\nanswer: it was pruned\n');
});

test('jobs retry publishes the very same result again, and refuses what cannot be', options, async (t) => {
  let refuses = true;
  const onEvent = (event) => (refuses && event.kind === RESULT_KIND ? 'blocked: not today' : undefined);
  const market = await openMarket(t, { relayOptions: { onEvent } });
  const { customer, provider, relay } = market;
  const retry = (job) => provider.cli(['jobs', 'retry', job.id]);
  const job = await customer.ask(addressed(provider));
  await untilState(market, job, 'undelivered');
  assert.deepEqual(job.results(), []);

  refuses = false;
  const { code, stderr } = await retry(job);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /the same result is published again, to 1 relay;/);
  await job.result();
  await untilState(market, job, 'delivered_unpaid');
  const sent = relay.heard.filter(({ event }) => event.kind === RESULT_KIND && tagsOf(event, 'e')[0][1] === job.id);
  assert.equal(sent.length, 2);
  assertNothingTwice(market, job);
  const again = await retry(job);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /a relay has taken the result already/);

  const declined = await customer.ask(addressed(provider, [['param', 'temperature', '9']]));
  await declined.refusal();
  assert.match((await retry(declined)).stderr, /no result of this job was ever signed/);
  await buy(market, job);
  await untilState(market, job, 'settled');
  await provider.cli(['offline', '--drain']);
  assert.match((await retry(job)).stderr, /we are offline/);
  await provider.stop();
  assert.equal((await retry(job)).code, 3);
  await assertClean(market);
});
