// A stand-in for a server of Lightning addresses: LUD-16 (the address), LUD-06 (the invoice), LUD-21 (has it been paid).
// It takes no hash and no label, knows no credential and pushes nothing.
import { LightningNode, sha256OfText, stateOf, walletOf } from './lightning-node.mjs';
import { Reply, serveHttp } from './serving.mjs';

const INVOICE_EXPIRY_SECONDS = 600;

const failed = (reason) => new Reply(200, { status: 'ERROR', reason }); // LNURL's errors are no HTTP errors

// verify: false for a server that does not say what has been paid.
export async function startLightningAddress({
  network, port, user = 'shop', verify = true, minSendableMsat = 1000, maxSendableMsat = 100_000_000_000, commentCharacters = 0,
} = {}) {
  const node = new LightningNode({ network });
  let url; // known once the port is open

  function metadata() {
    return JSON.stringify([['text/plain', `Payment to ${user}`], ['text/identifier', `${user}@${new URL(url).host}`]]);
  }

  function describe({ params }) {
    if (params.user !== user) throw new Reply(404, { status: 'ERROR', reason: 'unable to find user' });
    return {
      tag: 'payRequest',
      callback: `${url}/lnurlp/${user}/callback`,
      minSendable: minSendableMsat,
      maxSendable: maxSendableMsat,
      metadata: metadata(),
      commentAllowed: commentCharacters,
    };
  }

  function create({ query }) {
    const amountMsat = Number(query.amount);
    if (!(amountMsat >= minSendableMsat && amountMsat <= maxSendableMsat)) throw failed('amount out of bounds');
    if ((query.comment ?? '').length > commentCharacters) throw failed('comment too long');
    const descriptionHash = sha256OfText(metadata());
    const invoice = node.create({ amountMsat, descriptionHash, expirySeconds: INVOICE_EXPIRY_SECONDS, comment: query.comment });
    return { pr: invoice.bolt11, routes: [], ...(verify && { verify: `${url}/verify/${invoice.paymentHash}` }) };
  }

  function lookUp({ params }) {
    const invoice = verify && node.invoices.get(params.hash);
    if (!invoice) throw failed('Not found');
    const settled = stateOf(invoice) === 'settled';
    return { status: 'OK', settled, preimage: settled ? node.proof(invoice) : null, pr: invoice.bolt11 };
  }

  const open = await serveHttp(node, {
    port,
    routes: {
      'GET /.well-known/lnurlp/:user': describe,
      'GET /lnurlp/:user/callback': create,
      'GET /verify/:hash': lookUp,
    },
    refusals: {
      unauthorized: new Reply(403, { status: 'ERROR', reason: 'forbidden' }),
      'error-500': new Reply(500, { status: 'ERROR', reason: 'internal error' }),
      'not-found': new Reply(404, { status: 'ERROR', reason: 'not found' }),
    },
  });
  url = `http://127.0.0.1:${open.number}`;
  return walletOf(node, open, {
    kind: 'lightning_address',
    settings: { 'wallet.address': `${user}@127.0.0.1:${open.number}` },
    files: {},
  });
}
