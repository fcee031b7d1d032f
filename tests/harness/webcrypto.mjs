// Node 18 has the Web Cryptography API, but not under its global name, which npm packages use.
import { webcrypto } from 'node:crypto';

globalThis.crypto ??= webcrypto;
