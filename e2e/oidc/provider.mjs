// An OpenID provider (npm oidc-provider) on loopback, for tests. It reads its settings as one JSON object from
// its arguments, and commands from standard input, one JSON object per line:
//
//	node provider.mjs '{"clients": [...]}'   prints {"issuer": "http://127.0.0.1:PORT"} when it listens
//	{"rotate": true}                         signs with another key from now on; the former key is no longer published
//
// settings: clients, in oidc-provider's format; algorithm of its signatures (ES256); resource, the audience of
// access tokens as JWTs (RFC 9068), which client_credentials with the parameter resource gets; roles, a client's by
// its id. The login form takes any user name: there is no password. The grant follows without a consent page.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import Provider from 'oidc-provider';

const settings = JSON.parse(process.argv[2]);
const algorithm = settings.algorithm ?? 'ES256';

const cookieKey = randomUUID(); // a login outlives the signing key

function newKey() {
  const { privateKey } = algorithm.startsWith('ES')
    ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
    : generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: algorithm };
}

// Everything that a login needs is in this store, so that the provider continues with it after a change of its key.
const rows = new Map();
class Store {
  constructor(kind) {
    this.kind = kind;
  }
  key(id) {
    return `${this.kind}:${id}`;
  }
  async upsert(id, payload) {
    rows.set(this.key(id), payload);
  }
  async find(id) {
    return rows.get(this.key(id));
  }
  async findByUid(uid) {
    return [...rows].find(([key, row]) => key.startsWith(`${this.kind}:`) && row.uid === uid)?.[1];
  }
  async findByUserCode() {
    return undefined;
  }
  async consume(id) {
    rows.get(this.key(id)).consumed = Math.floor(Date.now() / 1000);
  }
  async destroy(id) {
    rows.delete(this.key(id));
  }
  async revokeByGrantId(grantId) {
    for (const [key, row] of rows) if (row.grantId === grantId) rows.delete(key);
  }
}

function newProvider(issuer) {
  const provider = new Provider(issuer, {
    adapter: Store,
    clients: settings.clients,
    jwks: { keys: [newKey()] },
    cookies: { keys: [cookieKey], names: { session: '_session', interaction: '_interaction', resume: '_resume' } },
    claims: { openid: ['sub'], profile: ['name'] },
    conformIdTokenClaims: true,
    enabledJWA: { idTokenSigningAlgValues: [algorithm] },
    ttl: { AccessToken: 600, AuthorizationCode: 60, ClientCredentials: 600, IdToken: 600, Session: 3600, Grant: 3600, Interaction: 600 },
    // Otherwise the provider refuses to send logout tokens to loopback, where the tests' gateway listens.
    fetch: (url, { dispatcher, ...options }) => fetch(url, options),
    async findAccount(_, id) {
      return { accountId: id, claims: async () => ({ sub: id, name: id }) };
    },
    async loadExistingGrant(ctx) {
      const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
      grant.addOIDCScope('openid profile');
      await grant.save();
      return grant;
    },
    extraTokenClaims: (_, token) => ({ realm_access: { roles: settings.roles?.[token.clientId] ?? [] } }),
    features: {
      backchannelLogout: { enabled: true },
      clientCredentials: { enabled: true },
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: Boolean(settings.resource),
        getResourceServerInfo: () => ({ scope: '', audience: settings.resource, accessTokenFormat: 'jwt', jwt: { sign: { alg: algorithm } } }),
      },
    },
  });
  provider.on('backchannel.error', (_, error) => console.error(error));
  provider.on('server_error', (_, error) => console.error(error));
  return provider.callback();
}

let handle;
const server = createServer((request, response) => handle(request, response));
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  handle = newProvider(issuer);
  console.log(JSON.stringify({ issuer }));
  const commands = createInterface({ input: process.stdin });
  commands.on('line', (line) => {
    if (JSON.parse(line).rotate) handle = newProvider(issuer);
    console.log('{}');
  });
  commands.on('close', () => process.exit(0)); // the parent process has ended
});
