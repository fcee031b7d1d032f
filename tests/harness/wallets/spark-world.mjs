// A world on loopback for the real Spark SDK: signing operators (spark-operators.mjs) and the service provider, which speaks
// GraphQL over plain HTTP and makes genuine invoices. A payment goes the real way: the operators recover the preimage from the
// shares that the wallet gave them, the provider sends the wallet a transfer, the wallet claims it. Where the wallet gave no
// shares, the transfer waits at the operators for the preimage.
//
// What this world does differently from the real one: it believes what a wallet claims, and what it sends cannot be spent.
// It lists at most three requests a page, newest first; nothing is known of how the real one sorts.
//
// world.fail(fault, detail) queues a fault of lightning-node.mjs. A call is named by its GraphQL operation, or by its method at
// the operators; these cannot be silent. A lie about an invoice is in the answer to its order alone: the invoice that the
// provider keeps, lists and gets paid is the right one.
import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { inflateSync } from 'node:zlib';
import bolt11 from 'bolt11';
import { LightningNode, randomHex } from './lightning-node.mjs';
import { endCall, openPort, Reply } from './serving.mjs';
import { isSigned, sparkFolder, startOperators } from './spark-operators.mjs';

export const skipWithoutSpark = existsSync(new URL('node_modules/@buildonspark/spark-sdk/package.json', sparkFolder))
  ? false
  : 'the Spark SDK is not installed: npm ci --ignore-scripts in pipeline/wallet/spark';

const REGTEST = { bech32: 'bcrt', pubKeyHash: 0x6f, scriptHash: 0xc4, validWitnessVersions: [0, 1] };
const MOST_A_PAGE = 3;
const TOKEN_LIFE_MS = 3_600_000;

