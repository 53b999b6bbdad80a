// A clinic page's operations, with types that graphql-codegen generated from the clinic's schema. tsc compiles it, and clinic-run.mjs
// runs the result.
import { ClientError, GraphQLClient } from 'graphql-request';
import { graphql } from './gql/gql.js';
import type { AddPatientInput, Patient } from './gql/graphql.js';

const add = graphql(`
  mutation Add($input: AddPatientInput!) {
    addPatient(input: $input) { id name ssn }
  }
`);
const show = graphql(`
  query Show($id: ID!) {
    patient(id: $id) {
      ssn
      timeline { __typename ... on Note { author body attachments } ... on Document { title file } }
    }
  }
`);
const seen = graphql(`
  query Seen { viewer { role } }
`);

/** Adds a patient whose social security number and note are tokens, and returns them as the clinic then shows them. */
export async function story(url: string, headers: Record<string, string>, ssn: string, body: string): Promise<string[]> {
  const clinic = new GraphQLClient(url, { headers });
  const { viewer } = await clinic.request(seen);
  const role: 'DOCTOR' | 'PATIENT' | undefined = viewer?.role;
  const input: AddPatientInput = { name: 'Grace', ssn, notes: [{ body }] };
  const { addPatient } = await clinic.request(add, { input });
  const { patient } = await clinic.request(show, { id: addPatient.id });
  const shown: Patient['ssn'] = patient?.ssn;
  const tokens = (patient?.timeline ?? []).map((entry): string => (entry.__typename === 'Note' ? entry.body : entry.file));
  return [String(role), String(shown), ...tokens];
}

/** Returns the code with which the clinic refuses a patient with such a token. */
export async function refusal(url: string, headers: Record<string, string>, ssn: string): Promise<unknown> {
  try {
    await new GraphQLClient(url, { headers }).request(add, { input: { name: 'Eve', ssn } });
  } catch (failure) {
    if (failure instanceof ClientError) return failure.response.errors?.[0]?.extensions?.code;
    throw failure;
  }
  return 'accepted';
}

export function compiledOnly(clinic: GraphQLClient): void {
  // @ts-expect-error a token is a string
  void clinic.request(add, { input: { name: 'Eve', ssn: 5 } });
  // @ts-expect-error the patient is required
  void clinic.request(show, {});
}
