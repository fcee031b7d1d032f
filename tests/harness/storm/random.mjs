// Chance from a seed: the same seed makes the same choices.
export function createRandom(seed) {
  let state = seed >>> 0;
  // mulberry32
  function fraction() {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  }
  const below = (limit) => Math.floor(fraction() * limit);
  return { fraction, below, pick: (list) => list[below(list.length)] };
}
