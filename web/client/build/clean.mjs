// Removes folders of this package that the build writes: node build/clean.mjs FOLDER...
import { rmSync } from 'node:fs';

for (const name of process.argv.slice(2)) rmSync(new URL(`../${name}`, import.meta.url), { recursive: true, force: true });
