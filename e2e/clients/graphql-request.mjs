import { ClientError, GraphQLClient } from 'graphql-request';
import { story } from './flow.mjs';

const ask = ({ url, headers }, operation, variables) => new GraphQLClient(url, { headers }).request(operation, variables);

await story(ask, (failure) => failure instanceof ClientError && failure.response.errors[0].extensions.code);
