// A router (npm @apollo/gateway behind @apollo/server) on loopback, for tests, in front of the subgraphs in its
// arguments. It passes on the client's cookie, which has the client's session.
//
//	node router.mjs notes=http://127.0.0.1:1/graphql ...   prints {"url": "http://127.0.0.1:PORT/"} when it listens
//
// It ends with its standard input.
import { ApolloGateway, IntrospectAndCompose, RemoteGraphQLDataSource } from '@apollo/gateway';
import { ApolloServer } from '@apollo/server';
import { startStandaloneServer } from '@apollo/server/standalone';

const subgraphs = process.argv.slice(2).map((argument) => {
  const [name, url] = argument.split(/=(.*)/s);
  return { name, url };
});

class Subgraph extends RemoteGraphQLDataSource {
  willSendRequest({ request, context }) {
    if (context.cookie) request.http.headers.set('cookie', context.cookie);
  }
}

const gateway = new ApolloGateway({
  supergraphSdl: new IntrospectAndCompose({ subgraphs }),
  buildService: ({ url }) => new Subgraph({ url }),
});
const server = new ApolloServer({ gateway, csrfPrevention: false, logger: { debug() {}, info() {}, warn() {}, error: console.error } });
const { url } = await startStandaloneServer(server, {
  listen: { host: '127.0.0.1', port: 0 },
  context: async ({ req }) => ({ cookie: req.headers.cookie }),
});
console.log(JSON.stringify({ url }));
process.stdin.resume().on('end', () => process.exit());
