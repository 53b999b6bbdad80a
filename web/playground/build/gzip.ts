// Writes the bundle only in compressed form: the binary embeds it, and most clients get it, in that form.
// The compressor is written in JavaScript, so its output does not depend on the machine or the Node.js release.
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'fflate';

export function gzipFolder(folder: string): void {
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 9, mtime: 0 }));
    rmSync(path);
  }
}
