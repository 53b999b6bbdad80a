// An operation that the page never sends, and that is not listed.
import { graphql } from 'relay-runtime';

graphql`
  query otherWhoQuery { viewer { tenant sessionHash } }
`;
