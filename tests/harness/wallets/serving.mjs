// How the wallets' stand-ins are reached: ports that close and open again, and HTTP with the faults of lightning-node.mjs.
import { once } from 'node:events';
import { createServer, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocketServer } from 'ws';

const LATE_MS = 1000;

// How a call ends: line does the work and answers, refuses, garbles or drops the connection.
export async function endCall(fault, line) {
  if (fault === 'silent') return;
  if (fault === 'outage') return line.drop();
  if (fault === 'garbage') return line.garble();
  if (fault === 'error-500' || fault === 'unauthorized') return line.refuse(fault);
  const answer = await line.work();
  if (fault === 'late-answer') await sleep(LATE_MS);
  return fault === 'lost-answer' ? line.drop() : line.answer(answer);
}

// where: what listen() takes. down closes the port and all connections; up opens the same port again.
export async function openPort(server, where) {
  const open = new Set();
  server.on('connection', (socket) => {
    open.add(socket);
    socket.on('error', () => {}).on('close', () => open.delete(socket));
  });
  async function up() {
    server.listen(where);
    await once(server, 'listening');
  }
  async function down() {
    const closed = new Promise((resolve) => server.close(resolve));
    open.forEach((socket) => socket.destroy());
    await closed;
  }
  await up();
  if (where.port === 0) where = { ...where, port: server.address().port };
  return { up, down, number: where.port };
}

// ---- HTTP -----------------------------------------------------------------------------------------------------------

// An answer, also to be thrown. value: a text as it is, anything else as JSON.
export class Reply {
  constructor(status, value, type = typeof value === 'string' ? 'text/plain' : 'application/json') {
    Object.assign(this, { status, value, type });
  }
}

// routes: {'GET /payments/:hash': handler, 'WS /websocket': handler}. A handler takes {params, query, body, headers, response}
// and returns what to answer, or nothing where it writes to the response by itself; one of a websocket takes {params, query,
// headers, accept}. allows: whether a call has the right credential. refusals: the Reply for each of 'error-500',
// 'unauthorized', 'not-found' and 'bad-request'. rowOf: what is booked of a call, where that is not what HTTP says.
export async function serveHttp(node, { routes, allows = () => true, refusals, tls, port = 0, spaces, rowOf = (call) => call }) {
  const table = Object.entries(routes).map(([name, handle]) => ({ pattern: patternOf(name), handle }));
  const server = tls ? createTlsServer(tls) : createServer();
  const sockets = new WebSocketServer({ noServer: true });

  server.on('request', async (request, response) => {
    const text = await read(request).catch(() => undefined);
    if (text !== undefined) await serve(request, response, { method: request.method, text, response });
  });
  server.on('upgrade', (request, socket, head) => {
    const response = new ServerResponse(request); // for the case that it is refused
    response.assignSocket(socket);
    response.on('finish', () => socket.end());
    function accept() {
      response.detachSocket(socket);
      return new Promise((done) => sockets.handleUpgrade(request, socket, head, done));
    }
    serve(request, response, { method: 'WS', text: '', accept });
  });

  async function serve(request, response, { method, text, ...means }) {
    const url = new URL(request.url, 'http://localhost');
    const asked = { method, path: url.pathname, query: Object.fromEntries(url.searchParams), body: parse(request, text) };
    const call = { ...asked, headers: request.headers, ...means };
    await endCall(node.receive(rowOf(asked)), {
      work: () => work(call).catch((error) => (error instanceof Reply ? error : new Reply(500, error.stack))),
      answer: (reply) => reply && write(response, reply),
      refuse: (fault) => write(response, refusals[fault]),
      garble: () => write(response, new Reply(200, '<html>this is no JSON</html>')),
      drop: () => request.socket.destroy(),
    });
  }

  async function work(call) {
    const routes = table.map(({ pattern, handle }) => ({ match: pattern.exec(`${call.method} ${call.path}`), handle }));
    const route = routes.find(({ match }) => match);
    if (!route) return refusals['not-found'];
    if (!allows(call)) return refusals.unauthorized;
    if (call.body === undefined) return refusals['bad-request'];
    const params = Object.entries(route.match.groups ?? {}).map(([name, step]) => [name, decodeURIComponent(step)]);
    const answer = await route.handle({ ...call, params: Object.fromEntries(params) });
    return answer === undefined || answer instanceof Reply ? answer : new Reply(200, answer);
  }

  function write(response, { status, value, type }) {
    response.writeHead(status, { 'Content-Type': type });
    response.end(typeof value === 'string' ? value : JSON.stringify(value, undefined, spaces));
  }

  return openPort(server, { port, host: '127.0.0.1' });
}

// 'GET /payments/:hash' matches 'GET /payments/' and one step, whose name is hash.
const patternOf = (name) => new RegExp(`^${name.replace(/:(\w+)/g, '(?<$1>[^/]+)')}$`);

// undefined: it cannot be read.
function parse({ headers }, text) {
  if (headers['content-type']?.startsWith('application/x-www-form-urlencoded')) return Object.fromEntries(new URLSearchParams(text));
  try {
    return text === '' ? {} : JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function read(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString();
}
