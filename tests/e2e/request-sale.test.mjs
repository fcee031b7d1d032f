// `sellcompute request` as a customer of `sellcompute serve`: both sides of a sale are ours.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { npubEncode } from 'nostr-tools/nip19';
import { wireOf } from '../harness/customer.mjs';
import { eventually } from '../harness/eventually.mjs';
import { assertClean, earnings, openMarket, untilState } from '../harness/market.mjs';
import { binary, skipWithoutProgram } from '../harness/provider.mjs';

const options = { skip: skipWithoutProgram, timeout: 300_000 };
const PROMPT = 'What is a data vending machine?';
const openStream = (t, more = {}) => openMarket(t, { mode: 'payment_first', ollamaOptions: { wordDelayMs: 300 }, ...more });

// Runs `request` beside the provider, whose wallet --pay pays into: {child, stdout, stderr, code}, which grow until `code`
// resolves.
function ask({ provider }, args) {
  const child = spawn(binary, ['--config', join(provider.folder, 'config.toml'), '--data-dir', join(provider.folder, 'data'),
    'request', '--timeout', '60', ...args], { cwd: provider.folder, env: { PATH: process.env.PATH, HOME: provider.folder, XDG_RUNTIME_DIR: provider.folder } });
  const run = { child, stdout: '', stderr: '', objects: () => run.stdout.trim().split('\n').map((line) => JSON.parse(line)) };
  child.stdout.setEncoding('utf8').on('data', (text) => (run.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (run.stderr += text));
  child.stdin.end();
  run.code = new Promise((done) => child.on('close', (code, signal) => done(code ?? signal)));
  return run;
}

// The npm relay carries deletions out and passes none on; others do, so this one is made to.
function passOnDeletions({ relay }) {
  relay.onEvent = (event) => void (event.kind === 5 && relay.inject(wireOf(event), 5));
}

function resultOf(market) {
  return market.relay.heard.map(({ event }) => event).filter((event) => event.kind === 6050).at(-1);
}

for (const form of [[], ['--encrypt', 'nip44'], ['--encrypt', 'nip04']]) {
  test(`--stream --pay ${form.join(' ')}: paid first, seen growing, printed once`, options, async (t) => {
    const market = await openStream(t);
    const lengths = new Set();
    const run = ask(market, ['--to', npubEncode(market.provider.pubkey), '--stream', '--pay', ...form, PROMPT]);
    run.child.stdout.on('data', () => lengths.add(run.stdout.length));
    assert.equal(await run.code, 0, run.stderr);
    assert.ok(lengths.size >= 3, `it grew ${lengths.size} times only: ${run.stdout}`);
    const [{ body }] = market.ollama.chats;
    assert.equal(run.stdout, market.ollama.reply(body).join(' ') + '\n');
    assert.match(run.stderr, /payment-required.*\n.*paid \d+/);
    if (form.length === 0) assert.equal(run.stdout, resultOf(market).content + '\n');
    await assertClean(market);
  });
}

test('a job on the result of a job, with a file and a system prompt', options, async (t) => {
  const market = await openMarket(t);
  const { provider, ollama } = market;
  await writeFile(join(provider.folder, 'notes.txt'), 'Some notes.\n');
  const to = ['--to', provider.pubkey];
  const first = ask(market, [...to, '--json', PROMPT]);
  assert.equal(await first.code, 0, first.stderr);
  const { id } = first.objects().find(({ type }) => type === 'request');
  const { content } = first.objects().find(({ type }) => type === 'result');
  const second = ask(market, [...to, '--job', id, '--file', 'notes.txt', '--system', 'You are brief.', 'Say it in French.']);
  assert.equal(await second.code, 0, second.stderr);
  assert.deepEqual(ollama.chats.at(-1).body.messages, [
    { role: 'system', content: 'You are brief.' },
    { role: 'user', content: `${content}\n\nSome notes.\n\nSay it in French.` },
  ]);
  await assertClean(market);
});

test('--find: the provider is found by what it announces, at the price that it announces', options, async (t) => {
  const market = await openMarket(t, { settings: { 'announce.name': 'A shop' } });
  const { provider, relay } = market;
  await eventually(() => relay.heard.some(({ event }) => event.kind === 11998), 'a heartbeat');
  const run = ask(market, ['--find', '--json', '--model', 'qwen3:8b', '--max-tokens', '100', '--pay', PROMPT]);
  assert.equal(await run.code, 0, run.stderr);
  const [seller] = run.objects();
  assert.deepEqual([seller.type, seller.provider, seller.name, seller.alive, seller.suits], ['seller', provider.pubkey, 'A shop', true, true]);
  const [row] = await provider.jobs();
  assert.equal(row.model, 'qwen3:8b');
  const paid = run.objects().find(({ type }) => type === 'payment').amount_msat;
  assert.ok(paid > 0 && paid <= seller.price_msat + 1000, `${paid} msat, ${seller.price_msat} msat announced`);
  await assertClean(market);
});

test('Ctrl-C before anything was seen: the model is stopped, nothing is owed', options, async (t) => {
  const market = await openMarket(t);
  passOnDeletions(market);
  const { provider, ollama, relay } = market;
  ollama.hold();
  const run = ask(market, ['--to', provider.pubkey, PROMPT]);
  await eventually(() => ollama.running() === 1, 'the model to run');
  await eventually(() => relay.subscribed(5) > 0, 'the provider to listen for deletions');
  run.child.kill('SIGINT');
  assert.equal(await run.code, 130, run.stderr);
  assert.match(run.stderr, /error: cancelled as you asked; you owe nothing/);
  assert.equal(run.stdout, '');
  await eventually(() => ollama.chats[0].outcome === 'closed', 'the model to be stopped');
  const [row] = await provider.jobs();
  await untilState(market, { id: row.job }, 'cancelled');
  await assertClean(market);
});

test('Ctrl-C after parts were seen: what there is comes once more, whole, and the rest is owed back', options, async (t) => {
  const market = await openStream(t);
  passOnDeletions(market);
  const { provider, ollama, relay } = market;
  ollama.hold();
  const run = ask(market, ['--to', provider.pubkey, '--stream', '--pay', PROMPT]);
  await eventually(() => run.stdout.split(' ').length > 2, 'parts to be seen');
  await eventually(() => relay.subscribed(5) > 0, 'the provider to listen for deletions');
  run.child.kill('SIGINT');
  assert.equal(await run.code, 130, run.stderr);
  await eventually(() => ollama.chats[0].outcome === 'closed', 'the model to be stopped');
  const [seen, whole] = run.stdout.split('\n');
  assert.ok(whole.startsWith(seen), run.stdout);
  assert.equal(whole, resultOf(market).content);
  const [row] = await provider.jobs();
  await untilState(market, { id: row.job }, 'refund_owed');
  assert.ok((await earnings(provider)).owed_back_msat > 0);
  await assertClean(market);
});
