// The end of a shop: by signal or by command it ends in time whatever model, wallet and relays do, tells what it waits for, and
// loses nothing.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { RESULT_KIND, statusOf } from '../harness/customer.mjs';
import { eventually } from '../harness/eventually.mjs';
import { addressed, assertClean, assertNothingTwice, openMarket, openWalletMarket, untilState } from '../harness/market.mjs';
import { binary, skipWithoutProgram } from '../harness/provider.mjs';
import { startLnd } from '../harness/wallets/lnd.mjs';

const options = { skip: skipWithoutProgram, timeout: 300_000 };
const DEAD_RELAY = 'ws://127.0.0.1:9';

// How long serve takes to end after this signal, which must leave it with 0.
async function drainTime(provider, signal = 'SIGTERM') {
  const began = Date.now();
  provider.signal(signal);
  assert.equal(await provider.death(), 0);
  return Date.now() - began;
}

const logged = (provider, text) => provider.log.some((line) => line.includes(text));

// A market with a job whose model runs until release() is called.
async function openMarketWithRunningJob(t, more) {
  const market = await openMarket(t, more);
  const release = market.ollama.hold();
  const job = await market.customer.ask(addressed(market.provider));
  await eventually(() => market.ollama.running() === 1, 'the model to run');
  return { ...market, job, release };
}

test('a relay of the customer that nobody listens on is not waited for', options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider, relay } = market;
  const job = await customer.ask(addressed(provider, [['relays', relay.url, DEAD_RELAY]]));
  await job.status('success');
  assert.ok((await drainTime(provider)) < 5_000);
});

test('a relay that never says OK is waited for 20 s, aloud; the same result goes out after the next start', options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider, relay } = market;
  relay.onEvent = ({ pubkey, kind }) => (pubkey === provider.pubkey && [7000, RESULT_KIND].includes(kind) ? false : undefined);
  const job = await customer.ask(addressed(provider));
  await eventually(() => relay.heard.some(({ event }) => event.kind === RESULT_KIND), 'the result to be sent');
  const ms = await drainTime(provider);
  assert.ok(ms < 30_000, `${ms} ms`);
  assert.ok(logged(provider, 'draining: waiting for 1 result to be accepted by relays'));
  relay.onEvent = undefined;
  await provider.start();
  await job.result();
  await job.status('success');
  assertNothingTwice(market, job);
  await assertClean(market);
});

test('a relay that finds each success notice too much is not waited for', options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider, relay } = market;
  relay.onEvent = (event) => (event.kind === 7000 && statusOf(event) === 'success' ? 'rate-limited: slow down' : undefined);
  const job = await customer.ask(addressed(provider));
  await job.result();
  await eventually(() => relay.heard.some(({ event }) => event.kind === 7000 && statusOf(event) === 'success'), 'the success notice');
  assert.ok((await drainTime(provider)) < 5_000);
});

test('a wallet that says nothing is waited for 20 s', options, async (t) => {
  const lnd = await startLnd();
  t.after(lnd.close);
  const market = await openWalletMarket(t, lnd);
  const { customer, provider, counterpart, ollama } = market;
  for (let i = 0; i < 20; ++i) counterpart.fail('silent');
  await customer.ask(addressed(provider));
  await eventually(() => ollama.chats.some(({ outcome }) => outcome === 'done'), 'the answer');
  const ms = await drainTime(provider);
  assert.ok(ms < 30_000, `${ms} ms`);
});

test('a model without end is stopped at the limit, and runs again after the next start', options, async (t) => {
  const market = await openMarketWithRunningJob(t);
  const { provider, ollama, job, release } = market;
  const ms = await drainTime(provider);
  assert.ok(ms > 40_000 && ms < 55_000, `${ms} ms`);
  assert.ok(logged(provider, 'draining: waiting for 1 running job'));
  assert.ok(logged(provider, 'does not wait any longer for 1 running job'));
  release();
  await provider.start();
  await job.result();
  await job.status('success');
  assert.equal(ollama.chats.length, 2);
  assertNothingTwice(market, job);
  await assertClean(market);
});

