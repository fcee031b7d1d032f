// The Spark sidecar as a process of its own, spoken to as the program speaks to it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually } from '../eventually.mjs';
import { sparkFolder } from './spark-operators.mjs';
import { skipWithoutSpark, startSparkWorld } from './spark-world.mjs';

export const MNEMONIC = 'legal winner thank year wave sausage worth useful legal winner thank yellow';
const ANSWER_LIMIT_MS = 40_000; // the sidecar itself gives up after 30 s

export const hashOf = (preimage) => createHash('sha256').update(preimage, 'hex').digest('hex');

export const order = (fields = {}) => ({
  amount_sat: 2100,
  memo: 'an answer',
  expiry_s: 600,
  preimage: randomBytes(32).toString('hex'),
  ...fields,
});

export function startSidecar(t) {
  const child = spawn(process.execPath, [fileURLToPath(new URL('sidecar.mjs', sparkFolder))], { stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  let gone = false;
  let calls = 0;
  const sidecar = {
    messages: [], // whatever it said
    output: '', // the same as text, and what it said on stderr
    news: () => sidecar.messages.filter(({ method }) => method === 'news').length,
    connection: () => sidecar.messages.findLast(({ method }) => method === 'connection')?.params.state,
    write: (text) => child.stdin.write(text),
    ask,
    call,
    refusal,
    end,
    pause: () => child.kill('SIGSTOP'),
    resume: () => child.kill('SIGCONT'),
    kill: () => child.kill('SIGKILL') && ended,
    exit: async () => (await ended)[0],
  };
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    sidecar.messages.push(...lines.map((line) => JSON.parse(line)));
    sidecar.output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => (sidecar.output += text));
  child.stdin.on('error', () => {});
  child.on('close', () => (gone = true));
  t.after(sidecar.kill);
  return sidecar;

  // The whole answer.
  async function ask(method, params) {
    const id = (calls += 1);
    sidecar.write(JSON.stringify({ jsonrpc: '2.0', id, method, params }) + '\n');
    return eventually(() => {
      const answer = sidecar.messages.find((message) => message.id === id);
      if (!answer && gone) throw new Error(`the sidecar ended before it answered ${method}: ${sidecar.output.slice(-500)}`);
      return answer;
    }, `an answer to ${method}`, ANSWER_LIMIT_MS);
  }

  async function call(method, params = {}) {
    const { result, error } = await ask(method, params);
    assert.equal(error, undefined, `${method}: ${JSON.stringify(error)}`);
    return result;
  }

  // Which of our errors it is.
  async function refusal(method, params = {}) {
    const { error } = await ask(method, params);
    assert.equal(error?.code, -32000, `${method} was not refused`);
    assert.ok(error.message.length > 10, error.message);
    return error.data.code;
  }

  // Ctrl-D: its exit code.
  async function end() {
    child.stdin.end();
    return sidecar.exit();
  }
}

export const opening = (world, fields = {}) => ({ mnemonic_or_seed: MNEMONIC, network: 'LOCAL', options: world.options, ...fields });

export async function openSidecar(t, world) {
  const sidecar = startSidecar(t);
  await sidecar.call('open', opening(world));
  return sidecar;
}

export async function openWorld(t) {
  const world = await startSparkWorld();
  t.after(world.close);
  return world;
}

// For the tests of one file that need no fresh ones: a start takes two seconds or more. The world and the sidecar are there
// once the first test begins.
export function shareSpark() {
  const shared = {};
  const ends = [];
  before(async () => {
    if (skipWithoutSpark) return;
    const t = { after: (end) => ends.unshift(end) };
    shared.world = await openWorld(t);
    shared.sidecar = await openSidecar(t, shared.world);
  });
  after(async () => {
    for (const end of ends) await end();
  });
  return shared;
}

export const settled = (sidecar, payment_hash, hold) =>
  eventually(async () => {
    const found = await sidecar.call('look_up', { payment_hash, hold });
    return found.state === 'settled' && found;
  }, 'the settlement');

export const held = (sidecar, payment_hash) => sidecar.call('look_up', { payment_hash, hold: true });
