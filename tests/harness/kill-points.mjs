// Places in a sale's life at which the program is killed.
import { RESULT_KIND, statusOf } from './customer.mjs';

// The program ends itself, as SIGKILL does, before or after it makes the first fact of a type durable.
const FACTS = ['JobRequested', 'JobQuoted', 'InvoiceIssued', 'InferenceStarted', 'InferenceCompleted', 'NoticeSigned', 'NoticePublished', 'InvoiceSettled'];
export const OWN_POINTS = FACTS.flatMap((fact) => [`before-append:${fact}`, `after-append:${fact}`]);

// And it is killed from outside, when somebody else sees it get there. Each is given the market and `kill`.
export const OUTSIDE_POINTS = {
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
