// Spark's signing operators, as far as a receiving wallet needs them: they sign it in, keep shares of preimages, hand over a
// transfer, or keep it until they get its preimage, tell what happens. gRPC over HTTP/2 with TLS on loopback, with a certificate
// made at each start.
//
// The wallet's side is real, FROST included: it decrypts the secret of a leaf, splits its key tweak for the operators, signs
// the refunds. The operators believe it and add no signatures of their own, so a leaf cannot be spent.
import { execFile } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { endCall } from './serving.mjs';

export const sparkFolder = new URL('../../../pipeline/wallet/spark/', import.meta.url);
export const load = createRequire(new URL('package.json', sparkFolder)); // packages of the sidecar

const TOKEN_LIFE_S = 3600;
const LEAF_SEQUENCE = 0; // a leaf that is its tree's root: it has no direct transactions
const HOLD_MS = 3_600_000;
// gRPC status codes
const [NOT_FOUND, ALREADY_EXISTS, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, UNAUTHENTICATED] = [5, 6, 12, 13, 14, 16];

const hex = (bytes) => Buffer.from(bytes).toString('hex');
const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();

// node books the calls, and has the faults of them. onPreimage(transferId, preimage) is called when a wallet gave the preimage
// of a transfer that waited, onClaim(transferId) when it claimed a transfer.
export async function startOperators({ count, threshold, node, onPreimage, onClaim }) {
  const sdk = load('@buildonspark/spark-sdk');
  const proto = load('@buildonspark/spark-sdk/proto/spark');
  const { SparkTokenServiceDefinition } = load('@buildonspark/spark-sdk/proto/spark_token');
  const { secp256k1 } = load('@noble/curves/secp256k1');
  const { ServerCredentials } = load('@grpc/grpc-js');
  const { createServer, ServerError } = load('nice-grpc');
  const { Transaction } = load('@scure/btc-signer');
  const {
    TRANSFER_STATUS_SENDER_KEY_TWEAK_PENDING: PENDING,
    TRANSFER_STATUS_SENDER_KEY_TWEAKED: CLAIMABLE,
    TRANSFER_STATUS_COMPLETED: CLAIMED,
    TRANSFER_STATUS_RETURNED: RETURNED,
  } = proto.TransferStatus;
  const {
    PREIMAGE_REQUEST_STATUS_WAITING_FOR_PREIMAGE: WAITING,
    PREIMAGE_REQUEST_STATUS_PREIMAGE_SHARED: SHARED,
    PREIMAGE_REQUEST_STATUS_RETURNED: GIVEN_BACK,
  } = proto.PreimageRequestStatus;
  const credentials = ServerCredentials.createSsl(null, [await certificate()]);
  const authn = authentication();
  const operators = [];
  const wallets = new Map(); // identity key → {leaves, transfers, streams}
  const held = []; // what waits, or waited, for a preimage: PreimageRequestWithTransfer
  const providerKey = secp256k1.utils.randomPrivateKey();

  const self = {
    options: undefined,
    preimages: new Map(), // payment hash → what the shares of it make
    providerIdentity: hex(secp256k1.getPublicKey(providerKey)),
    send,
    giveBack,
    dropStreams() {
      const error = new ServerError(UNAVAILABLE, 'the stream is cut');
      wallets.forEach(({ streams }) => streams.forEach((stream) => stream.end(error)));
    },
    up, // at the same addresses again
    down: () => Promise.all(operators.map(({ server }) => server.forceShutdown())),
  };

  const walletOf = (identity) => {
    const key = hex(identity);
    if (!wallets.has(key)) wallets.set(key, { leaves: new Map(), transfers: new Map(), streams: new Set() });
    return wallets.get(key);
  };

  const service = {
    query_nodes({ source }) {
      return { nodes: Object.fromEntries(walletOf(source.ownerIdentityPubkey).leaves), offset: -1 };
    },
    query_all_transfers({ participant, transferIds }) {
      const { transfers } = walletOf(participant.senderOrReceiverIdentityPublicKey ?? participant.senderIdentityPublicKey);
      return { transfers: transferIds.flatMap((id) => transfers.get(id) ?? []), offset: -1 };
    },
    query_pending_transfers({ participant, transferIds }) {
      const all = [...walletOf(participant.receiverIdentityPublicKey).transfers.values()];
      const asked = ({ id, status }) => status === CLAIMABLE && (transferIds.length === 0 || transferIds.includes(id));
      return { transfers: all.filter(asked), offset: -1 };
    },
    async *subscribe_to_events({ identityPublicKey }, { signal }) {
      const { streams } = walletOf(identityPublicKey);
      const stream = queue();
      signal.addEventListener('abort', () => stream.end());
      streams.add(stream);
      try {
        yield { event: { $case: 'connected', connected: {} } };
        yield* stream;
      } finally {
        streams.delete(stream);
      }
    },
    async store_preimage_share_v2({ paymentHash, encryptedPreimageShares }) {
      const shares = await Promise.all(operators.map((operator) => openShare(operator, encryptedPreimageShares)));
      const preimage = await sdk.recoverSecret(shares.slice(0, threshold));
      if (!sha256(preimage).equals(paymentHash)) throw new ServerError(INTERNAL, 'the shares make another preimage');
      self.preimages.set(hex(paymentHash), hex(preimage));
      return {};
    },
    query_htlc({ identityPublicKey, paymentHashes }) {
      const asked = (request) => paymentHashes.some((hash) => isFor(request, identityPublicKey, hash));
      return { preimageRequests: held.filter(asked), offset: -1 };
    },
    provide_preimage({ identityPublicKey, paymentHash, preimage }) {
      if (!sha256(preimage).equals(paymentHash)) throw new ServerError(INTERNAL, 'invalid preimage');
      const request = liveRequest(identityPublicKey, paymentHash);
      if (!request) throw new ServerError(NOT_FOUND, 'unable to get preimage request');
      const { status, transfer } = request;
      Object.assign(request, { status: SHARED, preimage });
      if (status === WAITING) {
        onPreimage(transfer.id, hex(preimage));
        deliver(transfer);
      }
      return { transfer };
    },
    get_signing_commitments({ nodeIdCount, count }) {
      return { signingCommitments: Array.from({ length: nodeIdCount * count }, commitments) };
    },
    claim_transfer({ transferId, ownerIdentityPublicKey, claimPackage }) {
      const { leaves, transfers } = walletOf(ownerIdentityPublicKey);
      const transfer = transfers.get(transferId);
      // Another process with the same seed was faster. The wallet knows this code, and repeats a claim that fails otherwise.
      if (transfer.status === CLAIMED) throw new ServerError(ALREADY_EXISTS, 'it was claimed before');
      for (const [index, { leafId, signingPublicKey, rawTx }] of claimPackage.leavesToClaim.entries()) {
        const { leaf } = transfer.leaves[index];
        if (leaf.id !== leafId) throw new ServerError(INTERNAL, 'another leaf');
        leaf.refundTx = rawTx;
        leaf.status = 'AVAILABLE';
        leaf.ownerSigningPublicKey = signingPublicKey;
        // The tweak moves the secret from one side to the other: their sum stays what the leaf pays to.
        leaf.signingKeyshare.publicKey = sdk.subtractPublicKeys(leaf.verifyingPublicKey, signingPublicKey);
        leaves.set(leafId, leaf);
      }
      transfer.status = CLAIMED;
      onClaim(transferId);
      return { transfer };
    },
  };

  // What a share is checked for: it is for this operator, and its proofs say that all shares are of one secret.
  async function openShare({ id, identifier, key }, encryptedShares) {
    const bytes = await sdk.getSparkFrost().decryptEcies(encryptedShares[identifier], key);
    const { secretShare, proofs } = proto.SecretShare.decode(Uint8Array.from(bytes));
    const share = { threshold, index: id + 1, share: secretShare, proofs };
    await sdk.validateShare(share);
    return share;
  }

  function commitments() {
    const point = () => secp256k1.getPublicKey(secp256k1.utils.randomPrivateKey());
    const commitment = ({ identifier }) => [identifier, { hiding: point(), binding: point() }];
    return { signingNonceCommitments: Object.fromEntries(operators.map(commitment)) };
  }

  const isFor = ({ receiverIdentityPubkey, paymentHash }, receiver, hash) =>
    hex(receiverIdentityPubkey) === hex(receiver) && hex(paymentHash) === hex(hash);
  const liveRequest = (receiver, hash) => held.find((one) => one.status !== GIVEN_BACK && isFor(one, receiver, hash));

  // The service provider's transfer to a wallet, of one leaf. With a hash, it waits for the preimage. Returns its id.
  // stranger: somebody else sends it.
  async function send(receiver, sats, { hash, stranger = false } = {}) {
    const senderKey = stranger ? secp256k1.utils.randomPrivateKey() : providerKey;
    const receiverKey = Buffer.from(receiver, 'hex');
    const id = randomUUID();
    const secret = secp256k1.utils.randomPrivateKey();
    const leaf = await leafOf(sats, secret, receiverKey);
    const secretCipher = Uint8Array.from(await sdk.getSparkFrost().encryptEcies(secret, receiverKey));
    const signature = secp256k1.sign(sha256(leaf.id, id, secretCipher), senderKey).toCompactRawBytes();
    const transfer = {
      id,
      type: proto.TransferType.PREIMAGE_SWAP,
      status: PENDING,
      totalValue: sats,
      senderIdentityPublicKey: secp256k1.getPublicKey(senderKey),
      receiverIdentityPublicKey: receiverKey,
      expiryTime: hash && new Date(Date.now() + HOLD_MS),
      leaves: [{ leaf, secretCipher, signature, intermediateRefundTx: leaf.refundTx }],
    };
    walletOf(receiverKey).transfers.set(id, transfer);
    if (hash) hold(transfer, Buffer.from(hash, 'hex'));
    else deliver(transfer);
    return id;
  }

  function hold(transfer, paymentHash) {
    if (liveRequest(transfer.receiverIdentityPublicKey, paymentHash)) throw new Error('a preimage request exists already');
    held.push({
      paymentHash,
      receiverIdentityPubkey: transfer.receiverIdentityPublicKey,
      senderIdentityPubkey: transfer.senderIdentityPublicKey,
      status: WAITING,
      createdTime: new Date(),
      transfer,
    });
  }

  // From here on the wallet can claim it, and is told so.
  function deliver(transfer) {
    transfer.status = CLAIMABLE;
    const { streams } = walletOf(transfer.receiverIdentityPublicKey);
    streams.forEach((stream) => stream.push({ event: { $case: 'receiverTransfer', receiverTransfer: { transfer } } }));
  }

  // A transfer that waits goes back to its sender: at its expiry, or because the sender's attempt failed.
  function giveBack(transferId, { expired = true } = {}) {
    const request = held.find(({ transfer }) => transfer.id === transferId);
    request.status = GIVEN_BACK;
    request.transfer.status = RETURNED;
    if (expired) request.transfer.expiryTime = new Date();
  }

  async function leafOf(sats, secret, owner) {
    const operatorsPart = secp256k1.getPublicKey(secp256k1.utils.randomPrivateKey());
    const verifyingPublicKey = sdk.addPublicKeys(secp256k1.getPublicKey(secret), operatorsPart);
    const nodeTx = new Transaction({ version: 3, allowUnknownOutputs: true });
    nodeTx.addInput({ txid: randomBytes(32), index: 0, sequence: LEAF_SEQUENCE });
    nodeTx.addOutput({ script: sdk.getP2TRScriptFromPublicKey(verifyingPublicKey, sdk.Network.LOCAL), amount: BigInt(sats) });
    const refunds = { nodeTx, receivingPubkey: secp256k1.getPublicKey(secret), network: sdk.Network.LOCAL };
    const { cpfpRefundTx } = await sdk.createInitialTimelockRefundTxs(refunds);
    return {
      id: randomUUID(),
      treeId: randomUUID(),
      value: sats,
      nodeTx: nodeTx.toBytes(true),
      refundTx: cpfpRefundTx.toBytes(true),
      verifyingPublicKey,
      ownerIdentityPublicKey: owner,
      signingKeyshare: { publicKey: operatorsPart, threshold },
      status: 'TRANSFER_LOCKED',
    };
  }

  async function up() {
    for (const operator of operators) {
      operator.server = createServer();
      operator.server.add(authn.definition, authn.service);
      operator.server.add(proto.SparkServiceDefinition, complete(proto.SparkServiceDefinition, service));
      operator.server.add(SparkTokenServiceDefinition, complete(SparkTokenServiceDefinition, { query_token_outputs: () => ({}) }));
      operator.port = await operator.server.listen(`127.0.0.1:${operator.port}`, credentials);
    }
  }

  for (let id = 0; id < count; id += 1) {
    operators.push({ id, identifier: String(id + 1).padStart(64, '0'), key: secp256k1.utils.randomPrivateKey(), port: 0 });
  }
  await up();
  const told = ({ id, identifier, key, port }) => ({
    id,
    identifier,
    address: `https://localhost:${port}`,
    identityPublicKey: hex(secp256k1.getPublicKey(key)),
  });
  self.options = {
    signingOperators: Object.fromEntries(operators.map((operator) => [operator.identifier, told(operator)])),
    coordinatorIdentifier: operators[0].identifier,
    threshold,
    tls: { dangerouslyDisableCertificateVerification: true },
  };
  return self;

  // nice-grpc wants every method of a service.
  function complete({ methods }, implementation) {
    const missing = (name) => () => raise(UNIMPLEMENTED, `there is no ${name} in this world`);
    const served = (name) => {
      if (!implementation[name]) return missing(name);
      return methods[name].responseStream ? implementation[name] : booked(name, implementation[name]);
    };
    return Object.fromEntries(Object.keys(methods).map((name) => [name, served(name)]));
  }

  // What a call does, with the next fault that fits it.
  function booked(method, work) {
    const lose = () => raise(UNAVAILABLE, 'the connection is lost');
    const refuse = () => raise(INTERNAL, 'something went wrong');
    const line = (request) => ({ work: async () => work(request), answer: (reply) => reply, drop: lose, garble: lose, refuse });
    return (request) => endCall(node.receive({ method }), line(request));
  }

  function raise(code, message) {
    throw new ServerError(code, message);
  }
}

