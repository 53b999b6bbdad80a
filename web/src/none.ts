// Stands in for modules that the playground never reaches (vite.config.ts).
export {};
