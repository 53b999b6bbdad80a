// Fails if the minified client is larger than its limit, compressed.
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const limit = 10_000;
const name = 'dist/cloakroom.min.js';
const bytes = readFileSync(new URL(`../${name}`, import.meta.url));
const { length } = gzipSync(bytes, { level: 9 });
console.log(`${name}: ${bytes.length} bytes, ${length} with gzip; the limit is ${limit}`);
if (length > limit) {
  console.error('The client is too large: remove something, or raise the limit in build/size.mjs with a reason.');
  process.exit(1);
}
