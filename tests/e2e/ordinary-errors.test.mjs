// What is not ours to mend is told in words: another user's files, input that cannot be read, output that nobody reads.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { addressed, openMarket } from '../harness/market.mjs';
import { binary, skipWithoutProgram } from '../harness/provider.mjs';

const options = { skip: skipWithoutProgram, timeout: 300_000 };
const NOBODY = 65534;

// {code, stderr} of one run of the program. closeOutput: its output is closed at once.
function run(args, { closeOutput = false, ...spawning } = {}) {
  return new Promise((done, failed) => {
    const child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'], ...spawning });
    let stderr = '';
    child.stderr.on('data', (text) => (stderr += text));
    if (closeOutput) child.stdout.destroy();
    else child.stdout.resume();
    child.on('error', failed);
    child.on('close', (code, signal) => done({ code: code ?? signal, stderr }));
  });
}

test("another user's shop is told as such by every command", { ...options, skip: options.skip || (process.getuid() !== 0 && 'only root can be two users') }, async (t) => {
  const { provider, customer } = await openMarket(t);
  await (await customer.ask(addressed(provider))).status('success');
  const data = join(provider.folder, 'data');
  const asNobody = (...args) => run(['--data-dir', data, ...args], { uid: NOBODY, gid: NOBODY, env: { HOME: '/nonexistent' } });
  if (await asNobody('--version').then(({ code }) => code !== 0, () => true)) return t.skip('nobody may not run the program');
  for (const opened of [[], [provider.folder], [data]]) {
    for (const path of opened) await chmod(path, 0o755);
    for (const command of [['jobs', 'list'], ['earnings', 'report'], ['audit'], ['ledger', 'export'], ['ledger', 'stats'], ['replay', '--rebuild-views']]) {
      const { code, stderr } = await asNobody(...command);
      assert.equal(code, 5, `${command.join(' ')}: ${code} ${stderr}`);
      assert.match(stderr, /nobody may not (read|write) this ledger.*run this as its owner, root/s);
    }
    for (const command of [['offline'], ['online']]) {
      const { code, stderr } = await asNobody(...command);
      assert.equal(code, 3, stderr);
    }
    for (const command of [['status'], ['wallet', 'status'], ['serve', '--relay', 'wss://relay.example']]) {
      const { code, stderr } = await asNobody(...command);
      assert.notEqual(code, 0);
      assert.doesNotMatch(stderr, /bug|unforeseen/, command.join(' '));
    }
  }
});

test('input that cannot be read is not its end', options, async (t) => {
  const { provider } = await openMarket(t, { start: false });
  const folder = openSync(provider.folder, 'r'); // read() fails on it, as on a bad disk
  t.after(() => closeSync(folder));
  for (const command of [['event', 'verify'], ['event', 'decode'], ['request', '--relay', 'wss://relay.example']]) {
    const { code, stderr } = await run(command, { stdio: [folder, 'pipe', 'pipe'] });
    assert.equal(code, 1, `${command.join(' ')}: ${code} ${stderr}`);
    assert.match(stderr, /cannot be read to its end/);
  }
  const held = await provider.cli(['audit', '--against', provider.folder]);
  assert.notEqual(held.code, 0);
  assert.match(held.stderr, /cannot be read/);
});

test('output that nobody reads any more ends a command quietly', options, async (t) => {
  const { provider, customer } = await openMarket(t);
  await (await customer.ask(addressed(provider))).status('success');
  for (const command of [['jobs', 'list'], ['ledger', 'export'], ['--help']]) {
    const { code, stderr } = await run(['--data-dir', join(provider.folder, 'data'), ...command], { closeOutput: true });
    assert.equal(code, 141, `${command.join(' ')}: ${code} ${stderr}`);
    assert.equal(stderr, '');
  }
});
