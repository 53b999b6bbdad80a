// Replaces modules that the playground never uses (vite.config.ts).
export {};
