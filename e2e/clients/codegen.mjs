// The configuration of graphql-codegen: SCHEMA is a URL, or patterns of files with commas between; OUT a folder with a copy of the
// sources that have operations. The clinic's scalars are among the gateway's.
const scalar = (input, output = input) => ({ input, output });

export default {
  schema: process.env.SCHEMA.split(','),
  documents: [`${process.env.OUT}/*.ts`],
  emitLegacyCommonJSImports: false, // imports end in .js, as Node wants them
  generates: {
    [`${process.env.OUT}/gql/`]: {
      preset: 'client',
      presetConfig: { persistedDocuments: true },
      config: {
        strictScalars: true,
        useTypeImports: true,
        // Every scalar of the contract, with its type in JSON.
        scalars: {
          TokenID: scalar('string'), Time: scalar('string'), URL: scalar('string'), Duration: scalar('string'),
          Int64: scalar('number'), Base64: scalar('string'), Map: scalar('Record<string, unknown>'),
        },
      },
    },
  },
};
