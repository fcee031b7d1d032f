// Requests in every shape that real clients use, and every parameter.
import { nowSeconds } from './customer.mjs';

// Every way of asking that PROTOCOL.md lists, as {name, template, messages}: the messages that the
// backend must be sent, or a pattern for their text where the words around the inputs are the program's own.
export function requestShapes({ provider, model = 'llama3.2', relayUrl }) {
  const p = ['p', provider];
  const prompt = 'What is a data vending machine?';
  const user = (content) => [{ role: 'user', content }];
  const shape = (name, tags, messages = user(prompt), more = {}) => ({ name, template: { tags: [...tags, p], ...more }, messages });
  return [
    shape('i of type text', [['i', prompt, 'text']]),
    shape('i of type prompt', [['i', prompt, 'prompt']]),
    shape('i without a type', [['i', prompt]]),
    shape('a prompt in a param', [['param', 'prompt', prompt]]),
    shape('an input tag', [['input', 'text', prompt]]),
    shape('content only', [], user(prompt), { content: prompt }),
    shape('tags in the content', [], user(prompt), { content: JSON.stringify([['i', prompt, 'text'], ['param', 'max_tokens', '50']]) }),
    shape('chat messages in the content', [], [{ role: 'system', content: 'You are brief.' }, ...user(prompt)], {
      content: JSON.stringify({ messages: [{ role: 'system', content: 'You are brief.' }, ...user(prompt)], max_tokens: 50 }),
    }),
    shape('other JSON in the content', [], user('{"question":"why"}'), { content: '{"question":"why"}' }),
    shape('i beside an unused content', [['i', prompt, 'text']], user(prompt), { content: 'NIP 90 Text Generation Request' }),
    shape('roles as markers', [
      ['i', 'You are brief.', 'text', '', 'system'],
      ['i', 'Hello.', 'text', '', 'user'],
      ['i', 'Hi, what can I do?', 'text', '', 'assistant'],
      ['i', prompt, 'text', '', 'user'],
    ], [
      { role: 'system', content: 'You are brief.' },
      { role: 'user', content: 'Hello.' },
      { role: 'assistant', content: 'Hi, what can I do?' },
      { role: 'user', content: prompt },
    ]),
    shape('labels as markers', [['i', 'first text', 'text', '', 'source'], ['i', prompt, 'text', '', 'question']], /source[^]*first text[^]*question[^]*What is/),
    shape('several inputs in order', [['i', 'first text', 'text'], ['i', 'second text', 'text']], /first text[^]*second text/),
    shape('a system param', [['i', prompt, 'text'], ['param', 'system', 'You are brief.']], [{ role: 'system', content: 'You are brief.' }, ...user(prompt)]),
    shape('a relays tag', [['i', prompt, 'text'], ['relays', relayUrl]]),
    shape('an output', [['i', prompt, 'text'], ['output', 'text/plain']]),
    shape('a model and a topic', [['i', prompt, 'text'], ['param', 'model', model], ['t', 'bitcoin']]),
    shape('a bid that suffices', [['i', prompt, 'text'], ['bid', '100000000']]),
    shape('an expiration ahead', [['i', prompt, 'text'], ['expiration', String(nowSeconds() + 600)]]),
    { name: 'a broadcast', template: { tags: [['i', prompt, 'text']] }, messages: user(prompt) },
  ];
}

// Every parameter, in both spellings where there are two, with the option that Ollama must be given.
export const PARAMETERS = [
  { tags: [['param', 'max_tokens', '7']], options: { num_predict: 7 } },
  { tags: [['param', 'temperature', '0']], options: { temperature: 0 } },
  { tags: [['param', 'temperature', '0.7']], options: { temperature: 0.7 } },
  { tags: [['param', 'top_k', '40']], options: { top_k: 40 } },
  { tags: [['param', 'top-k', '41']], options: { top_k: 41 } },
  { tags: [['param', 'top_p', '0.9']], options: { top_p: 0.9 } },
  { tags: [['param', 'top-p', '0.8']], options: { top_p: 0.8 } },
  { tags: [['param', 'frequency_penalty', '0.5']], options: { frequency_penalty: 0.5 } },
  { tags: [['param', 'presence_penalty', '0.25']], options: { presence_penalty: 0.25 } },
  { tags: [['param', 'seed', '42']], options: { seed: 42 } },
  { tags: [['param', 'stop', 'END']], options: { stop: ['END'] } },
];
