// A fingerprint of what dist is built from, which tests/tidy compares: 64 bits of FNV-1a over each file's path and content.
import { readdirSync, readFileSync } from 'node:fs';

const ROOT = new URL('./', import.meta.url);
const FILES = ['index.html', 'package-lock.json', 'vite.config.js'];

export function fingerprint() {
  const below = readdirSync(new URL('src/', ROOT), { recursive: true, withFileTypes: true }).filter(entry => entry.isFile());
  const base = new URL('src/', ROOT).pathname;
  const sources = below.map(entry => `src/${`${entry.parentPath}/${entry.name}`.slice(base.length).replace(/^\//, '')}`);
  let hash = 0xcbf29ce484222325n;
  for (const path of [...FILES, ...sources].sort()) {
    for (const byte of Buffer.concat([Buffer.from(`${path}\0`), readFileSync(new URL(path, ROOT)), Buffer.from('\0')])) {
      hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
    }
  }
  return hash.toString(16).padStart(16, '0');
}
