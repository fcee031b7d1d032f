// The ways to die. Each makes a death for one life: {name, lifeMs, otherwise?, killAt?, env?, arm?}: after lifeMs it is killed
// in any case, which is then called `otherwise`; arm(kill) makes it happen at what somebody else sees.
import { OUTSIDE_POINTS, OWN_POINTS } from '../kill-points.mjs';

const LONGEST_LIFE_MS = 600;
const MOST_CHANGES = 250; // about what a life makes on the disk
const NAMED = { lifeMs: 1500, otherwise: 'by impatience: the point did not come' };

const atRandom = (_, random) => ({ name: 'at random', lifeMs: random.below(LONGEST_LIFE_MS) });
const atPoint = (_, random) => {
  const point = random.pick(OWN_POINTS);
  return { ...NAMED, name: point, killAt: point };
};
const fromOutside = (market, random) => {
  const [name, arm] = random.pick(Object.entries(OUTSIDE_POINTS));
  return { ...NAMED, name, arm: (kill) => arm(market, kill) };
};

// With power_layer.cc.
const atChange = (_, random) => ({ ...NAMED, name: 'before a change on the disk', env: { POWER_FAILS_AT: String(1 + random.below(MOST_CHANGES)) } });

export const killers = { storm: [atRandom, atRandom, atPoint, fromOutside], power: [atChange, atChange, atPoint, fromOutside] };
