// The npm relay (@nostr-relay) on a loopback port of its own, with two additions that tests need: it keeps a book of every
// EVENT that anyone sent it, repetitions included, and it can hand frames to its subscribers that no honest relay would.
//
// What this relay does differently from others, and the program has to live with: live events are matched by ids, authors,
// kinds and times only (tag filters such as "#p" hold for stored events alone), a subscription is live only after its EOSE,
// and deletions (kind 5) are carried out but never passed on.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createOutgoingClosedMessage, createOutgoingNoticeMessage, createOutgoingOkMessage, LogLevel } from '@nostr-relay/common';
import { NostrRelay } from '@nostr-relay/core';
import { EventRepositorySqlite } from '@nostr-relay/event-repository-sqlite';
import { Validator } from '@nostr-relay/validator';
import Database from 'libsql'; // SQLite, with the interface of better-sqlite3
import { WebSocketServer } from 'ws';

const MAX_FRAME_BYTES = 8 * 1024 * 1024;
const MAX_TEXT_CHARACTERS = 4 * 1024 * 1024;

// hostname: set it and the relay asks for NIP-42 authentication, as this host. demandAuth: the words, such as "auth-required:
// sign in first", with which it refuses each EVENT and each REQ until then; the npm relay alone asks but serves everyone.
// information: its document (NIP-11), served to who asks for it over HTTP. onEvent, onReq: see there.
export async function startRelay({ port = 0, hostname, demandAuth, information, onEvent, onReq } = {}) {
  const repository = new EventRepositorySqlite(new Database(':memory:'));
  await repository.init();
  // The caches answer a REQ or an EVENT from the past second; a restarted program would be shown yesterday's list.
  const relay = new NostrRelay(repository, {
    hostname,
    logLevel: LogLevel.ERROR,
    filterResultCacheTtl: 0,
    eventHandlingResultCacheTtl: 0,
  });
  const validator = new Validator({ maxTagValueLength: MAX_TEXT_CHARACTERS, maxContentLength: MAX_TEXT_CHARACTERS });
  const http = createServer(({ headers }, response) => {
    self.asked.push(headers);
    if (!information) return response.writeHead(426).end();
    return response.writeHead(200, { 'content-type': 'application/nostr+json' }).end(JSON.stringify(information));
  });
  const sockets = new WebSocketServer({ server: http, maxPayload: MAX_FRAME_BYTES });
  const subscriptions = new Map(); // socket → Map(subscription id → filters)

  const self = {
    url: '',
    // Every EVENT sent to us that has the shape of one: {event, at}. A repetition is another row.
    heard: [],
    // Every event (22242) with which anyone signed in or tried to.
    auths: [],
    // The headers of every request for the document.
    asked: [],
    // How often somebody was refused for want of authentication.
    refusals: 0,
    // Called with each such event before the relay itself sees it; what it returns decides: nothing (go on), a text (the
    // event is refused with it, as in OK false), or false (swallowed: no OK, not stored). May be asynchronous.
    onEvent,
    // Called with the filters of each REQ; a text that it returns closes the subscription (CLOSED).
    onReq,
    // Hands the text `["EVENT", <subscription>, <raw>]` to every subscription that wants `kind`; returns how many.
    inject,
    dropConnections: () => sockets.clients.forEach((socket) => socket.terminate()),
    connections: () => sockets.clients.size,
    // What the slowest subscriber has not read yet.
    backlogBytes: () => Math.max(0, ...[...sockets.clients].map((socket) => socket.bufferedAmount)),
    // How many subscriptions want events of this kind; with `about`, an id, those that want events about it.
    subscribed: (kind, about) => wanting(kind, about).length,
    close,
  };

  sockets.on('connection', (socket) => {
    subscriptions.set(socket, new Map());
    relay.handleConnection(socket);
    socket.on('error', () => socket.terminate());
    socket.on('close', () => {
      subscriptions.delete(socket);
      relay.handleDisconnect(socket);
    });
    socket.on('message', (data) => handle(socket, data).catch((error) => notice(socket, error.message)));
  });

  async function handle(socket, data) {
    const message = await validator.validateIncomingMessage(data);
    if (message[0] === 'AUTH') self.auths.push(message[1]);
    if (message[0] === 'EVENT') {
      const event = message[1];
      self.heard.push({ event, at: Date.now() });
      const verdict = await self.onEvent?.(event);
      if (verdict === false) return;
      if (typeof verdict === 'string') {
        socket.send(JSON.stringify(createOutgoingOkMessage(event.id, false, verdict)));
        return;
      }
    }
    if (demandAuth && !relay.isAuthorized(socket) && refuse(socket, message)) return;
    const closed = message[0] === 'REQ' && self.onReq?.(message.slice(2));
    if (closed) {
      socket.send(JSON.stringify(createOutgoingClosedMessage(message[1], closed)));
      return;
    }
    await relay.handleMessage(socket, message);
    if (message[0] === 'REQ') subscriptions.get(socket)?.set(message[1], message.slice(2));
    if (message[0] === 'CLOSE') subscriptions.get(socket)?.delete(message[1]);
  }

  // Says no to what needs authentication; returns whether this does.
  function refuse(socket, [type, subject]) {
    if (type !== 'EVENT' && type !== 'REQ') return false;
    self.refusals += 1;
    const no = type === 'EVENT' ? createOutgoingOkMessage(subject.id, false, demandAuth) : createOutgoingClosedMessage(subject, demandAuth);
    socket.send(JSON.stringify(no));
    return true;
  }

  function notice(socket, reason) {
    if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(createOutgoingNoticeMessage(`invalid: ${reason}`)));
  }

  function wanting(kind, about) {
    const wants = (filter) => filter.kinds?.includes(kind) && (about === undefined || filter['#e']?.includes(about));
    const found = [];
    for (const [socket, filtersById] of subscriptions) {
      for (const [id, filters] of filtersById) {
        if (filters.some(wants)) found.push({ socket, id });
      }
    }
    return found;
  }

  function inject(raw, kind = 5050) {
    const targets = wanting(kind);
    for (const { socket, id } of targets) {
      const head = Buffer.from(`["EVENT",${JSON.stringify(id)},`);
      socket.send(Buffer.concat([head, Buffer.from(raw), Buffer.from(']')]), { binary: false });
    }
    return targets.length;
  }

  async function close() {
    sockets.clients.forEach((socket) => socket.terminate());
    sockets.close();
    http.closeAllConnections();
    await new Promise((resolve) => http.close(resolve));
    await relay.destroy();
    await repository.destroy();
  }

  http.listen(port, '127.0.0.1');
  await once(http, 'listening');
  self.url = `ws://127.0.0.1:${http.address().port}`;
  return self;
}