export async function startSparkWorld({ operatorCount = 2, threshold = 2 } = {}) {
  const node = new LightningNode(); // it has the faults, and the book of the calls
  const tokens = new Map(); // session → identity key
  const challenges = new Map(); // challenge → identity key
  const nodeKey = randomBytes(32).toString('hex');
  let claimsTold;

  const self = {
    // For the SDK; they are for network LOCAL.
    options: undefined,
    // The receive requests, oldest first: {id, owner, hash, sats, memo, bolt11, status, preimage, transfer, …}.
    requests: [],
    // From now on the provider learns of claims only when the function that this returns is called.
    withholdClaims() {
      let tell;
      claimsTold = new Promise((done) => (tell = done));
      return tell;
    },
    // How often an operation was asked for.
    asked: (operation) => node.asked.filter(({ method }) => method === operation).length,
    fail: (fault, detail) => node.fail(fault, detail),
    faultsLeft: () => node.faultsLeft(),
    pay,
    // What was paid to an invoice, and waits, goes back. expired: false when the provider gave up this attempt.
    giveBack: (text, how) => operators.giveBack(self.find(text).transfer.id, how),
    // Somebody who is not the provider sends something under an invoice's hash.
    slip: (text, sats) => operators.send(self.find(text).owner, sats, { hash: self.find(text).hash, stranger: true }),
    // Whether the wallet has given the operators its shares of the preimage: before that a payment would wait.
    isComplete: ({ hash }) => operators.preimages.has(hash),
    find: (text) => self.requests.find((request) => request.bolt11 === text),
    dropStreams: () => operators.dropStreams(),
    // The provider and the operators go away, and come back where they were.
    down: () => Promise.all([port.down(), operators.down()]),
    up: () => Promise.all([port.up(), operators.up()]),
    close: () => self.down(),
  };

  const operators = await startOperators({
    count: operatorCount,
    threshold,
    node,
    onPreimage: (id, preimage) => move(Object.assign(requestOf(id), { preimage }), 'TRANSFER_CREATED'),
    async onClaim(id) {
      await claimsTold;
      move(requestOf(id), 'TRANSFER_COMPLETED');
    },
  });

  const requestOf = (transferId) => self.requests.find(({ transfer }) => transfer?.id === transferId);

  async function serve(request, response) {
    const call = await read(request).catch(() => undefined);
    if (!call) return; // it went away
    const { operationName, variables } = call;
    const identity = tokens.get(request.headers.authorization?.replace('Bearer ', ''));
    await endCall(node.receive({ method: operationName }), {
      work: async () => work(operationName, variables, identity),
      answer: (reply) => write(response, reply),
      refuse: (fault) => write(response, fault === 'unauthorized' ? UNAUTHORIZED : refusal('this wallet may not do that')),
      garble: () => write(response, new Reply(200, '<html>this is no JSON</html>')),
      drop: () => response.destroy(),
    });
  }

  function work(operationName, variables, identity) {
    const operation = OPERATIONS[operationName];
    if (!operation) return refusal(`there is no ${operationName} in this world`);
    if (!identity && !operationName.endsWith('Challenge')) return UNAUTHORIZED;
    try {
      return new Reply(200, { data: operation(variables, identity) });
    } catch (error) {
      return refusal(error.message);
    }
  }

  const OPERATIONS = {
    GetChallenge({ public_key }) {
      const challenge = randomBytes(32).toString('base64');
      challenges.set(challenge, public_key);
      return { get_challenge: { get_challenge_output_protected_challenge: challenge } };
    },
    VerifyChallenge({ protected_challenge, signature, identity_public_key: identity }) {
      const challenge = Buffer.from(protected_challenge, 'base64');
      const known = challenges.get(protected_challenge) === identity;
      if (!known || !isSigned(challenge, Buffer.from(signature, 'base64'), identity)) throw new Error('a wrong signature');
      const session = randomUUID();
      tokens.set(session, identity);
      return {
        verify_challenge: {
          verify_challenge_output_valid_until: new Date(Date.now() + TOKEN_LIFE_MS).toISOString(),
          verify_challenge_output_session_token: session,
        },
      };
    },
    RequestLightningReceive(order, identity) {
      if (self.requests.some(({ hash }) => hash === order.payment_hash)) throw new Error('this payment hash is taken');
      const request = made(order, identity);
      self.requests.push(request);
      return { request_lightning_receive: { request: told({ ...request, bolt11: spoiled(request) ?? request.bolt11 }) } };
    },
    UserRequest({ request_id }, identity) {
      const request = self.requests.find(({ id, owner }) => id === request_id && owner === identity);
      if (request?.status !== 'TRANSFER_COMPLETED') return { user_request: request ? told(request) : null };
      return { user_request: told({ ...request, preimage: node.proof(request) }) };
    },
    FetchCurrentUserToUserRequestsConnection({ first, after }, identity) {
      const all = self.requests.filter(({ owner }) => owner === identity).reverse();
      const start = after ? Number(after) : 0;
      const end = start + Math.min(first, MOST_A_PAGE);
      const named = {
        count: all.length,
        page_info: { page_info_has_next_page: end < all.length, page_info_end_cursor: String(end) },
        entities: all.slice(start, end).map(told),
      };
      return { current_user: { user_requests: prefixed('spark_wallet_user_to_user_requests_connection_', named) } };
    },
  };

  function made({ amount_sats, payment_hash, memo, expiry_secs }, owner) {
    const now = Date.now();
    const timestamp = Math.floor(now / 1000);
    const unsigned = bolt11.encode({
      network: REGTEST,
      satoshis: amount_sats,
      timestamp,
      tags: [
        { tagName: 'payment_hash', data: payment_hash },
        { tagName: 'payment_secret', data: randomBytes(32).toString('hex') },
        { tagName: 'description', data: memo ?? '' },
        { tagName: 'expire_time', data: expiry_secs },
      ],
    });
    return {
      id: `LightningReceiveRequest:${randomUUID()}`,
      owner,
      hash: payment_hash,
      sats: amount_sats,
      memo,
      bolt11: bolt11.sign(unsigned, nodeKey).paymentRequest,
      createdAt: now,
      updatedAt: now,
      expirySeconds: expiry_secs,
      expiresAt: (timestamp + expiry_secs) * 1000,
      status: 'INVOICE_CREATED',
    };
  }

  function spoiled({ hash, sats, memo = '', createdAt, expirySeconds }) {
    const times = { createdAt: Math.floor(createdAt / 1000), expirySeconds };
    return node.spoiled({ paymentHash: hash, amountMsat: sats * 1000, description: memo, paymentSecret: randomHex(), ...times });
  }

  // Pays an invoice as far as `until`, from where it is. feeSat: what the provider keeps.
  async function pay(text, { until = 'TRANSFER_CREATED', feeSat = 0 } = {}) {
    const request = self.find(text);
    if (request.status === 'INVOICE_CREATED' && request.expiresAt < Date.now()) throw new Error('this invoice has expired');
    const sats = request.sats - feeSat;
    const steps = {
      INVOICE_CREATED: () => 'LIGHTNING_PAYMENT_RECEIVED',
      async LIGHTNING_PAYMENT_RECEIVED() {
        request.preimage = operators.preimages.get(request.hash);
        if (request.preimage) return 'PAYMENT_PREIMAGE_RECOVERED';
        request.transfer = { sats, id: await operators.send(request.owner, sats, { hash: request.hash }) };
        return undefined; // it waits
      },
      async PAYMENT_PREIMAGE_RECOVERED() {
        request.transfer = { sats, id: await operators.send(request.owner, sats) };
        return 'TRANSFER_CREATED'; // a wallet that is there claims it and completes it
      },
    };
    for (let next; request.status !== until && (next = await steps[request.status]?.()); ) move(request, next);
  }

  function move(request, status) {
    request.status = status;
    request.updatedAt = Date.now();
  }

  const port = await openPort(createServer(serve), { port: 0, host: '127.0.0.1' });
  self.options = {
    ...operators.options,
    sspClientOptions: { baseUrl: `http://127.0.0.1:${port.number}`, identityPublicKey: operators.providerIdentity },
    optimizationOptions: { auto: false }, // it would swap leaves with the provider
  };
  return self;
}

