// Encrypts standard input to standard output: 32 bytes of key, 24 of associated data, the value.
import { encrypt } from '../src/crypto/index.js';
import { collect } from './bytes.js';

const input = await collect(process.stdin);
const [key, associatedData, value] = [input.slice(0, 32), input.slice(32, 56), input.slice(56)];
for await (const chunk of encrypt(value, { key, associatedData })) process.stdout.write(chunk);
