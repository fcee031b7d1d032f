// `sellcompute request` as a customer of sellers that we did not write.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { neventEncode, noteEncode, npubEncode, nsecEncode } from 'nostr-tools/nip19';
import { generateSecretKey, getPublicKey, verifyEvent } from 'nostr-tools/pure';
import { tagsOf } from '../harness/customer.mjs';
import { eventually } from '../harness/eventually.mjs';
import { binary, skipWithoutProgram } from '../harness/provider.mjs';
import { startRelay } from '../harness/relay.mjs';
import { openSeller } from '../harness/seller.mjs';

const options = { skip: skipWithoutProgram, timeout: 300_000 };
const PROMPT = 'What is a data vending machine?';
const JOB = 'a'.repeat(64);
const EVENT = 'b'.repeat(64);

// A relay, a seller, and a folder for the customer, who has no configuration.
async function open(t, act) {
  const relay = await startRelay();
  t.after(relay.close);
  const seller = await openSeller(t, relay, act);
  const folder = await mkdtemp(join(tmpdir(), 'sellcompute-customer-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return { relay, seller, folder, ask: (args, input) => ask({ relay, folder }, args, input) };
}

// Runs `request`: {child, stdout, stderr, code}, which grow until `code` resolves.
function ask({ relay, folder }, args, input = '') {
  const env = { PATH: process.env.PATH, HOME: folder, XDG_RUNTIME_DIR: folder };
  const child = spawn(binary, ['request', '--relay', relay.url, '--timeout', '20', ...args], { cwd: folder, env });
  const run = { child, stdout: '', stderr: '', objects: () => run.stdout.trim().split('\n').map((line) => JSON.parse(line)) };
  child.stdout.setEncoding('utf8').on('data', (text) => (run.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (run.stderr += text));
  child.stdin.on('error', () => {}).end(input);
  run.code = new Promise((done) => child.on('close', (code, signal) => done(code ?? signal)));
  return run;
}

const deletions = (relay) => relay.heard.map(({ event }) => event).filter((event) => event.kind === 5);

test('inputs of every type, in the order in which they are typed, the prompt last', options, async (t) => {
  const { seller, folder, ask, relay } = await open(t, (request, say) => say.result('Both say so.'));
  await writeFile(join(folder, 'report.txt'), 'A report, ünïcode.\n');
  const run = ask(['--job', `${noteEncode(JOB)}@wss://far.example`, '--file', 'report.txt', '--url', 'https://example.com/a,b?c=d', '--event',
    neventEncode({ id: EVENT, relays: ['wss://near.example'] }), '--job', JOB, '--file', '-', '--system', 'You are brief.', PROMPT], 'from stdin\n');
  assert.equal(await run.code, 0, run.stderr);
  assert.equal(run.stdout, 'Both say so.\n');
  assert.deepEqual(seller.inputsOf(seller.requests[0]), [
    ['i', JOB, 'job', 'wss://far.example'],
    ['i', 'A report, ünïcode.', 'text'],
    ['i', 'https://example.com/a,b?c=d', 'url'],
    ['i', EVENT, 'event', 'wss://near.example'],
    ['i', JOB, 'job', relay.url],
    ['i', 'from stdin', 'text'],
    ['i', PROMPT, 'text'],
    ['param', 'system', 'You are brief.'],
  ]);
});

test('what is no input is refused before anybody is asked', options, async (t) => {
  const { folder, ask, relay } = await open(t);
  await writeFile(join(folder, 'large'), 'a'.repeat(50_000));
  await writeFile(join(folder, 'half'), 'a'.repeat(30_000));
  await writeFile(join(folder, 'latin1'), Buffer.from([0x66, 0xfc, 0x72]));
  await writeFile(join(folder, 'empty'), '\n');
  for (const [args, message] of [
    [['--file', 'absent'], /--file absent cannot be read/],
    [['--file', '.'], /--file \. cannot be read/],
    [['--file', 'large'], /the file large is longer than 48 KiB/],
    [['--file', 'half', '--file', 'half'], /longer than 48 KiB together/],
    [['--file', 'latin1'], /the file latin1 is no UTF-8 text/],
    [['--file', 'empty'], /the file empty is empty/],
    [['--url', 'file:///etc/passwd'], /--url cannot be/],
    [['--job', 'nonsense'], /--job: /],
    [['--event', `${EVENT}@https://far.example`], /--event: the URL/],
    [[], /there is no prompt/],
  ]) {
    const run = ask(args);
    assert.equal(await run.code, 2, `${args}: ${run.stderr}`);
    assert.match(run.stderr, message);
  }
  assert.equal(relay.heard.length, 0);
});

for (const form of [[], ['--encrypt', 'nip44']]) {
  test(`--stream ${form.join(' ')}: the answer is seen growing and stands exactly once on stdout`, options, async (t) => {
    let run;
    const seen = [];
    const { seller, ask } = await open(t, async (request, say) => {
      await say.status('processing', 'working on it');
      for (const text of ['A machine', 'A machine that sells', 'A machine', 'A machine that sells data.\nYes']) {
        await say.parts([text]);
        await eventually(() => run.stdout.endsWith(text.split(' ').at(-1)) || text === 'A machine', `"${text}" to be printed`);
        seen.push(run.stdout);
      }
      await say.result('A machine that sells data.\nYes, really.');
    });
    run = ask(['--to', npubEncode(seller.pubkey), '--stream', ...form, PROMPT]);
    assert.equal(await run.code, 0, run.stderr);
    assert.equal(run.stdout, 'A machine that sells data.\nYes, really.\n');
    assert.deepEqual([seen[0], seen[1]], ['A machine', 'A machine that sells']);
    assert.doesNotMatch(run.stderr, /partial/);
    assert.match(run.stderr, /processing: working on it/);
    assert.deepEqual(seller.inputsOf(seller.requests[0]).at(-1), ['param', 'stream', 'true']);
  });
}

test('an answer that changes its mind begins on a fresh line; without --stream only the result is printed', options, async (t) => {
  const { seller, ask } = await open(t, async (request, say) => {
    await say.parts(['Yes, bec', 'No']);
    await say.result('Perhaps.');
  });
  const to = ['--to', seller.pubkey];
  const streamed = ask([...to, '--stream', PROMPT]);
  assert.equal(await streamed.code, 0, streamed.stderr);
  assert.equal(streamed.stdout, 'Yes, bec\nNo\nPerhaps.\n');
  const plain = ask([...to, PROMPT]);
  assert.equal(await plain.code, 0, plain.stderr);
  assert.equal(plain.stdout, 'Perhaps.\n');
});

test('--stream --json: a program is given every part whole', options, async (t) => {
  const { ask } = await open(t, async (request, say) => {
    await say.parts(['A', 'A machine']);
    await say.result('A machine.');
  });
  const run = ask(['--stream', '--json', PROMPT]);
  assert.equal(await run.code, 0, run.stderr);
  const contents = run.objects().filter(({ content }) => content !== undefined);
  assert.deepEqual(contents.map(({ type, content }) => [type, content]), [['status', 'A'], ['status', 'A machine'], ['result', 'A machine.']]);
});

// Waits for the first part, then presses Ctrl-C.
async function interruptAfterAPart(market, args = []) {
  market.seller.act = (request, say) => say.partial('A machine');
  const run = market.ask(['--to', market.seller.pubkey, '--stream', ...args, PROMPT]);
  await eventually(() => run.stdout.includes('A machine'), 'the answer to begin');
  run.interruptedAt = Date.now();
  run.child.kill('SIGINT');
  return run;
}

test('Ctrl-C takes the request back and ends when the provider has said that it stopped', options, async (t) => {
  const market = await open(t);
  const { relay, seller } = market;
  relay.onEvent = (event) => {
    if (event.kind !== 5) return;
    const about = [['e', tagsOf(event, 'e')[0][1]], ['p', event.pubkey]];
    seller.publish(7000, [['status', 'error', 'cancelled as you asked; you owe nothing'], ...about]);
  };
  const run = await interruptAfterAPart(market);
  assert.equal(await run.code, 130, run.stderr);
  assert.ok(Date.now() - run.interruptedAt < 2_500, 'it did not wait longer than it had to');
  assert.equal(run.stdout, 'A machine\n');
  assert.match(run.stderr, /taking request [0-9a-f]+ back/);
  assert.match(run.stderr, /took the cancellation/);
  assert.match(run.stderr, /cancelled as you asked/);
  const [deletion] = deletions(relay);
  assert.ok(verifyEvent(JSON.parse(JSON.stringify(deletion))));
  assert.equal(deletion.pubkey, seller.requests[0].pubkey);
  assert.deepEqual(deletion.tags.slice(0, 2), [['e', seller.requests[0].id], ['k', '5050']]);
});

test('Ctrl-C: a provider that says nothing is waited for a moment, a result that was faster is printed', options, async (t) => {
  const market = await open(t);
  const silent = await interruptAfterAPart(market);
  assert.equal(await silent.code, 130, silent.stderr);
  assert.ok(Date.now() - silent.interruptedAt < 8_000);
  assert.match(silent.stderr, /no provider has said that it stopped/);
  market.relay.onEvent = (event) => {
    const request = market.seller.requests.at(-1);
    if (event.kind === 5) market.seller.publish(6050, [['e', request.id], ['p', request.pubkey], ['status', 'success']], 'A machine.');
  };
  const fast = await interruptAfterAPart(market);
  assert.equal(await fast.code, 130, fast.stderr);
  assert.equal(fast.stdout, 'A machine\nA machine.\n');
});

test('Ctrl-C: a bill for what there is so far is shown, not paid', options, async (t) => {
  const market = await open(t);
  market.relay.onEvent = (event) => {
    const request = market.seller.requests.at(-1);
    if (event.kind !== 5) return;
    market.seller.publish(6050, [['e', request.id], ['p', request.pubkey], ['amount', '9000', 'lnbcrt90n1invoice']], 'A machine');
  };
  const run = await interruptAfterAPart(market, ['--pay']);
  assert.equal(await run.code, 130, run.stderr);
  assert.match(run.stderr, /invoice over 9 sat:\nlnbcrt90n1invoice/);
  assert.doesNotMatch(run.stderr, /paid/);
});

test('a second Ctrl-C ends at once', options, async (t) => {
  const run = await interruptAfterAPart(await open(t));
  await eventually(() => run.stderr.includes('once more ends at once'), 'the first to be heard');
  run.child.kill('SIGINT');
  assert.equal(await run.code, 130);
  assert.ok(Date.now() - run.interruptedAt < 2_500);
});

test('while nothing is asked, the first Ctrl-C ends at once', options, async (t) => {
  const { folder, ask } = await open(t);
  const mute = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1');
  t.after(() => mute.close());
  await once(mute, 'listening');
  await writeFile(join(folder, 'key'), nsecEncode(generateSecretKey()) + '\n', { mode: 0o600 });
  for (const [args, began] of [[['--find', PROMPT], 'looking who sells'], [['--key-file', 'key', '--cancel', JOB], 'taking request']]) {
    const run = ask([...args, '--relay', `ws://127.0.0.1:${mute.address().port}`]);
    await eventually(() => run.stderr.includes(began), began);
    run.child.kill('SIGINT');
    const at = Date.now();
    assert.equal(await run.code, 'SIGINT', run.stderr);
    assert.ok(Date.now() - at < 2_500);
  }
});

test('--cancel takes an earlier request of the same key back', options, async (t) => {
  const market = await open(t, (request, say) => say.status('processing'));
  const { relay, seller, folder, ask } = market;
  const secretKey = generateSecretKey();
  await writeFile(join(folder, 'key'), nsecEncode(secretKey) + '\n', { mode: 0o600 });
  const asked = ask(['--key-file', 'key', PROMPT]);
  await eventually(() => seller.requests.length === 1, 'the request');
  asked.child.kill('SIGKILL');
  const { id } = seller.requests[0];
  const run = ask(['--key-file', 'key', '--cancel', noteEncode(id), '--json']);
  assert.equal(await run.code, 0, run.stderr);
  assert.ok(run.objects().some(({ type, accepted }) => type === 'cancelled' && accepted));
  const [deletion] = deletions(relay);
  assert.equal(deletion.pubkey, getPublicKey(secretKey));
  assert.deepEqual(deletion.tags.slice(0, 2), [['e', id], ['k', '5050']]);

  const keyless = ask(['--cancel', id]);
  assert.equal(await keyless.code, 2);
  assert.match(keyless.stderr, /--key-file/);
  relay.onEvent = () => 'blocked: not from you';
  const refused = ask(['--key-file', 'key', '--cancel', id]);
  assert.equal(await refused.code, 3);
  assert.match(refused.stderr, /no relay took the cancellation.*blocked: not from you/);
});

// An announcement as other sellers write it, and a heartbeat if it is alive.
async function announce(seller, { name, model, baseMsat, alive }) {
  const prices = [{ model, base_msat: baseMsat, input_msat_per_1k_tokens: 0, output_msat_per_1k_tokens: 0 }];
  await seller.publish(31990, [['d', 'shop'], ['k', '5050']], JSON.stringify({ name, prices }));
  if (alive) await seller.publish(11998, [['d', 'shop']]);
}

test('--find lists who sells and asks the cheapest that serves the model and is alive', options, async (t) => {
  const { relay, seller: dear, ask } = await open(t);
  const [cheap, dead, other] = [await openSeller(t, relay), await openSeller(t, relay), await openSeller(t, relay)];
  await announce(dear, { name: 'Dear', model: 'llama3.2', baseMsat: 9_000, alive: true });
  await announce(cheap, { name: 'Cheap', model: 'llama3.2', baseMsat: 5_000, alive: true });
  await announce(dead, { name: 'Dead', model: 'llama3.2', baseMsat: 1_000 });
  await announce(other, { name: 'Other', model: 'qwen3:8b', baseMsat: 1_000, alive: true });
  cheap.act = (request, say) => say.result('Cheap.');
  const run = ask(['--find', '--model', 'llama3.2', PROMPT]);
  assert.equal(await run.code, 0, run.stderr);
  assert.equal(run.stdout, 'Cheap.\n');
  assert.match(run.stderr, new RegExp(`Cheap +llama3.2 +~5 sat +yes +yes +${npubEncode(cheap.pubkey)}\n`));
  assert.match(run.stderr, /Other +qwen3:8b/);
  assert.deepEqual(tagsOf(cheap.requests[0], 'p'), [['p', cheap.pubkey]]);

  const list = ask(['--find', '--json', '']);
  assert.equal(await list.code, 0, list.stderr);
  assert.deepEqual(list.objects().map(({ type, name, price_msat }) => [type, name, price_msat]),
    [['seller', 'Other', 1000], ['seller', 'Cheap', 5000], ['seller', 'Dear', 9000], ['seller', 'Dead', 1000]]);
  assert.equal(cheap.requests.length, 1);
});

test('--find: nobody who suits is a failure that says so', options, async (t) => {
  const { seller, ask } = await open(t);
  const nobody = ask(['--find', PROMPT]);
  assert.equal(await nobody.code, 1);
  assert.match(nobody.stderr, /nobody announces on these relays that they sell/);
  await announce(seller, { name: 'Shop', model: 'llama3.2', baseMsat: 1_000, alive: true });
  const unsuited = ask(['--find', '--model', 'gpt-17', PROMPT]);
  assert.equal(await unsuited.code, 1);
  assert.match(unsuited.stderr, /nobody announces that they serve what the question needs/);
  assert.equal(seller.requests.length, 0);
  const both = ask(['--find', '--to', seller.pubkey, PROMPT]);
  assert.equal(await both.code, 2);
});
