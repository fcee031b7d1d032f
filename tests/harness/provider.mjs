// The real program as a child process: its own folder with configuration, key and ledger; started, drained, killed, started
// again on the same data; and its other commands run beside it.
//
// The binary: $SELLCOMPUTE, else build/release/cmd/sellcompute of this tree.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { nsecEncode } from 'nostr-tools/nip19';
import { generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { eventually, PATIENCE_MS } from './eventually.mjs';

const LOOK_AGAIN_MS = 300;

export const binary = resolve(
  process.env.SELLCOMPUTE || fileURLToPath(new URL('../../build/release/cmd/sellcompute', import.meta.url)),
);
// For `test(…, {skip})`: without the program there is nothing to test but the counterparts. A program that was named must exist.
export const skipWithoutProgram = process.env.SELLCOMPUTE || existsSync(binary) ? false : `there is no program at ${binary}`;

// settings: dotted keys to values ("selling.slots": 2), over those that every test needs. environment: variables of every
// command. folder: where it lives, else a new one.
// tables: more of the configuration, as TOML. ownModels: whether each model of Ollama's is configured; else it sells what it finds.
export async function createProvider({ relay, ollama, settings = {}, tables = '', environment = {}, folder, ownModels = true }) {
  folder ??= await mkdtemp(join(tmpdir(), 'sellcompute-e2e-'));
  const configFile = join(folder, 'config.toml');
  const secretKey = generateSecretKey();
  const commands = new Set(); // the other running children
  let serve; // the running child
  let clockAheadMs; // of the machine's, where a test lives on another day

  const provider = {
    folder,
    pubkey: getPublicKey(secretKey),
    log: [], // lines of every serve so far
    cli,
    run, // a command as a running child process
    json,
    eventually: eventuallyByCommand,
    start,
    pid: () => serve.child.pid,
    running: () => serve !== undefined && serve.child.exitCode === null && serve.child.signalCode === null,
    online: () => provider.running() && relay.subscribed(5050) > 0,
    stop,
    signal: (name) => serve.child.kill(name),
    closeLog: () => [serve.child.stdout, serve.child.stderr].forEach((stream) => stream.destroy()),
    kill,
    death,
    killCommands,
    jobs: () => json(['jobs', 'list', '--limit', '100000', '--json']),
    job: async (id) => (await provider.jobs()).find((row) => row.job === id),
    damage,
    pay: (bolt11) => cli(['wallet', 'pay', bolt11]),
    remove,
  };

  await writeFile(join(folder, 'nsec'), nsecEncode(secretKey) + '\n', { mode: 0o600 });
  const made = await cli(['init', '--import', join(folder, 'nsec')]);
  if (made.code !== 0) throw new Error(`init failed with ${made.code}: ${made.stderr}`);
  await writeFile(
    configFile,
    toml({
      'relays.urls': [relay.url],
      'relays.allow_private': true,
      'inference.url': ollama.url,
      'inference.connect_timeout': '1 min', // the stand-in may be busy
      'wallet.kind': 'sandbox',
      'selling.stranger_pool_msat': 1_000_000_000, // strangers are trusted: tests that are about credit say otherwise
      'selling.exposure_limit_msat': 1_000_000_000,
      'selling.entries_per_key': 100_000,
      'selling.entries_of_strangers': 1_000_000,
      'selling.error_notices_per_customer': 1000,
      'selling.error_notices': 1000,
      'selling.inference_retry': '100 ms',
      'selling.invoice_retry': '100 ms',
      ...settings,
    }) + (ownModels ? models(ollama) : '') + tables,
  );
  return provider;

  function run(args, env = {}) {
    const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('SELLCOMPUTE')));
    const clock = clockAheadMs === undefined ? {} : { SELLCOMPUTE_TEST_CLOCK_MS: String(Date.now() + clockAheadMs) };
    return spawn(binary, ['--config', configFile, '--data-dir', join(folder, 'data'), ...args], {
      cwd: folder,
      env: { ...inherited, XDG_RUNTIME_DIR: folder, ...clock, ...environment, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  }

  // One command from start to end: {code, stdout, stderr}.
  function cli(args, { input = '', env } = {}) {
    return new Promise((done, failed) => {
      const child = run(args, env);
      commands.add(child);
      const output = { stdout: '', stderr: '' };
      child.stdout.setEncoding('utf8').on('data', (text) => (output.stdout += text));
      child.stderr.setEncoding('utf8').on('data', (text) => (output.stderr += text));
      child.stdin.on('error', () => {}).end(input);
      const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
      child.on('error', failed);
      child.on('close', (code, signal) => {
        clearTimeout(timer);
        commands.delete(child);
        done({ code: code ?? signal, ...output });
      });
    });
  }

  // The JSON objects that a command prints, one a line; it must succeed.
  async function json(args) {
    const { code, stdout, stderr } = await cli(args);
    if (code !== 0) throw new Error(`${args.join(' ')} exited with ${code}: ${stderr}`);
    return stdout.split('\n').filter(Boolean).map((text) => JSON.parse(text));
  }

  // `eventually` for a look that runs a command, which costs more than a wait: it is run again when serve has logged something
  // new with the text `about` in it, or after LOOK_AGAIN_MS.
  function eventuallyByCommand(look, what, { about = '' } = {}) {
    let seen; // lines of the log when the last look began
    function lookOnce() {
      seen = provider.log.length;
      return look();
    }
    async function untilNews() {
      const end = Date.now() + LOOK_AGAIN_MS;
      while (Date.now() < end && !provider.log.slice(seen).some((line) => line.includes(about))) await sleep(20);
    }
    return eventually(lookOnce, what, PATIENCE_MS, untilNews);
  }

  // Starts `serve` and waits until its subscription is live; not so with killAt, where it may die before, or without `wait`.
  // killAt: a named point of the program at which it ends itself as `kill -9` would. clockMs: what its clock shows from now on,
  // and that of all other commands. args: of the command.
  async function start({ killAt, clockMs, wait = true, env = {}, args = [] } = {}) {
    if (clockMs) clockAheadMs = clockMs - Date.now();
    const child = run(['serve', ...args], killAt ? { SELLCOMPUTE_TEST_KILL_AT: killAt, ...env } : env);
    serve = { child, exit: new Promise((done) => child.on('close', (code, signal) => done(code ?? signal))) };
    for (const input of [child.stdout, child.stderr]) createInterface({ input }).on('line', (line) => provider.log.push(line));
    if (killAt || !wait) return;
    await eventually(() => provider.online() || !provider.running(), 'serve to go online');
    if (!provider.running()) throw new Error(`serve ended: ${provider.log.slice(-5).join('\n')}`);
  }

  // Ctrl-C: drains, and must end by itself. Returns its exit code.
  async function stop() {
    provider.signal('SIGINT');
    return death();
  }

  // kill -9, and waits until the relay has noticed.
  async function kill() {
    provider.signal('SIGKILL');
    return death();
  }

  // Waits until serve has ended, whoever ended it: its exit code or signal.
  async function death() {
    const code = await Promise.race([serve.exit, sleep(PATIENCE_MS, undefined, { ref: false })]);
    if (code === undefined) throw new Error(`serve did not end within ${PATIENCE_MS} ms: ${provider.log.slice(-5).join('\n')}`);
    await eventually(() => relay.subscribed(5050) === 0, 'the relay to drop the dead connection');
    return code;
  }

  // kill -9 to every other command that runs, and waits for their ends.
  async function killCommands() {
    for (const child of commands) child.kill('SIGKILL');
    await eventually(() => commands.size === 0, 'the other commands to end');
  }

  // Flips one bit in the middle of the largest file of the ledger, where entries are.
  async function damage() {
    const ledger = join(folder, 'data');
    const names = await readdir(ledger, { recursive: true });
    const files = await Promise.all(names.map(async (name) => ({ path: join(ledger, name), info: await stat(join(ledger, name)) })));
    const { path } = files
      .filter(({ path: name, info }) => info.isFile() && /\.(log|sst)$/.test(name))
      .reduce((largest, file) => (file.info.size > largest.info.size ? file : largest));
    const bytes = await readFile(path);
    bytes[bytes.length >> 1] ^= 1;
    await writeFile(path, bytes);
  }

  async function remove() {
    if (provider.running()) await kill();
    await rm(folder, { recursive: true, force: true });
  }
}

function toml(settings) {
  const sections = new Map();
  for (const [key, value] of Object.entries(settings)) {
    const [section, name] = key.split('.');
    sections.set(section, [...(sections.get(section) ?? []), `${name} = ${JSON.stringify(value)}`]);
  }
  return [...sections].map(([section, lines]) => `[${section}]\n${lines.join('\n')}\n`).join('\n');
}

function models(ollama) {
  return Object.entries(ollama.models)
    .map(([name, model]) => [name, model.context ?? model])
    .map(([name, context]) =>
      ['', '[[models]]', `name = ${JSON.stringify(name)}`, 'base_msat = 1000', 'input_msat_per_1k_tokens = 2000',
        'output_msat_per_1k_tokens = 10000', `context_tokens = ${context}`, 'max_output_tokens = 512', ''].join('\n'))
    .join('');
}
