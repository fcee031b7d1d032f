// The ways to die. Each makes a death for one life: {name, lifeMs, otherwise?, killAt?, env?, arm?}: after lifeMs it is killed
// in any case, which is then called `otherwise`; arm(kill) makes it happen at what somebody else sees.
import { RESULT_KIND, statusOf } from '../e2e/customer.mjs';

const LONGEST_LIFE_MS = 600;
const MOST_CHANGES = 250; // about what a life makes on the disk
const NAMED = { lifeMs: 1500, otherwise: 'by impatience: the point did not come' };

// The program ends itself, as SIGKILL does, before or after it makes the first fact of a type durable.
const FACTS = ['JobRequested', 'JobQuoted', 'InvoiceIssued', 'InferenceStarted', 'InferenceCompleted', 'NoticeSigned', 'NoticePublished', 'InvoiceSettled'];
const POINTS = FACTS.flatMap((fact) => [`before-append:${fact}`, `after-append:${fact}`]);

const OUTSIDE = {
  'when Ollama is asked': ({ ollama }, kill) => (ollama.onChat = (_, moment) => moment === 'arrived' && kill()),
  'in the middle of the answer': ({ ollama }, kill) => (ollama.onChat = (_, moment) => moment === 'half' && kill()),
  'when the relay has a notice, but has not said OK': (market, kill) => onEvent(market, () => true, kill, false),
  'when the relay has a result, but has not said OK': (market, kill) => onEvent(market, isResult, kill, false),
  'when the relay has a result and has stored it': (market, kill) => onEvent(market, isResult, kill, true),
  'when the relay has refused a result': (market, kill) => onEvent(market, isResult, kill, 'rate-limited: slow down'),
  'when the relay has a success': (market, kill) => onEvent(market, (event) => statusOf(event) === 'success' && !isResult(event), kill, false),
  'when a customer has paid': (market, kill) => (market.onPaid = kill),
};
const isResult = (event) => event.kind === RESULT_KIND;

const atRandom = (_, random) => ({ name: 'at random', lifeMs: random.below(LONGEST_LIFE_MS) });
const atPoint = (_, random) => {
  const point = random.pick(POINTS);
  return { ...NAMED, name: point, killAt: point };
};
const fromOutside = (market, random) => {
  const [name, arm] = random.pick(Object.entries(OUTSIDE));
  return { ...NAMED, name, arm: (kill) => arm(market, kill) };
};

// With power_layer.cc.
const atChange = (_, random) => ({ ...NAMED, name: 'before a change on the disk', env: { POWER_FAILS_AT: String(1 + random.below(MOST_CHANGES)) } });

export const killers = { storm: [atRandom, atRandom, atPoint, fromOutside], power: [atChange, atChange, atPoint, fromOutside] };

// Kills at the first event of the provider that matches; `stored`: whether the relay keeps it, or a text to refuse it with.
function onEvent({ relay, provider }, matches, kill, stored) {
  relay.onEvent = (event) => {
    if (event.pubkey !== provider.pubkey || !matches(event)) return undefined;
    relay.onEvent = undefined;
    if (stored !== true) {
      kill();
      return stored;
    }
    setImmediate(kill); // the relay answers first
    return undefined;
  };
}
