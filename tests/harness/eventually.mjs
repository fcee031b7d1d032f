import { setTimeout as sleep } from 'node:timers/promises';

// How long a test waits for what must come. It is long: the machine may be busy.
export const PATIENCE_MS = 60_000;

// Resolves with the first truthy value of `look`, which may be asynchronous. pause: what to wait for between two looks.
export async function eventually(look, what, timeoutMs = PATIENCE_MS, pause = () => sleep(20)) {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await pause();
  }
}
