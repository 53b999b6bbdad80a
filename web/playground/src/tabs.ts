// Controls GraphiQL's tabs: fills tokens into variables, opens an example, requests an upload.
import { pick, useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import { useCallback, useEffect, useRef } from 'react';
import { examples, json } from './examples';
import { useStore } from './store';
import type { Vault } from './vault';

const exampleOf = (name: string | undefined) => examples.find((e) => e.name === name);

/** The text that was last written into each example's variables; a different text is the user's own and is kept. */
const written = new Map<string, string>(examples.map((e) => [e.name, json(e.variables)]));

export function useTabs(vault: Vault) {
  const { tabs, activeTabIndex, operationName, variableEditor, queryEditor } = useGraphiQL(
    pick('tabs', 'activeTabIndex', 'operationName', 'variableEditor', 'queryEditor'),
  );
  const { addTab, changeTab, run } = useGraphiQLActions();
  const { tokens } = useStore(vault.state);
  const title = tabs[activeTabIndex]?.title;
  const afterSwitch = useRef<(() => void) | undefined>(undefined);

  const write = useCallback(
    (name: string, variables: object) => {
      const text = json(variables);
      written.set(name, text);
      if (variableEditor && variableEditor.getValue() !== text) variableEditor.setValue(text);
    },
    [variableEditor],
  );

  useEffect(() => {
    const example = exampleOf(title);
    if (!variableEditor || !example) return;
    const untouched = variableEditor.getValue() === written.get(example.name);
    if (example.fill && tokens.length > 0 && untouched) write(example.name, example.fill(tokens));
    // GraphiQL parses a tab's operation after a short delay, and runs the operation that it parsed last.
    if (operationName !== title) return;
    const next = afterSwitch.current;
    afterSwitch.current = undefined;
    next?.();
  }, [title, operationName, activeTabIndex, tokens, variableEditor, write]);

  /** Shows the example's tab, opening it again if it was closed, and then calls `then`. */
  const open = useCallback(
    (name: string, then: () => void) => {
      const index = tabs.findIndex((tab) => tab.title === name);
      if (title === name) {
        then();
        return;
      }
      afterSwitch.current = then;
      if (index >= 0) {
        changeTab(index);
        return;
      }
      addTab();
      queryEditor?.setValue(exampleOf(name)?.query ?? '');
    },
    [addTab, changeTab, queryEditor, tabs, title],
  );

  return {
    useToken: (token: string) => open('Detokenize', () => write('Detokenize', { token })),
    /** Runs Tokenize for one file, so that its type and size are signed. */
    tokenizeFile: (file: File) =>
      open('Tokenize', () => {
        const metadata = { filename: file.name, contentType: file.type || 'application/octet-stream' };
        write('Tokenize', { input: { metadata, size: file.size } });
        vault.nextFile = file;
        void run();
      }),
  };
}