// The one service whose definition the SDK keeps to itself. Requests are read as {field number: value}; an answer is a writer.
function authentication() {
  const { BinaryReader, BinaryWriter } = load('@bufbuild/protobuf/wire');
  const { ServerError } = load('nice-grpc');
  const fields = (bytes) => {
    const reader = new BinaryReader(bytes);
    const found = {};
    while (reader.pos < reader.len) {
      const tag = reader.uint32();
      found[tag >>> 3] = (tag & 7) === 2 ? reader.bytes() : reader.int64();
    }
    return found;
  };
  const method = (name) => ({
    name,
    requestType: { decode: fields },
    responseType: { encode: (writer) => writer },
    requestStream: false,
    responseStream: false,
    options: {},
  });
  const definition = {
    name: 'SparkAuthnService',
    fullName: 'spark_authn.SparkAuthnService',
    methods: { get_challenge: method('get_challenge'), verify_challenge: method('verify_challenge') },
  };
  const nowS = () => Math.floor(Date.now() / 1000);
  const versioned = () => new BinaryWriter().uint32(8).int32(1);
  const service = {
    get_challenge({ 1: publicKey }) {
      const challenge = versioned().uint32(16).int64(nowS()).uint32(26).bytes(randomBytes(32)).uint32(34).bytes(publicKey).finish();
      const protectedChallenge = versioned().uint32(18).bytes(challenge).uint32(26).bytes(randomBytes(32)).finish();
      return new BinaryWriter().uint32(10).bytes(protectedChallenge);
    },
    verify_challenge({ 1: protectedChallenge, 2: signature, 3: publicKey }) {
      if (!isSigned(fields(protectedChallenge)[2], signature, publicKey)) throw new ServerError(UNAUTHENTICATED, 'a wrong signature');
      return new BinaryWriter().uint32(10).string(randomUUID()).uint32(16).int64(nowS() + TOKEN_LIFE_S);
    },
  };
  return { definition, service };
}

export function isSigned(message, signature, publicKey) {
  return load('@noble/curves/secp256k1').secp256k1.verify(signature, sha256(message), publicKey);
}

async function certificate() {
  const folder = await mkdtemp(join(tmpdir(), 'spark-operators-'));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const asked = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=localhost'];
  await promisify(execFile)('openssl', [...asked, '-keyout', key, '-out', cert]);
  const pair = { private_key: await readFile(key), cert_chain: await readFile(cert) };
  await rm(folder, { recursive: true });
  return pair;
}

// What is pushed comes out of it, until it ends.
function queue() {
  const items = [];
  let ended = false;
  let failure;
  let wake = () => {};
  return {
    push(item) {
      items.push(item);
      wake();
    },
    end(error) {
      ended = true;
      failure = error;
      wake();
    },
    async *[Symbol.asyncIterator]() {
      for (;;) {
        while (items.length > 0) yield items.shift();
        if (failure) throw failure;
        if (ended) return;
        await new Promise((resolve) => (wake = resolve));
      }
    },
  };
}
