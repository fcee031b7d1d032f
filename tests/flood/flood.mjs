// Floods one provider after another and prints the figures. See `run`.
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { eventually } from '../harness/eventually.mjs';
import { buyAgainAndAgain, openCustomerOf, OWNERS_LIMITS, pour, signFlood } from '../harness/flood.mjs';
import { addressed, buy } from '../harness/market.mjs';
import { startOllama } from '../harness/ollama.mjs';
import { createProvider } from '../harness/provider.mjs';
import { startRelay } from '../harness/relay.mjs';

const MAX_MEMORY_MB = 100;
const MAX_DISK_BYTES = 200; // for each request that was refused
const WORD_DELAY_MS = 50; // a job takes about a second
const READ_AGAIN_MS = 1_000;
const SECONDS_FOR_NEW_ONES = 120; // what is asked of new customers is decided each minute: a shorter flood may keep them out

const { values: options } = parseArgs({
  options: {
    requests: { type: 'string', default: '50000' },
    keys: { type: 'string', default: '1,5000' },
    seconds: { type: 'string', default: '150' },
  },
});
const count = Number(options.requests);
const floodSeconds = Number(options.seconds);
const findings = [];
for (const keys of options.keys.split(',').map(Number)) await floodOnce(keys);
for (const finding of findings) console.log(`FINDING ${finding}`);
process.exit(findings.length > 0 ? 1 : 0);

async function floodOnce(keys) {
  const market = await openMarket(keys);
  const { provider, customers } = market;
  const figures = { keys, before: await measure(provider), ...(await attack(market)) };
  await sleep(READ_AGAIN_MS);
  figures.after = await measure(provider);
  figures.recorded = (await provider.jobs()).length;
  await provider.stop();
  await provider.start(); // recovery empties the log
  await provider.stop();
  figures.atRest = await diskOf(provider);
  figures.audit = await provider.cli(['audit']);
  print(figures);
  judge(figures);
  findings.push(...customers.flatMap((customer) => customer.complaints));
  await market.close();
}

// One provider that is online, a flood that waits, a customer who has paid, and two new ones.
async function openMarket(keys) {
  const relay = await startRelay();
  const ollama = await startOllama({ wordDelayMs: WORD_DELAY_MS });
  const provider = await createProvider({ relay, ollama, settings: { ...OWNERS_LIMITS, 'log.level': 'warning' } });
  const flood = await signFlood({ provider: provider.pubkey, count, keys });
  await provider.start();
  const market = { relay, ollama, provider, flood, close };
  market.customers = await Promise.all([1, 2, 3].map(() => openCustomerOf(market)));
  await buy(market, await market.customers[0].ask(addressed(provider)));
  return market;

  async function close() {
    market.customers.forEach((customer) => customer.close());
    await provider.remove();
    await ollama.close();
    await relay.close();
  }
}

// New customers come in the middle of it.
async function attack(market) {
  const { relay, flood, customers: [regular, newcomer, worker] } = market;
  const began = Date.now();
  let over = false;
  const later = sleep(floodSeconds * 500);
  const sales = Promise.all([
    buyAgainAndAgain(market, regular, () => over),
    later.then(() => buyAgainAndAgain(market, newcomer, () => over, { isNew: true })),
    later.then(() => buyAgainAndAgain(market, worker, () => over, { isNew: true, work: true })),
  ]);
  await pour(relay, flood, floodSeconds);
  await eventually(() => relay.backlogBytes() === 0, 'the provider to read the flood');
  const seconds = (Date.now() - began) / 1000;
  over = true;
  const [ofRegular, ofNewcomer, ofWorker] = await sales;
  return { seconds, ofRegular, ofNewcomer, ofWorker };
}

async function measure(provider) {
  return { disk: await diskOf(provider), memory: await memoryOf(provider) };
}

// Bytes of disk that the flood has cost, for each of its requests that was not recorded.
function perRefused({ before, recorded }, disk) {
  const grown = disk.tables + disk.log - before.disk.tables - before.disk.log;
  return Math.round(grown / (count - recorded));
}

function print(figures) {
  const { keys, seconds, recorded, before, after, atRest, audit } = figures;
  const row = (what, value) => console.log(`  ${what.padEnd(70)} ${String(value).padStart(16)}`);
  console.log(`\nflood: ${count} requests of ${keys} ${keys === 1 ? 'key' : 'keys'} in ${seconds.toFixed(0)} s`);
  row('recorded, with those of the customers', recorded);
  row('memory before / at most (VmHWM), MB', `${before.memory} / ${after.memory}`);
  row('disk before: tables / log, KB', kilobytes(before.disk));
  row('disk after: tables / log, KB', kilobytes(after.disk));
  row('disk at rest, after a restart: tables / log, KB', kilobytes(atRest));
  row('disk per refused request: running / at rest, bytes', `${perRefused(figures, after.disk)} / ${perRefused(figures, atRest)}`);
  row('a customer who had paid: served of asked, latest start, slowest', summary(figures.ofRegular));
  row('a new one: served of asked, latest start, slowest', summary(figures.ofNewcomer));
  row('a new one who brings work: served of asked, latest start, slowest', summary(figures.ofWorker));
  row('audit', audit.code === 0 ? 'no findings' : 'FINDINGS');
}

function judge(figures) {
  const { keys, after, atRest, ofRegular, ofNewcomer, ofWorker, audit } = figures;
  const must = (holds, what) => holds || findings.push(`${keys} keys: ${what}`);
  must(ofRegular.length > 0 && ofRegular.every(Boolean), 'a customer who had paid was not served');
  if (floodSeconds >= SECONDS_FOR_NEW_ONES) must([...ofNewcomer, ...ofWorker].some(Boolean), 'no new customer was served');
  must(after.memory <= MAX_MEMORY_MB, `${after.memory} MB of memory`);
  must(perRefused(figures, atRest) <= MAX_DISK_BYTES, `${perRefused(figures, atRest)} bytes of disk for each refused request`);
  must(audit.code === 0, `audit: ${audit.stdout}${audit.stderr}`);
}

function summary(sales) {
  const served = sales.filter(Boolean);
  const slowest = (what) => (served.length > 0 ? `${(Math.max(...served.map(what)) / 1000).toFixed(1)} s` : '-');
  return `${served.length} of ${sales.length}, ${slowest((one) => one.startedMs)}, ${slowest((one) => one.servedMs)}`;
}

// The most that the process ever had in memory, in MB.
async function memoryOf(provider) {
  const status = await readFile(`/proc/${provider.pid()}/status`, 'utf8');
  return Math.round(Number(/VmHWM:\s+([0-9]+) kB/.exec(status)[1]) / 1024);
}

// Bytes of the ledger: its write-ahead log, and everything else.
async function diskOf(provider) {
  const folder = join(provider.folder, 'data');
  const sizes = { tables: 0, log: 0 };
  for (const name of await readdir(folder, { recursive: true })) {
    const info = await stat(join(folder, name)).catch(() => undefined); // it may just have been deleted
    if (info?.isFile()) sizes[/\/[0-9]+\.log$/.test(name) ? 'log' : 'tables'] += info.size;
  }
  return sizes;
}

function kilobytes({ tables, log }) {
  return `${Math.round(tables / 1024)} / ${Math.round(log / 1024)}`;
}
