// A stand-in for an Ollama server, as Ollama behaves (0.24, seen; 0.32, read), faults included. Its answers follow from the
// request alone, so the same request gets the same text. Tokens are words. A name without a tag means its `:latest`, and that is
// what the lists show.
//
// ollama.fail(kind, detail) queues a fault: each chat takes one from the front of the queue, and an empty queue means none.
//     unknown-model   404 {"error":"model '…' not found"}
//     truncation      400 as for an input that is longer than the context
//     busy            503 {"error":"server busy, …"}
//     error-500       500 {"error":"…"}
//     error-line      200, half of the words, then a line {"error":"… unexpected EOF"} (a runner that died)
//     cut             200, half of the words, then the body is cut: no last line, no error (a server that was stopped)
//     stall           200, half of the words, then nothing, with the connection open
//     silent          the connection is accepted and nothing is ever said
//     slow            detail: milliseconds before each word
//     bad-json        200, half of the words, then a line that is no JSON
//     thinking        200, every word as `thinking`, none as content; done_reason length
//     tool-call       200, no text but a tool call
//     blank           200, no text but blanks
//     endless         200, lines without a word, until the client leaves
//
// A model is its context length, or {context, capabilities}: one without 'completion' makes embeddings and refuses chats.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const DEFAULT_CONTEXT_TOKENS = 4096; // Ollama's own default for num_ctx
const WORDS = 'a machine that sells data takes an order and a payment then gives back what was asked for in good time'.split(' ');
const OPTION_TYPES = {
  num_predict: Number.isInteger,
  num_ctx: Number.isInteger,
  top_k: Number.isInteger,
  seed: Number.isInteger,
  temperature: Number.isFinite,
  top_p: Number.isFinite,
  min_p: Number.isFinite,
  repeat_penalty: Number.isFinite,
  presence_penalty: Number.isFinite,
  frequency_penalty: Number.isFinite,
  stop: (value) => Array.isArray(value) && value.every((text) => typeof text === 'string'),
};
const HALF_WAY_FAULTS = ['error-line', 'cut', 'stall', 'bad-json'];
const WORDLESS_FAULTS = ['thinking', 'tool-call', 'blank'];
const FAULTS = ['unknown-model', 'truncation', 'busy', 'error-500', 'silent', 'slow', 'endless', ...HALF_WAY_FAULTS, ...WORDLESS_FAULTS];
const ENDLESS_LINE_MS = 50;

const isProbe = (body) => body?.options?.num_predict === 1 && body.messages?.at(-1)?.content === 'Say yes.';

