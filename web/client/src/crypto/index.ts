export type { ByteSource } from './blocks.js';
export { decrypt } from './decrypt.js';
export { encrypt } from './encrypt.js';
export { type Bytes, type StreamKey, ciphertextSize, segmentSize } from './format.js';
