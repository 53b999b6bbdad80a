/** The configuration that the Go handler writes into the page (web/playground.go). */
export interface Config {
  /** The gateway's GraphQL endpoint. */
  endpoint: string;
  /** The app's endpoint that returns a session's JWT. */
  sessionURL: string;
}

export function readConfig(doc: Document): Config {
  const text = doc.getElementById('cloakroom-config')?.textContent ?? '{}';
  const { endpoint, sessionURL } = JSON.parse(text) as Partial<Config>;
  return { endpoint: endpoint || '/graphql', sessionURL: sessionURL ?? '' };
}
