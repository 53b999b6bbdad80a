// A page's operations, which generate-persisted-query-manifest lists.
import { gql } from '@apollo/client';

const roles = gql`
  fragment Roles on Viewer { roles }
`;
export const who = gql`
  query Who { viewer { tenant ...Roles } }
  ${roles}
`;
export const make = gql`
  mutation Make($input: TokenizeInput!) { tokenize(input: $input) { token upload { method url headers { name value } } } }
`;
