// A disk that loses what was not synced. The program under test works on a real folder; power_layer.cc writes down what it
// does there, and after a power failure the folder is made again as the disk would have it:
//
//   - what was in a file when it was last synced (fsync, fdatasync), and
//   - the names that were in a folder when the folder was last synced: syncing a file does not sync its name. This is POSIX
//     to the letter; most file systems are kinder.
//   - Or, by chance, more of it: the changes of names up to some moment, in their order, as a journal keeps them; and in each
//     file the changes up to some moment, the last of them torn: what it appended at any byte, what it overwrote at the
//     border of a sector. Torn off means cut off or, by chance, zeros up to the new size.
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SECTOR_BYTES = 512;
const MAGIC = Buffer.from('\x89PWRLOG\n', 'latin1');
const HEADER_BYTES = MAGIC.length + 1 + 8 + 8 + 4 + 4;
const STRICT = 'power failures that left only what was synced';
const TORN = 'power failures that left a part of the rest too';
const NAMES = 'changes of names that were lost';
const BYTES = 'bytes that were lost';
const LAYER = process.env.POWER_LAYER ?? fileURLToPath(new URL('../../../build/release/tests/crash/libpower_layer.so', import.meta.url));

export async function attachDisk(random) {
  const base = await mkdtemp(join(tmpdir(), 'sellcompute-power-'));
  const folder = join(base, 'disk');
  const log = join(base, 'log');
  await mkdir(folder, { mode: 0o700 });
  await writeFile(log, '');
  const figures = { [STRICT]: 0, [TORN]: 0, [NAMES]: 0, [BYTES]: 0 };
  let state = emptyState();

  return {
    folder,
    environment: { LD_PRELOAD: LAYER, POWER_FOLDER: folder, POWER_LOG: log },
    figures,
    follow,
    adopt,
    lose,
    differences,
    remove: () => rm(base, { recursive: true, force: true }),
  };

  // Takes up what the log says happened since.
  async function follow() {
    for (const record of records(await readFile(log))) apply(state, record);
    await truncate(log, 0);
  }

  // A file that others than the program under test wrote is durable as it is.
  async function adopt(path) {
    await follow();
    const file = fileOf(await readFile(join(folder, path)));
    state.names.set(path, file);
    state.durable.set(path, file);
    state.inodes.set((await lstat(join(folder, path))).ino, file);
  }

  // What the folder has that the layer did not see, and the other way round: nothing, or the layer is wrong.
  async function differences() {
    await follow();
    const found = [];
    const real = await walk(folder);
    for (const path of state.names.keys()) if (!real.has(path)) found.push(`${path} is not there`);
    for (const [path, info] of real) {
      const node = state.names.get(path);
      if (!node) found.push(`${path} was not seen`);
      else if (!node.folder && !(await readFile(join(folder, path))).equals(node.bytes)) found.push(`${path} has other bytes`);
      else if (!node.folder && state.inodes.get(info.ino) !== node) found.push(`${path} is another inode`);
    }
    return found;
  }

  // The power fails, and comes back.
  async function lose() {
    await follow();
    const torn = random.below(2) === 1;
    const kept = torn ? random.below(state.pending.length + 1) : 0;
    figures[torn ? TORN : STRICT] += 1;
    figures[NAMES] += state.pending.length - kept;
    for (const { change } of state.pending.slice(0, kept)) change(state.durable);
    await rm(folder, { recursive: true });
    await mkdir(folder, { mode: 0o700 });
    const next = emptyState();
    for (const [path, node] of [...state.durable].sort(([one], [other]) => (one < other ? -1 : 1))) {
      if (dirname(path) !== '.' && !next.names.get(dirname(path))?.folder) continue; // its folder's own name is lost
      const bytes = node.folder ? undefined : torn ? tear(node, random) : node.synced;
      if (node.folder) await mkdir(join(folder, path), { mode: 0o700 });
      else await writeFile(join(folder, path), bytes, { mode: 0o600 });
      if (!node.folder) figures[BYTES] += Math.max(0, node.bytes.length - bytes.length);
      const again = node.folder ? node : fileOf(bytes);
      next.names.set(path, again);
      next.durable.set(path, again);
      if (!node.folder) next.inodes.set((await lstat(join(folder, path))).ino, again);
    }
    state = next;
  }
}

