// A page's operations with graphql-codegen's types, and uses that the types have to allow or refuse. tsc compiles it; it is never run.
import { request } from 'graphql-request';
import { graphql } from './gql/gql.js';
import type { DetokenizeResult, ErrorCode, TokenizeInput } from './gql/graphql.js';

const hand = graphql(`
  mutation Hand($input: TokenizeInput) {
    tokenize(input: $input) { token expiresAt upload { method url headers { name value } expiresAt } }
  }
`);
const redeem = graphql(`
  mutation RedeemAll($tokens: [TokenID!]!) {
    detokenizeBatch(tokens: $tokens) {
      ... on DetokenizePayload { token download { url } metadata { custom } }
      ... on TokenFailure { token code }
    }
  }
`);

export async function use(url: string): Promise<string> {
  const input: TokenizeInput = { size: 3_000_000_000, metadata: { contentType: 'text/plain' } };
  const { tokenize } = await request(url, hand, { input });
  const token: string = tokenize.token;
  // @ts-expect-error a size is not a string
  await request(url, hand, { input: { size: '5' } });
  // @ts-expect-error tokens are required
  await request(url, redeem, {});
  const { detokenizeBatch } = await request(url, redeem, { tokens: [token] });
  const kind: DetokenizeResult['__typename'] = 'TokenFailure';
  const codes: ErrorCode[] = ['GRANT_REQUIRED' as ErrorCode];
  return `${kind} ${codes.length} ${detokenizeBatch.length}`;
}
