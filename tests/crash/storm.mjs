// The storm: the real program with its real store on a real file system, killed hundreds of times while customers buy. They
// keep books of their own, and at the end everything must agree: what was asked, answered, revealed, paid, earned.
//
//     node storm.mjs [--deaths N] [--seed N] [--power]
//
// --power: most deaths are power failures, after which the disk has what was synced and a part of the rest (disk.mjs).
// The last lines are the figures; exit code 1 when a promise was broken.
import { parseArgs } from 'node:util';
import { openCustomer } from '../harness/customer.mjs';
import { eventually } from '../harness/eventually.mjs';
import { addressed, MODES } from '../harness/market.mjs';
import { startOllama } from '../harness/ollama.mjs';
import { createProvider } from '../harness/provider.mjs';
import { startRelay } from '../harness/relay.mjs';
import { compareBooks } from '../harness/storm/books.mjs';
import { attachDisk } from '../harness/storm/disk.mjs';
import { killers } from '../harness/storm/killers.mjs';
import { createRandom } from '../harness/storm/random.mjs';

const CUSTOMERS = 4;
const OPEN_JOBS_EACH = 2;
const AUDIT_EVERY = 25; // deaths

const { values: options } = parseArgs({
  options: { deaths: { type: 'string', default: '300' }, seed: { type: 'string' }, power: { type: 'boolean', default: false } },
});
const deaths = Number(options.deaths);
const seed = Number(options.seed ?? Date.now() % 1_000_000_007);
const name = options.power ? 'power failures' : 'storm';
console.log(`${name}: seed ${seed}`);

const random = createRandom(seed);
const total = { deaths: 0, died: {}, lifeMs: 0, figures: {}, findings: [] };
const began = Date.now();
for (const mode of MODES) {
  const market = await openMarket(mode);
  try {
    await storm(market, Math.ceil(deaths / MODES.length));
  } catch (error) {
    market.findings.push(error.message);
  }
  for (const [figure, value] of Object.entries(market.figures)) total.figures[figure] = (total.figures[figure] ?? 0) + value;
  total.findings.push(...market.findings.map((finding) => `${mode}: ${finding}`));
  await market.close(market.findings.length > 0);
}
report();
process.exit(total.findings.length > 0 ? 1 : 0);

// ---- a market of which the provider dies ----------------------------------------------------------------------------

async function openMarket(mode) {
  const relay = await startRelay();
  const ollama = await startOllama({ wordDelayMs: 1 });
  const settings = { 'selling.payment_mode': mode, 'selling.slots': 4, 'selling.queue_limit': 64, 'log.level': 'warning' };
  const disk = options.power ? await attachDisk(random) : undefined;
  const provider = await createProvider({ relay, ollama, settings, environment: disk?.environment, folder: disk?.folder });
  for (const file of ['nsec', 'config.toml']) await disk?.adopt(file); // the test wrote them
  const customers = [];
  for (let i = 0; i < CUSTOMERS; i += 1) customers.push(await openCustomer({ relayUrl: relay.url, provider: provider.pubkey }));
  return { mode, relay, ollama, provider, disk, customers, powered: true, figures: {}, findings: [], close };

  async function close(keep) {
    customers.forEach((customer) => customer.close());
    if (keep) console.log(`${name}: kept for a look: ${provider.folder}`);
    if (keep && provider.running()) await provider.kill();
    if (!keep) await provider.remove();
    if (!keep) await disk?.remove();
    await ollama.close();
    await relay.close();
  }
}

async function storm(market, count) {
  const { provider, disk, customers, figures, findings } = market;
  const load = { on: true };
  const shoppers = customers.flatMap((customer) => Array.from({ length: OPEN_JOBS_EACH }, () => shop(market, customer, load)));
  for (let i = 1; i <= count && findings.length === 0; i += 1) {
    await live(market);
    if (i % AUDIT_EVERY === 0) await audit(market);
  }
  load.on = false;
  if (findings.length > 0) return;
  await provider.start();
  await Promise.all(shoppers);
  if (findings.length > 0) return;
  await compareBooks(market);
  await audit(market);
  if ((await provider.stop()) !== 0) findings.push('serve did not end with 0');
  await audit(market);
  if (!disk) return;
  findings.push(...(await disk.differences()).map((one) => `the layer is wrong: ${one}`));
  Object.assign(figures, disk.figures);
}

// One life and its death, on which the customers are not told.
async function live(market) {
  const { provider, findings } = market;
  const killer = random.pick(options.power ? killers.power : killers.storm)(market, random);
  const kill = () => provider.signal('SIGKILL');
  const born = Date.now();
  const limit = setTimeout(() => (killer.tooLate = true) && kill(), killer.lifeMs);
  await provider.start({ wait: false, killAt: killer.killAt, env: killer.env });
  killer.arm?.(kill);
  const code = await provider.death();
  clearTimeout(limit);
  market.relay.onEvent = market.ollama.onChat = market.onPaid = undefined;
  if (code !== 'SIGKILL') findings.push(`serve ended by itself with ${code}: ${provider.log.slice(-5).join('\n')}`);
  const how = killer.tooLate && killer.otherwise ? killer.otherwise : killer.name;
  total.died[how] = (total.died[how] ?? 0) + 1;
  total.deaths += 1;
  total.lifeMs += Date.now() - born;
  if (market.disk && random.below(4) > 0) await losePower(market); // else what died before the failure is not synced either
}

// Everything that runs on the provider's machine dies, and then the disk forgets.
async function losePower(market) {
  market.powered = false;
  await market.provider.killCommands();
  await market.disk.lose();
  market.powered = true;
}

async function audit({ provider, figures, findings }) {
  const { code, stdout, stderr } = await provider.cli(['audit']);
  if (code !== 0) findings.push(`audit: ${stdout}${stderr}`);
  figures.audits = (figures.audits ?? 0) + 1;
}

// ---- a customer -----------------------------------------------------------------------------------------------------

// Buys one answer after the other, and pays each invoice until the wallet says that it is paid.
async function shop(market, customer, load) {
  try {
    while (load.on) {
      const job = await customer.ask(addressed(market.provider, [], `Question ${customer.jobs.size} of ${customer.pubkey}?`));
      const invoice = await job.invoice();
      await eventually(() => pay(market, invoice), `the payment of ${job.id}`);
      job.isPaid = true;
      market.onPaid?.();
      await job.result();
      await job.status('success');
    }
  } catch (error) {
    market.findings.push(error.message);
  }
}

async function pay({ provider, powered }, invoice) {
  if (!powered) return false;
  const { code, stderr } = await provider.pay(invoice);
  return code === 0 || stderr.includes('is paid already');
}

// ---- the figures ----------------------------------------------------------------------------------------------------

function report() {
  const seconds = (Date.now() - began) / 1000;
  const row = (what, value) => console.log(`  ${what.padEnd(58)} ${String(value).padStart(12)}`);
  console.log(`\n${name}: ${total.deaths} deaths in ${seconds.toFixed(0)} s, a life lasted ${Math.round(total.lifeMs / total.deaths)} ms, seed ${seed}`);
  for (const [how, count] of Object.entries(total.died).sort()) row(how, count);
  for (const [what, value] of Object.entries(total.figures)) row(what, value);
  row('findings', total.findings.length);
  for (const finding of total.findings) console.log(`FINDING ${finding}`);
}