export async function startOllama({ port = 0, models = { 'llama3.2': 8192, 'qwen3:8b': 32768 }, wordDelayMs = 0 } = {}) {
  const queue = [];
  const open = new Set();
  let turn = Promise.resolve(); // one chat at a time, as Ollama's default is
  let held;

  const self = {
    url: '',
    // One row a chat: {body, outcome}, where outcome is running, done, refused, closed (by the client) or a fault's name.
    chats: [],
    // Models that a provider tried with one token, which is neither a chat nor takes a fault; and those that answer nothing.
    probes: [],
    broken: new Set(),
    // Called with a row when its chat arrives, and again with 'half' when half of its words are out. May be asynchronous.
    onChat: undefined,
    wordDelayMs,
    models,
    // What to answer, as words. The default is a text that depends on the whole request.
    reply: defaultReply,
    fail(kind, detail) {
      if (!FAULTS.includes(kind)) throw new Error(`no such fault: ${kind}`);
      queue.push({ kind, detail });
    },
    faultsLeft: () => queue.length,
    // From now on every chat stops when half of its words are out, until the function that this returns is called.
    hold() {
      let release;
      held = new Promise((done) => (release = done));
      return release;
    },
    running: () => self.chats.filter((chat) => chat.outcome === 'running').length,
    close,
  };

  const server = createServer((request, response) => {
    route(request, response).catch((error) => {
      if (!response.headersSent) sendJson(response, 500, { error: error.message });
      else response.destroy();
    });
  });
  server.on('connection', (socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
  });

  async function route(request, response) {
    const body = await read(request);
    const path = `${request.method} ${request.url}`;
    if (path === 'GET /') return response.writeHead(200).end('Ollama is running');
    if (path === 'GET /api/version') return sendJson(response, 200, { version: '0.24.0' });
    if (path === 'GET /api/tags') return sendJson(response, 200, { models: Object.keys(self.models).map(tag) });
    if (path === 'GET /api/ps') return sendJson(response, 200, { models: Object.keys(self.models).slice(0, 1).map(tag) });
    if (path === 'POST /api/show') return show(response, body);
    if (path === 'POST /api/chat') return inTurn(() => chat(response, body));
    response.writeHead(404, { 'Content-Type': 'text/plain' }).end('404 page not found');
  }

  function inTurn(work) {
    const mine = turn.then(work);
    turn = mine.catch(() => {});
    return mine;
  }

  function show(response, body) {
    const asked = parse(body);
    if (asked === undefined) return sendJson(response, 400, { error: 'invalid character in request body' });
    const { context, capabilities } = modelOf(asked.model);
    if (!context) return sendJson(response, 404, { error: `model '${asked.model}' not found` });
    return sendJson(response, 200, {
      capabilities,
      details: details(),
      model_info: { 'general.architecture': 'llama', 'llama.context_length': context },
    });
  }

  async function chat(response, text) {
    if (response.destroyed) return; // the client went away while it queued
    const body = parse(text);
    if (self.broken.has(body?.model)) return sendJson(response, 500, { error: 'model requires more system memory than is available' });
    if (isProbe(body)) {
      self.probes.push(body.model);
      const refusal = refuse(body, undefined);
      if (refusal) return sendJson(response, refusal.status, { error: refusal.error });
      const message = { role: 'assistant', content: 'yes' };
      return sendJson(response, 200, { model: body.model, message, done: true, done_reason: 'length', prompt_eval_count: 3, eval_count: 1 });
    }
    const row = { body, text, outcome: 'running' };
    self.chats.push(row);
    response.on('close', () => {
      if (row.outcome === 'running') row.outcome = 'closed';
    });
    await self.onChat?.(row, 'arrived');
    const fault = queue.shift();
    const refusal = refuse(body, fault);
    if (refusal) {
      row.outcome = fault?.kind ?? 'refused';
      return sendJson(response, refusal.status, { error: refusal.error });
    }
    if (fault?.kind === 'silent') return untilClosed(response);
    await generate(response, body, row, fault);
  }

  function refuse(body, fault) {
    if (body === undefined) return { status: 400, error: 'invalid character in request body' };
    if (!body.model) return { status: 400, error: 'model is required' };
    const { context, capabilities } = modelOf(body.model);
    if (!context || fault?.kind === 'unknown-model') {
      return { status: 404, error: `model '${body.model}' not found` };
    }
    if (!capabilities.includes('completion')) return { status: 400, error: `"${body.model}" does not support chat` };
    for (const [name, value] of Object.entries(body.options ?? {})) {
      if (name in OPTION_TYPES && !OPTION_TYPES[name](value)) {
        return { status: 500, error: `option "${name}" has the wrong type` };
      }
    }
    if (fault?.kind === 'busy') return { status: 503, error: 'server busy, please try again.  maximum pending requests exceeded' };
    if (fault?.kind === 'error-500') return { status: 500, error: fault.detail ?? 'llama runner process has terminated: exit status 2' };
    if (fault?.kind === 'truncation' || (body.truncate === false && promptTokens(body) > contextTokens(body))) {
      return { status: 400, error: 'the input length exceeds the context length' };
    }
    return undefined;
  }

  function modelOf(name) {
    const model = self.models[name] ?? self.models[String(name).replace(/:latest$/, '')];
    return typeof model === 'object' ? model : { context: model, capabilities: ['completion'] };
  }
  const contextTokens = (body) => body.options?.num_ctx ?? DEFAULT_CONTEXT_TOKENS;

  async function generate(response, body, row, fault) {
    const { words, reason } = cap(self.reply(body), body.options ?? {});
    const stream = body.stream !== false;
    response.writeHead(200, { 'Content-Type': stream ? 'application/x-ndjson' : 'application/json; charset=utf-8' });
    const started = process.hrtime.bigint();
    if (fault?.kind === 'endless') return endless(response, body);
    if (WORDLESS_FAULTS.includes(fault?.kind)) return endWithoutWords(response, body, row, fault, words);
    const half = Math.ceil(words.length / 2);
    for (const [index, word] of words.entries()) {
      const delay = fault?.kind === 'slow' ? (fault.detail ?? 50) : self.wordDelayMs;
      if (delay > 0) await sleep(delay);
      if (response.destroyed) return;
      if (stream) line(response, body, { message: { role: 'assistant', content: (index > 0 ? ' ' : '') + word }, done: false });
      if (index + 1 !== half) continue;
      await self.onChat?.(row, 'half');
      if (held) await Promise.race([held, untilClosed(response)]);
      if (HALF_WAY_FAULTS.includes(fault?.kind)) return breakOff(response, row, fault);
    }
    if (response.destroyed) return;
    row.outcome = 'done';
    row.answer = words.join(' ');
    line(response, body, {
      message: { role: 'assistant', content: stream ? '' : row.answer },
      done: true,
      done_reason: reason,
      ...counters(body, words, Number(process.hrtime.bigint() - started)),
    });
    response.end();
  }

  async function endless(response, body) {
    while (!response.destroyed) {
      line(response, body, { message: { role: 'assistant', content: '' }, done: false });
      await sleep(ENDLESS_LINE_MS);
    }
  }

  // Tokens were made, and none of them is text.
  function endWithoutWords(response, body, row, fault, words) {
    const says = {
      thinking: (word) => ({ content: '', thinking: word }),
      'tool-call': (word) => ({ content: '', tool_calls: [{ function: { name: 'search', arguments: { q: word } } }] }),
      blank: () => ({ content: ' \n' }),
    }[fault.kind];
    for (const word of words) line(response, body, { message: { role: 'assistant', ...says(word) }, done: false });
    row.outcome = fault.kind;
    const done_reason = fault.kind === 'thinking' ? 'length' : 'stop';
    line(response, body, { message: { role: 'assistant', content: '' }, done: true, done_reason, ...counters(body, words, 1000) });
    response.end();
  }

  async function breakOff(response, row, fault) {
    if (fault.kind === 'stall') return untilClosed(response);
    row.outcome = fault.kind;
    if (fault.kind === 'error-line') return response.end('{"error":"an error was encountered while running the model: unexpected EOF"}\n');
    if (fault.kind === 'bad-json') return response.end('{"model":"llama3.2","message":{"role":"assist\n');
    await sleep(20); // what was written leaves before the connection does
    response.destroy();
  }

  // Counters that are 0 are left out, as Ollama does.
  function counters(body, words, duration) {
    const all = {
      total_duration: duration,
      load_duration: 0,
      prompt_eval_count: Math.min(promptTokens(body), contextTokens(body)),
      prompt_eval_duration: Math.floor(duration / 4),
      eval_count: words.length,
      eval_duration: Math.floor(duration / 2),
    };
    return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== 0));
  }

  async function close() {
    open.forEach((socket) => socket.destroy());
    await new Promise((resolve) => server.close(resolve));
  }

  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  self.url = `http://127.0.0.1:${server.address().port}`;
  return self;
}

