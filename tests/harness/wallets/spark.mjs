// Spark as a wallet of the program: the real SDK in its sidecar, in a world of our own (spark-world.mjs).
import { randomBytes } from 'node:crypto';
import { skipWithoutSpark, startSparkWorld } from './spark-world.mjs';

export { skipWithoutSpark };

export async function startSpark() {
  const world = await startSparkWorld();
  return {
    kind: 'spark',
    settings: { 'wallet.kind': 'spark' },
    files: { credential: randomBytes(32).toString('hex'), spark_options: JSON.stringify({ ...world.options, network: 'LOCAL' }) },
    fail: world.fail,
    faultsLeft: world.faultsLeft,
    down: world.down,
    up: world.up,
    pay: (text) => world.pay(text),
    giveBack: (text) => world.giveBack(text), // what is held, as Spark does by itself after a while
    made: () => world.requests.length,
    lastInvoice: () => world.requests.filter(world.isComplete).at(-1)?.bolt11,
    close: world.close,
  };
}
