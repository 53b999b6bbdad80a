// Bundles the client into one minified module, for pages without a bundler. Its size is checked by size.mjs.
import { defineConfig } from 'vite';

export default defineConfig({
  build: {
    target: 'es2022',
    emptyOutDir: false,
    reportCompressedSize: false,
    minify: 'oxc',
    lib: { entry: 'dist/index.js', formats: ['es'], fileName: () => 'cloakroom.min.js' },
    rolldownOptions: { output: { minify: true } },
  },
});
