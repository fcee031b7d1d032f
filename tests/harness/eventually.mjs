import { setTimeout as sleep } from 'node:timers/promises';

// Resolves with the first truthy value of `look`, which may be asynchronous. pause: what to wait for between two looks.
export async function eventually(look, what, timeoutMs = 10_000, pause = () => sleep(20)) {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await pause();
  }
}
