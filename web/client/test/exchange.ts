// Reads a token that another client has made, and stores the same value: e2e/webclient calls it.
import { Cloakroom } from '../src/index.js';
import { collect } from './bytes.js';

const { place, value, token } = JSON.parse(Buffer.from(await collect(process.stdin)).toString()) as { place: { url: string; app: string }; value: string; token: string };
const cloakroom = new Cloakroom({ url: place.url, authorization: async () => (await fetch(`${place.app}/jwt?login=ada`, { method: 'POST' })).text() });
const equal = (await (await cloakroom.reveal(token)).text()) === value;
const stored = await cloakroom.tokenize(value);
console.log(JSON.stringify({ token: stored.token, equal }));
