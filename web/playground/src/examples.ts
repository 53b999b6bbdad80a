/** A token without a value: the placeholder until there is a token. */
export const noToken = 'tok-00000000-0000-4000-8000-000000000000';

export interface Example {
  /** Operation name; GraphiQL shows it as the tab's title. */
  name: string;
  query: string;
  variables: object;
  /** Variables for the tokens of the last tokenize response, newest tokens first. */
  fill?: (tokens: string[]) => object;
}

// Each query starts with a comment of one to three lines: what it shows, and what to do next.
export const examples: Example[] = [
  {
    name: 'WhoAmI',
    variables: {},
    query: `# 1. Your identity at the gateway.
#    Press play, or Ctrl-Enter.
query WhoAmI {
  viewer {
    tenant
    subject
    sessionHash
    roles
    expiresAt
  }
}
`,
  },
  {
    name: 'Tokenize',
    variables: { input: { metadata: { filename: 'note.txt', contentType: 'text/plain' } } },
    query: `# 2. Reserve a token, and get the signed
#    request that uploads its value. Run
#    it, then enter the value on the left.
mutation Tokenize($input: TokenizeInput) {
  tokenize(input: $input) {
    token
    expiresAt
    upload {
      method
      url
      headers {
        name
        value
      }
      expiresAt
    }
  }
}
`,
  },
  {
    name: 'Detokenize',
    variables: { token: noToken },
    fill: ([token = noToken]) => ({ token }),
    query: `# 3. Get the value of the token.
#    Your session made the token, so it may.
#    A new session may not.
mutation Detokenize($token: TokenID!) {
  detokenize(token: $token) {
    token
    metadata {
      filename
      contentType
    }
    download {
      method
      url
      headers {
        name
        value
      }
      expiresAt
    }
  }
}
`,
  },
  {
    name: 'TokenizeBatch',
    variables: {
      inputs: [
        { metadata: { filename: 'name.txt', contentType: 'text/plain' } },
        { metadata: { filename: 'address.txt', contentType: 'text/plain' }, ttl: '1h' },
      ],
    },
    query: `# 4. Several tokens in one call: all or none.
mutation TokenizeBatch($inputs: [TokenizeInput!]!) {
  tokenizeBatch(inputs: $inputs) {
    token
    expiresAt
    upload {
      ...Request
    }
  }
}

fragment Request on SignedRequest {
  method
  url
  headers {
    name
    value
  }
  expiresAt
}
`,
  },
  {
    name: 'DetokenizeBatch',
    variables: { tokens: [noToken] },
    fill: (tokens) => ({ tokens: [...tokens, noToken] }),
    query: `# 5. One answer per token, in order;
#    only tokens without a grant fail.
mutation DetokenizeBatch($tokens: [TokenID!]!) {
  detokenizeBatch(tokens: $tokens) {
    __typename
    ... on DetokenizePayload {
      token
      metadata {
        filename
        contentType
      }
      download {
        method
        url
        headers {
          name
          value
        }
        expiresAt
      }
    }
    ... on TokenFailure {
      token
      code
      message
    }
  }
}
`,
  },
  {
    name: 'TokenMetadata',
    variables: { id: noToken },
    fill: ([id = noToken]) => ({ id }),
    query: `# 6. The gateway's data about a token.
#    It never sees the value.
query TokenMetadata($id: TokenID!) {
  token(id: $id) {
    id
    createdAt
    expiresAt
    metadata {
      filename
      contentType
      lastModified
      custom
    }
  }
}
`,
  },
];

export const json = (value: object): string =>
  Object.keys(value).length === 0 ? '' : JSON.stringify(value, null, 2);
