// The configuration of graphql-codegen: SCHEMA is a URL or a pattern of files, OUT a folder with a copy of operations.ts.
const scalar = (input, output = input) => ({ input, output });

export default {
  schema: process.env.SCHEMA,
  documents: [`${process.env.OUT}/operations.ts`],
  generates: {
    [`${process.env.OUT}/gql/`]: {
      preset: 'client',
      presetConfig: { persistedDocuments: true },
      config: {
        strictScalars: true,
        useTypeImports: true,
        // Every scalar of the contract's, as JSON has it.
        scalars: {
          TokenID: scalar('string'), Time: scalar('string'), URL: scalar('string'), Duration: scalar('string'),
          Int64: scalar('number'), Map: scalar('Record<string, unknown>'),
        },
      },
    },
  },
};
