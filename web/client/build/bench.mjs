// Compares the speed of encrypt and decrypt with Web Crypto's own on buffers of 1 MiB: npm run build && npm run bench. The measurements take
// turns, and the median of their ratios counts, so that a busy machine changes little.
import { decrypt, encrypt } from '../dist/crypto/index.js';

const [MiB, count, rounds] = [1 << 20, 64, 7];
const value = new Uint8Array(count * MiB);
const key = { key: crypto.getRandomValues(new Uint8Array(32)), associatedData: new Uint8Array(16) };
const own = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt']);

async function webCrypto() {
  for (let i = 0; i < count; i++) {
    const iv = new Uint8Array(12);
    iv[0] = i;
    await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, own, value.subarray(i * MiB, (i + 1) * MiB));
  }
}

async function* stream() {
  for (let from = 0; from < value.length; from += 1 << 16) yield value.subarray(from, from + (1 << 16));
}

const drain = async (source) => {
  for await (const _ of source);
};
const pieces = [];
for await (const piece of encrypt(value, key)) pieces.push(piece);
const sealed = new Blob(pieces);
const blob = new Blob([value]);
const subjects = {
  'encrypt bytes': () => drain(encrypt(value, key)),
  'encrypt a Blob': () => drain(encrypt(blob, key)),
  'encrypt a stream of 64 KiB chunks': () => drain(encrypt(stream(), key)),
  'decrypt a Blob': () => drain(decrypt(sealed, key)),
};

async function speed(work) {
  const start = performance.now();
  await work();
  return (count * 1000) / (performance.now() - start);
}

const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];
for (const [name, work] of Object.entries(subjects)) {
  const pairs = [];
  for (let i = 0; i < rounds; i++) pairs.push([await speed(webCrypto), await speed(work)]);
  const ratio = median(pairs.map(([theirs, ours]) => ours / theirs));
  console.log(`${name}: ${median(pairs.map(([, ours]) => ours)).toFixed(0)} MiB/s, ${ratio.toFixed(2)} of Web Crypto's speed`);
}
