// The other commands, as a person or a script uses them beside `serve`.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { npubEncode } from 'nostr-tools/nip19';
import { verifyEvent } from 'nostr-tools/pure';
import { eventually } from '../harness/eventually.mjs';
import { addressed, assertClean, assertNothingTwice, buy, openMarket, untilState } from '../harness/market.mjs';
import { skipWithoutProgram } from '../harness/provider.mjs';

const options = { skip: skipWithoutProgram, timeout: 300_000 };

for (const mode of ['result_first', 'payment_first']) {
  test(`${mode}: request is a customer, from the question to the payment`, options, async (t) => {
    const market = await openMarket(t, { mode });
    const { provider, relay, ollama } = market;
    const asked = await provider.cli(['request', '--relay', relay.url, '--to', npubEncode(provider.pubkey), '--pay', 'What is a data vending machine?']);
    assert.equal(asked.code, 0, asked.stderr);
    assert.ok(asked.stdout.includes(ollama.chats[0].answer), 'the result is the data, on stdout');
    assert.deepEqual(ollama.chats[0].body.messages, [{ role: 'user', content: 'What is a data vending machine?' }]);
    const [row] = await provider.jobs();
    const job = { id: row.job };
    await untilState(market, job, 'settled');
    const { event } = relay.heard.find((each) => each.event.id === job.id);
    assert.ok(verifyEvent(JSON.parse(JSON.stringify(event))));
    assert.notEqual(event.pubkey, provider.pubkey);
    assertNothingTwice(market, job);
    await assertClean(market);
  });
}

test('request without an answer from anybody ends with a failure that says so', options, async (t) => {
  const { provider, relay } = await openMarket(t, { start: false });
  const { code, stderr } = await provider.cli(['request', '--relay', relay.url, '--to', npubEncode(provider.pubkey), '--timeout', '1 s', 'Anybody?']);
  assert.equal(code, 3);
  assert.match(stderr, /nobody answered/);
});

test('status: 0 when everything needed answers, 3 and a remedy when it does not', options, async (t) => {
  const { provider, ollama } = await openMarket(t);
  const well = await provider.cli(['status']);
  assert.equal(well.code, 0, well.stdout + well.stderr);
  await ollama.close();
  const ill = await provider.eventually(async () => {
    const told = await provider.cli(['status']);
    return told.code === 3 && told;
  }, 'serve to notice');
  assert.match(ill.stdout, /inference/);
  ollama.close = async () => {};
});

test('what the relay holds of us passes event verify; what is altered does not', options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider } = market;
  const job = await customer.ask(addressed(provider));
  await job.status('success');
  const lines = [...job.events.values()].map((event) => JSON.stringify(event)).join('\n') + '\n';
  assert.equal((await provider.cli(['event', 'verify'], { input: lines })).code, 0);
  const altered = await provider.cli(['event', 'verify'], { input: lines.replace('"content":"', '"content":"!') });
  assert.equal(altered.code, 1);
  await assertClean(market);
});

test('demo: one whole sale with nothing set up', options, async (t) => {
  const { provider } = await openMarket(t, { start: false });
  const { code, stdout, stderr } = await provider.cli(['demo']);
  assert.equal(code, 0, stderr);
  assert.match(stdout + stderr, /settled/);
});

test('a damaged ledger is found: audit says where, with exit code 4 or 5', options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider } = market;
  await (await customer.ask(addressed(provider))).status('success');
  assert.equal(await provider.stop(), 0);
  await provider.damage();
  const { code, stdout, stderr } = await provider.cli(['audit']);
  assert.ok(code === 4 || code === 5, `exit code ${code}`);
  assert.ok((stdout + stderr).length > 0);
});

test('offline takes no new jobs, online serves what came meanwhile', options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider } = market;
  await (await customer.ask(addressed(provider))).result();
  assert.equal((await provider.cli(['offline', '--drain'])).code, 0);
  const job = await customer.ask(addressed(provider, [], 'While you were away?'));
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.equal(job.feedback('processing').length, 0);
  assert.equal((await provider.cli(['online'])).code, 0);
  await job.result();
  assertNothingTwice(market, job);
  await assertClean(market);
});

test('offline without a running serve says so', options, async (t) => {
  const { provider } = await openMarket(t, { start: false });
  const { code, stderr } = await provider.cli(['offline']);
  assert.equal(code, 3);
  assert.match(stderr, /no `sellcompute serve` is running/);
});

test('a running serve signs checkpoints, and an audit compares the ledger with them', options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider } = market;
  await (await customer.ask(addressed(provider))).status('success');
  const file = join(provider.folder, 'checkpoint.txt');
  const signed = await provider.cli(['ledger', 'checkpoint', '--out', file]);
  assert.equal(signed.code, 0, signed.stderr);
  await (await customer.ask(addressed(provider, [], 'And now?'))).status('success');
  const compared = await provider.cli(['audit', '--against', file]);
  assert.equal(compared.code, 0, compared.stdout + compared.stderr);
  assert.equal(await provider.stop(), 0);
  const here = await provider.cli(['ledger', 'checkpoint']);
  assert.match(here.stdout, new RegExp(`^sellcompute/${provider.pubkey}\n`), 'without a serve the command signs itself');
  await assertClean(market);
});

test('texts of ended jobs are pruned while serve runs, and it goes on selling', options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider } = market;
  const job = await customer.ask(addressed(provider, [], 'Who am I?'));
  await buy(market, job);
  await untilState(market, job, 'settled');
  const pruned = await eventually(async () => {
    const { code, stdout, stderr } = await provider.cli(['ledger', 'prune', '--older-than', '0 s', '--json']);
    assert.equal(code, 0, stderr);
    const counts = JSON.parse(stdout);
    return counts.texts > 0 && counts;
  }, 'a job that has ended');
  assert.equal(pruned.jobs, 1);
  const audit = JSON.parse((await provider.cli(['audit', '--json'])).stdout);
  assert.deepEqual(audit.findings, []);
  assert.equal(audit.pruned_texts > 0, true);
  await (await customer.ask(addressed(provider, [], 'And now?'))).result();
  await assertClean(market);
});

test('of a request that is declined no text is kept', options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider } = market;
  const secret = 'nobody keeps this '.repeat(500);
  const job = await customer.ask(addressed(provider, [['bid', '1']], secret));
  await job.refusal();
  assert.match((await provider.cli(['replay', '--job', job.id])).stdout, /its text was not kept/);
  assert.equal(await provider.stop(), 0);
  const files = (await readdir(provider.folder, { recursive: true, withFileTypes: true })).filter((file) => file.isFile());
  for (const file of files) {
    assert.ok(!(await readFile(join(file.path, file.name))).includes('nobody keeps this'), file.name);
  }
  await assertClean(market);
});
