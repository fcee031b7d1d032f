// What others' tools would hold against an event of ours: it is read against the JSON schemas of @nostrability/schemata.
import { readdirSync, readFileSync } from 'node:fs';
import Ajv from 'ajv';
import { statusOf } from './customer.mjs';

// Read as files: the package's own entry point does not load under Node.
const SCHEMAS = new URL('../node_modules/@nostrability/schemata/dist/nips/', import.meta.url);

// What the package knows nothing of; these are held against the schema of all events only. Anything else that it does not
// know is a fault, so that no new kind goes unseen.
const UNKNOWN_TO_SCHEMATA = ['11998 heartbeat', '7000 pong'];

// One schema per family stands for all of NIP-90's kinds, which differ in their number alone.
const FAMILIES = [[5000, 5999], [6000, 6999]];

// Demanded by a schema where NIP-90 demands nothing: an amount is what a seller asks to be paid, and a result that was paid for
// before asks for none.
const EXCUSED = /^nip-90\/kind-6000.* must include an amount tag /;

// NIP-89: the content of an announcement is like that of a profile.
const CONTENTS = new Map([[0, 'nip-01/kind-0'], [31990, 'nip-01/kind-0']]);

// The tags that NIP-90 defines and that are a seller's own words: an `i` of a result is what its customer wrote.
const ANSWER_TAGS = ['amount', 'request', 'status'];

const ajv = new Ajv({
  strict: false,
  allErrors: true,
  verbose: true,
  formats: { email: /^[^\s@]+@[^\s@]+$/, uri: /^[a-z][a-z0-9+.-]*:\S+$/i },
});
const validators = new Map(); // by path, compiled once

const paths = new Map(
  readdirSync(SCHEMAS).flatMap((nip) => readdirSync(new URL(nip, SCHEMAS)).filter((name) => /^kind-\d+$/.test(name)).map((name) => [Number(name.slice(5)), `${nip}/${name}`])),
);

// The event's kind in words: "6050", "7000 processing encrypted".
export function nameOf(event) {
  const encrypted = event.tags.some(([name]) => name === 'encrypted') ? 'encrypted' : undefined;
  const role = event.kind === 11998 ? 'heartbeat' : event.kind === 7000 ? statusOf(event) : undefined;
  return [String(event.kind), role, encrypted].filter(Boolean).join(' ');
}

// {schema, faults, excused}: by which schema the event was judged, what is wrong with it, in the schema's words, and what it is
// forgiven.
export function judge(event) {
  const { schema, faults } = measure(event);
  return { schema, faults: faults.filter((fault) => !EXCUSED.test(fault)), excused: faults.filter((fault) => EXCUSED.test(fault)) };
}

function measure(event) {
  if (UNKNOWN_TO_SCHEMATA.includes(nameOf(event))) return { schema: 'nip-01/note', faults: faultsBy('nip-01/note/schema.json', event) };
  const known = paths.has(event.kind) ? event.kind : FAMILIES.find(([first, last]) => event.kind >= first && event.kind <= last)?.[0];
  if (known === undefined) return { schema: 'nip-01/note', faults: [`no schema for ${nameOf(event)}`, ...faultsBy('nip-01/note/schema.json', event)] };
  const schema = paths.get(known);
  return { schema, faults: [...faultsBy(`${schema}/schema.json`, asKnown(event, known)), ...contentFaults(event), ...tagFaults(event)] };
}

// The schema of results is wrong about one thing: it takes the amount for that of another NIP, with no invoice behind it. So it
// is shown none; tagFaults holds the whole tag against NIP-90's own.
function asKnown(event, kind) {
  const tags = event.tags.map((tag) => (tag[0] === 'amount' ? tag.slice(0, 2) : tag));
  return { ...event, kind, tags };
}

function contentFaults(event) {
  const schema = CONTENTS.get(event.kind);
  return schema ? faultsBy(`${schema}/schema.content.json`, JSON.parse(event.content)) : [];
}

function tagFaults(event) {
  const answer = event.kind === 7000 || (event.kind >= 6000 && event.kind <= 6999);
  const tags = answer ? event.tags.filter(([name]) => ANSWER_TAGS.includes(name)) : [];
  return tags.flatMap((tag) => faultsBy(`nip-90/tag/${tag[0]}/schema.json`, tag));
}

function faultsBy(path, value) {
  if (!validators.has(path)) validators.set(path, ajv.compile(JSON.parse(readFileSync(new URL(path, SCHEMAS), 'utf8'))));
  const validate = validators.get(path);
  if (validate(value)) return [];
  // Where one of many tags must match, that none does says it all; how each of them differs is noise.
  const errors = validate.errors.filter(({ schemaPath }) => !schemaPath.includes('/contains/'));
  return [...new Set(errors.map((error) => `${path}: ${wordsOf(error)} at ${error.instancePath || '/'}`))];
}

function wordsOf({ keyword, message, parentSchema: { errorMessage } }) {
  return (typeof errorMessage === 'string' ? errorMessage : errorMessage?.[keyword]) ?? message;
}
