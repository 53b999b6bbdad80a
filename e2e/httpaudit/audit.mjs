// Runs the GraphQL-over-HTTP audits of graphql-http against one endpoint:
//
//	node audit.mjs URL [bearer]
//
// Prints every audit that is not ok and the count, and exits 1 unless all are ok: a warning is a
// failure here, because the gateway claims the whole specification, recommendations included.
import { serverAudits } from 'graphql-http';

const [url, bearer] = process.argv.slice(2);
if (!url) {
  console.error('usage: node audit.mjs URL [bearer]');
  process.exit(2);
}

const timeoutMs = 10_000;

function fetchFn(input, init = {}) {
  const headers = new Headers(init.headers);
  if (bearer) headers.set('authorization', `Bearer ${bearer}`);
  return fetch(input, { ...init, headers, signal: AbortSignal.timeout(timeoutMs) });
}

const audits = serverAudits({ url, fetchFn });
let ok = 0;
for (const { id, name, fn } of audits) {
  const result = await fn().catch((err) => ({
    status: 'error',
    reason: `no answer: ${err.cause?.message ?? err.message}`,
  }));
  if (result.status === 'ok') {
    ok++;
    continue;
  }
  const http = result.response ? ` (HTTP ${result.response.status})` : '';
  console.log(`${result.status}  ${id} ${name}${http}\n      ${result.reason}`);
}
console.log(`${ok} of ${audits.length} audits ok`);
// Some audits read no body; their connections must not keep the process running.
process.exit(audits.length > 0 && ok === audits.length ? 0 : 1);