// names: what the program sees, durable: what is on the disk, as path → node; a node is {folder: true} or a file's {bytes,
// synced, changes}. pending: changes of names that are not on the disk: {folder, change}. inodes: by number.
function emptyState() {
  return { names: new Map(), durable: new Map(), pending: [], inodes: new Map() };
}

const fileOf = (bytes) => ({ bytes, synced: bytes, changes: [] });

function* records(log) {
  for (let at = log.indexOf(MAGIC); at >= 0 && at + HEADER_BYTES <= log.length; ) {
    const head = at + MAGIC.length;
    const [first, second] = [log.readUInt32LE(head + 17), log.readUInt32LE(head + 21)];
    const begin = at + HEADER_BYTES;
    const end = begin + first + second;
    const whole = end <= log.length && (end === log.length || log.subarray(end, end + MAGIC.length).equals(MAGIC));
    if (whole) {
      yield {
        what: String.fromCharCode(log[head]),
        inode: Number(log.readBigUInt64LE(head + 1)),
        number: Number(log.readBigUInt64LE(head + 9)),
        first: log.subarray(begin, begin + first),
        second: log.subarray(begin + first, end).toString(),
      };
    }
    at = whole ? (end === log.length ? -1 : end) : log.indexOf(MAGIC, head); // a process was killed while it wrote this one
  }
}

function apply(state, { what, inode, number, first, second }) {
  const path = first.toString();
  const node = state.inodes.get(inode);
  switch (what) {
    case 'C': {
      const made = fileOf(Buffer.alloc(0));
      state.inodes.set(inode, made);
      return rename(state, [path], (names) => names.set(path, made));
    }
    case 'M':
      return rename(state, [path], (names) => names.set(path, { folder: true }));
    case 'L': {
      const target = state.names.get(path);
      return rename(state, [second], (names) => names.set(second, target));
    }
    case 'R': {
      const target = state.names.get(path);
      return rename(state, [path, second], (names) => names.delete(path) && names.set(second, target));
    }
    case 'U':
      return rename(state, [path], (names) => names.delete(path));
    case 'F': {
      const synced = state.pending.filter(({ folder }) => folder === (path || '.'));
      state.pending = state.pending.filter((one) => !synced.includes(one));
      return synced.forEach(({ change }) => change(state.durable));
    }
    case 'S':
      if (node) Object.assign(node, { synced: node.bytes, changes: [] });
      return undefined;
    case 'W':
      return node && edit(node, { offset: number, data: Buffer.from(first) });
    case 'T':
      return node && edit(node, { size: number });
    default:
      throw new Error(`the layer wrote down an unknown change ${what}`);
  }
}

function rename(state, paths, change) {
  const folders = new Set(paths.map(dirname));
  if (folders.size > 1) throw new Error(`from one folder to another: ${paths}`); // nothing of ours does that
  change(state.names);
  state.pending.push({ folder: [...folders][0], change });
}

function edit(node, change) {
  node.changes.push(change);
  node.bytes = changed(node.bytes, change);
}

function changed(bytes, { offset, data, size }) {
  const end = size ?? Math.max(bytes.length, offset + data.length);
  const out = end === bytes.length ? Buffer.from(bytes) : Buffer.concat([bytes.subarray(0, end)], end);
  data?.copy(out, offset);
  return out;
}

// A part of what was not synced.
function tear({ synced, changes }, random) {
  const whole = random.below(changes.length + 1);
  const bytes = changes.slice(0, whole).reduce(changed, synced);
  const next = changes[whole];
  if (!next?.data) return bytes;
  const appended = Math.max(0, next.offset + next.data.length - bytes.length);
  let size = random.below(next.data.length + 1);
  if (size < next.data.length - appended) size -= (next.offset + size) % SECTOR_BYTES;
  if (size <= 0) return bytes;
  const torn = changed(bytes, { offset: next.offset, data: next.data.subarray(0, size) });
  const zeros = random.below(3) === 0 ? next.offset + next.data.length : 0;
  return zeros > torn.length ? changed(torn, { size: zeros }) : torn;
}

async function walk(folder) {
  const found = new Map();
  for (const name of await readdir(folder, { recursive: true })) {
    const info = await lstat(join(folder, name));
    if (info.isFile() || info.isDirectory()) found.set(name, info);
  }
  return found;
}