// A request, as GraphQL tells it to the SDK, which gives each field a name of its own.
function told({ id, hash, sats, memo, bolt11: text, status, preimage, transfer, createdAt, updatedAt, expiresAt }) {
  const invoice = {
    encoded_invoice: text,
    bitcoin_network: 'REGTEST',
    payment_hash: hash,
    amount: satoshis(sats),
    created_at: iso(createdAt),
    expires_at: iso(expiresAt),
    memo,
  };
  const request = {
    id,
    created_at: iso(createdAt),
    updated_at: iso(updatedAt),
    network: 'REGTEST',
    invoice: prefixed('invoice_', invoice),
    status,
    transfer: transfer && prefixed('transfer_', { total_amount: satoshis(transfer.sats), spark_id: transfer.id }),
    payment_preimage: preimage,
  };
  return { __typename: 'LightningReceiveRequest', ...prefixed('lightning_receive_request_', request) };
}

const prefixed = (prefix, fields) => Object.fromEntries(Object.entries(fields).map(([name, value]) => [prefix + name, value]));
const satoshis = (sats) => prefixed('currency_amount_', { original_value: sats, original_unit: 'SATOSHI' });
const iso = (ms) => new Date(ms).toISOString();
const refusal = (message) => new Reply(200, { data: null, errors: [{ message, extensions: { error_name: 'Refused' } }] });
const UNAUTHORIZED = new Reply(401, '');

async function read(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  const body = Buffer.concat(parts);
  return JSON.parse(request.headers['content-encoding'] === 'deflate' ? inflateSync(body) : body);
}

function write(response, { status, value, type }) {
  response.writeHead(status, { 'Content-Type': type }).end(typeof value === 'string' ? value : JSON.stringify(value));
}