export const promptTokens = (body) =>
  (body.messages ?? []).reduce((sum, message) => sum + String(message.content).split(/\s+/).filter(Boolean).length, 0);

function defaultReply(body) {
  if (body.format === 'json') return ['{"answer":', '42}'];
  const seed = createHash('sha256').update(JSON.stringify([body.model, body.messages, body.options?.seed ?? 0])).digest();
  return Array.from({ length: 12 + (seed[0] % 8) }, (_, index) => WORDS[seed[index] % WORDS.length]);
}

// The stop texts end an answer before them, and num_predict caps its tokens.
function cap(words, options) {
  const stopAt = words.findIndex((word) => (options.stop ?? []).some((stop) => word.includes(stop)));
  const said = stopAt < 0 ? words : words.slice(0, stopAt);
  const most = options.num_predict > 0 ? options.num_predict : Infinity;
  return said.length > most ? { words: said.slice(0, most), reason: 'length' } : { words: said, reason: 'stop' };
}

function line(response, body, fields) {
  response.write(JSON.stringify({ model: body.model, created_at: new Date().toISOString(), ...fields }) + '\n');
}

const untilClosed = (response) => (response.destroyed ? undefined : once(response, 'close'));

function details() {
  return { parent_model: '', format: 'gguf', family: 'llama', families: ['llama'], parameter_size: '3.2B', quantization_level: 'Q4_K_M' };
}

function tag(model) {
  const name = model.includes(':') ? model : `${model}:latest`;
  const digest = createHash('sha256').update(name).digest('hex');
  return { name, model: name, modified_at: '2026-01-01T00:00:00Z', size: 2019393189, digest, details: details() };
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function read(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString();
}

function sendJson(response, status, value) {
  response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8' }).end(JSON.stringify(value));
}