test('a closed terminal drains, though it is told twice; another signal ends at once, and nothing is lost', options, async (t) => {
  const market = await openMarketWithRunningJob(t);
  const { provider, job, release } = market;
  provider.signal('SIGHUP');
  await eventually(() => logged(provider, 'draining:'), 'the drain');
  provider.signal('SIGHUP');
  await sleep(500);
  assert.ok(provider.running());
  provider.signal('SIGINT');
  assert.equal(await provider.death(), 130);
  release();
  await provider.start();
  await job.result();
  await job.status('success');
  assertNothingTwice(market, job);
  assert.ok((await drainTime(provider, 'SIGHUP')) < 5_000);
  await assertClean(market);
});

test('a second Ctrl-C ends at once', options, async (t) => {
  const market = await openMarketWithRunningJob(t);
  const { provider, job, release } = market;
  provider.signal('SIGINT');
  await eventually(() => logged(provider, 'draining:'), 'the drain');
  const began = Date.now();
  provider.signal('SIGINT');
  assert.equal(await provider.death(), 130);
  assert.ok(Date.now() - began < 5_000);
  release();
  await provider.start();
  await job.status('success');
  assertNothingTwice(market, job);
  await assertClean(market);
});

test('a log that nobody reads any more does not end it', options, async (t) => {
  const market = await openMarket(t);
  const { customer, provider } = market;
  provider.closeLog();
  await (await customer.ask(addressed(provider))).status('success');
  assert.ok(provider.running());
  assert.ok((await drainTime(provider)) < 5_000);
  await assertClean(market);
});

test('two offlines at once wait for the same drain; nothing is started until it is online again', options, async (t) => {
  const market = await openMarketWithRunningJob(t);
  const { customer, provider, ollama, job, release } = market;
  const next = await customer.ask(addressed(provider, [], 'And then?'));
  await untilState(market, next, 'working');
  const both = [provider.cli(['offline', '--drain']), provider.cli(['offline', '--drain'])];
  await provider.eventually(async () => /going offline.*waits for 1 running job/.test((await provider.cli(['status'])).stdout), 'the drain in `status`');
  release();
  for (const { code, stderr } of await Promise.all(both)) {
    assert.equal(code, 0, stderr);
    assert.match(stderr, /offline; every started job is finished/);
  }
  await job.result();
  assert.equal(ollama.chats.length, 1);
  assert.match((await provider.cli(['offline', '--drain'])).stderr, /already offline/);
  assert.equal((await provider.cli(['online'])).code, 0);
  await next.result();
  await assertClean(market);
});

test('a signal that comes while `offline --drain` waits ends both', options, async (t) => {
  const market = await openMarketWithRunningJob(t);
  const { provider, release } = market;
  const offline = provider.cli(['offline', '--drain']);
  await eventually(async () => /1 running job/.test((await provider.cli(['status'])).stdout), 'the drain');
  provider.signal('SIGTERM');
  release();
  assert.equal(await provider.death(), 0);
  const { code, stderr } = await offline;
  assert.equal(code, 0, stderr);
  await assertClean(market);
});

test('on a terminal `offline --drain` shows what it waits for', options, async (t) => {
  const { provider, release } = await openMarketWithRunningJob(t);
  const command = [binary, '--data-dir', join(provider.folder, 'data'), 'offline', '--drain'].join(' ');
  const child = spawn('script', ['-qec', command, '/dev/null'], { env: { ...process.env, TERM: 'xterm' } });
  let shown = '';
  child.stdout.on('data', (text) => (shown += text));
  await eventually(() => shown.includes('waiting for 1 running job'), `the line; there is: ${shown}`);
  release();
  await eventually(() => shown.includes('offline; every started job is finished'), 'the end');
});
