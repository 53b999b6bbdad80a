// Writes the bundle compressed only: the binary embeds it as it is, and most clients get it as it is.
// The compressor is plain JavaScript, so its bytes depend on no machine and no Node.js release.
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
