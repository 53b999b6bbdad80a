import type { Fetcher } from '@graphiql/toolkit';
import type { Session } from './session';

export interface Operation {
  query: string;
  operationName?: string | null;
  variables?: unknown;
}

/** Sends operations with the session's JWT, and shows every answer to `observe`. */
export function createFetcher(
  endpoint: string,
  session: Session,
  observe: (operation: Operation, answer: unknown) => void,
): Fetcher {
  return async (operation, options) => {
    const headers = new Headers({
      accept: 'application/graphql-response+json, application/json;q=0.9',
      'content-type': 'application/json',
    });
    const token = await session.token();
    if (token) headers.set('authorization', `Bearer ${token}`);
    // The Headers tab has precedence, so that users can try an application's credentials.
    for (const [name, value] of Object.entries(options?.headers ?? {})) {
      headers.set(name, String(value));
    }
    const answer = await send(endpoint, headers, JSON.stringify(operation));
    observe(operation, answer);
    return answer;
  };
}

async function send(endpoint: string, headers: Headers, body: string) {
  let response: Response;
  try {
    // The JWT is the only credential: no cookie is sent.
    response = await fetch(endpoint, {
      method: 'POST',
      headers,
      body,
      credentials: 'omit',
      cache: 'no-store',
    });
  } catch {
    throw new Error(`The gateway did not answer at ${new URL(endpoint, location.href).href}. Is it running?`);
  }
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`The gateway answered HTTP ${response.status} without JSON: ${text.slice(0, 200)}`);
  }
}
