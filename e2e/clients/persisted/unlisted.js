// Operations that the page never sends, and that are not in the manifest. The second has the name of a listed one.
import { gql } from '@apollo/client';

export const other = gql`
  query Other { viewer { tenant sessionHash } }
`;
export const disguised = gql`
  query Who { viewer { tenant sessionHash } }
`;
