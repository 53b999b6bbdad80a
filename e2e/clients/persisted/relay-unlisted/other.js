// What the page never asks, and the list does not have.
import { graphql } from 'relay-runtime';

graphql`
  query otherWhoQuery { viewer { tenant sessionHash } }
`;
