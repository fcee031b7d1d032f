// At the end of a storm: the customers' books, the relay's and the provider's, side by side.
import { readInvoice, RESULT_KIND, tagsOf, wireOf } from '../customer.mjs';
import { eventually } from '../eventually.mjs';
import { earnings } from '../market.mjs';

// Adds to market.figures and market.findings.
export async function compareBooks(market) {
  const { customers, provider, figures, findings } = market;
  const must = (holds, otherwise) => holds || findings.push(otherwise);
  const jobs = customers.flatMap((customer) => [...customer.jobs.values()]);
  const rows = await settledRows(provider, jobs);
  const sent = sentByJob(market);
  let paidMsat = 0;
  for (const job of jobs) {
    const row = rows.get(job.id);
    const { results = [], invoices = [], bytes = [], ids = [] } = sent.get(job.id) ?? {};
    must(job.results().length === 1, `${job.id} has ${job.results().length} results in the customer's book`);
    must(results.length === 1, `${job.id} has ${results.length} results in the relay's book`);
    must(invoices.length === 1 && job.invoices()[0] === invoices[0], `${job.id} was shown ${invoices.length} invoices`);
    must(bytes.length === ids.length, `${job.id}: an event came back with other bytes`);
    const amount = Number(readInvoice(job.invoices()[0]).amountMsat);
    must(row?.state === 'settled', `${job.id} is ${row?.state}, but it was paid`);
    must(row?.settled_msat === amount, `${job.id} was paid ${amount} msat, the ledger says ${row?.settled_msat}`);
    paidMsat += amount;
  }
  must(rows.size === jobs.length, `the customers made ${jobs.length} requests, the ledger has ${rows.size}`);
  const { settled_msat: earnedMsat } = await earnings(provider);
  must(earnedMsat === paidMsat, `the customers paid ${paidMsat} msat, the ledger says ${earnedMsat}`);
  for (const customer of customers) findings.push(...customer.complaints);
  figures['requests, each answered once'] = jobs.length;
  figures['invoices revealed, each paid and in the ledger'] = jobs.filter((job) => job.isPaid).length;
  figures['paid by customers, msat'] = paidMsat;
  figures['earned in the ledger, msat'] = earnedMsat;
  figures['events published again, with the same bytes'] = market.relay.heard.length - new Set(market.relay.heard.map(({ event }) => event.id)).size;
}

// The provider's rows by job, when all are settled or time is over.
async function settledRows(provider, jobs) {
  let rows = [];
  const look = async () => {
    rows = await provider.jobs();
    return jobs.every((job) => rows.some((row) => row.job === job.id && row.state === 'settled'));
  };
  await eventually(look, 'all jobs to be settled').catch(() => {});
  return new Map(rows.map((row) => [row.job, row]));
}

// What the provider ever sent to the relay about each job, repetitions included: the different results, invoices, events.
function sentByJob({ relay, provider }) {
  const found = new Map();
  for (const { event } of relay.heard) {
    const job = tagsOf(event, 'e')[0]?.[1];
    if (event.pubkey !== provider.pubkey || !job) continue;
    if (!found.has(job)) found.set(job, { results: new Set(), invoices: new Set(), bytes: new Set(), ids: new Set() });
    const { results, invoices, bytes, ids } = found.get(job);
    ids.add(event.id);
    bytes.add(wireOf(event));
    if (event.kind === RESULT_KIND) results.add(wireOf(event));
    for (const [, , bolt11] of tagsOf(event, 'amount')) if (bolt11) invoices.add(bolt11);
  }
  return new Map([...found].map(([job, sets]) => [job, Object.fromEntries(Object.entries(sets).map(([name, set]) => [name, [...set]]))]));
}
