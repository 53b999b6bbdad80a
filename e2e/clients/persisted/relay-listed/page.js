// A page's operations, where relay-compiler finds them; the scripts use its output.
import { graphql } from 'relay-runtime';

graphql`
  fragment page_roles on Viewer { roles }
`;
graphql`
  query pageWhoQuery { viewer { tenant ...page_roles } }
`;
graphql`
  mutation pageMakeMutation($input: TokenizeInput!) { tokenize(input: $input) { token upload { method url headers { name value } } } }
`;
