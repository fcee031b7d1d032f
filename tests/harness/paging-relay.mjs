// A relay in memory, on a loopback port of its own, that answers as relays with limits do: a page of stored events a REQ, the
// newest first. It believes every event, so that tests can fill it quickly and with what no honest customer sends, and it can be
// told to break the rules that clients rely on.
import { once } from 'node:events';
import { matchFilters } from 'nostr-tools/filter';
import { WebSocketServer } from 'ws';
import { wireOf } from './customer.mjs';

// page: the most events that a REQ is answered with, for each filter. sendsEose, sendsOk: false leaves them out. notice: a text
// with which each REQ is answered instead of events. closed: [text] or [] (CLOSED without one) likewise.
export async function startPagingRelay({ port = 0, page = 500, sendsEose = true, sendsOk = true, notice, closed } = {}) {
  const sockets = new WebSocketServer({ port, host: '127.0.0.1' });
  const subscriptions = new Map(); // socket → Map(subscription id → filters)

  const self = {
    url: '',
    stored: [], // {event, raw}, in the order in which they came
    connections: 0, // that were ever opened
    asked: [], // the filters of each REQ
    store,
    subscribed: (kind) =>
      [...subscriptions.values()].flatMap((byId) => [...byId.values()]).filter((filters) => filters.some((filter) => filter.kinds?.includes(kind))).length,
    close,
  };

  // Keeps an event and passes it on. raw: the bytes that are sent in its place, whatever they are.
  function store(event, raw = Buffer.from(wireOf(event))) {
    const one = { event, raw };
    self.stored.push(one);
    for (const [socket, byId] of subscriptions) {
      for (const [id, filters] of byId) if (matchFilters(filters, event)) sendEvent(socket, id, one);
    }
  }

  function sendEvent(socket, id, { raw }) {
    socket.send(Buffer.concat([Buffer.from(`["EVENT",${JSON.stringify(id)},`), raw, Buffer.from(']')]), { binary: false });
  }

  function onReq(socket, id, filters) {
    self.asked.push(filters);
    const send = (...message) => socket.send(JSON.stringify(message));
    if (notice) return send('NOTICE', notice);
    if (closed) return send('CLOSED', id, ...closed);
    const found = new Set();
    for (const filter of filters) {
      const matching = self.stored.filter(({ event }) => matchFilters([filter], event));
      matching.sort((a, b) => b.event.created_at - a.event.created_at || (a.event.id < b.event.id ? -1 : 1));
      for (const one of matching.slice(0, Math.min(page, filter.limit ?? page))) found.add(one);
    }
    for (const one of found) sendEvent(socket, id, one);
    if (sendsEose) send('EOSE', id);
    subscriptions.get(socket)?.set(id, filters);
  }

  sockets.on('connection', (socket) => {
    self.connections += 1;
    subscriptions.set(socket, new Map());
    socket.on('error', () => socket.terminate());
    socket.on('close', () => subscriptions.delete(socket));
    socket.on('message', (data) => {
      const [type, subject, ...filters] = JSON.parse(data);
      if (type === 'REQ') onReq(socket, subject, filters);
      if (type === 'CLOSE') subscriptions.get(socket)?.delete(subject);
      if (type !== 'EVENT') return;
      store(subject);
      if (sendsOk) socket.send(JSON.stringify(['OK', subject.id, true, '']));
    });
  });

  async function close() {
    sockets.clients.forEach((socket) => socket.terminate());
    await new Promise((resolve) => sockets.close(resolve));
  }

  await once(sockets, 'listening');
  self.url = `ws://127.0.0.1:${sockets.address().port}`;
  return self;
}
