// GraphiQL writes tabs, variables and history to localStorage. They can hold tokens, so here they are kept only in
// the page's memory; only the colour theme is stored.
import type { ComponentProps } from 'react';
import type { GraphiQLProvider } from '@graphiql/react';

type Storage = NonNullable<ComponentProps<typeof GraphiQLProvider>['storage']>;

const kept = new Set(['graphiql:theme']);

export function memoryStorage(): Storage {
  const memory = new Map<string, string>();
  return {
    get length() {
      return memory.size;
    },
    getItem: (key) => (kept.has(key) ? localStorage.getItem(key) : (memory.get(key) ?? null)),
    setItem(key, value) {
      if (kept.has(key)) localStorage.setItem(key, value);
      else memory.set(key, value);
    },
    removeItem(key) {
      if (kept.has(key)) localStorage.removeItem(key);
      else memory.delete(key);
    },
    clear() {
      memory.clear();
      for (const key of kept) localStorage.removeItem(key);
    },
  };
}
