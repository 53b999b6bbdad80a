import { DOC_EXPLORER_PLUGIN } from '@graphiql/plugin-doc-explorer';
import { HISTORY_PLUGIN } from '@graphiql/plugin-history';
import { type GraphiQLPlugin, pick, useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import { GraphiQL } from 'graphiql';
import { useEffect, useMemo, useState } from 'react';
import type { Config } from './config';
import { examples, json } from './examples';
import { createFetcher } from './fetcher';
import { restart, restarted } from './fresh';
import { PanelBoundary, VaultContext, VaultPanel } from './panel';
import { Session } from './session';
import { SessionBar } from './session-bar';
import { memoryStorage } from './storage';
import { useStore } from './store';
import { useTabs } from './tabs';
import { Vault } from './vault';

const vaultPlugin: GraphiQLPlugin = {
  title: 'Vault',
  icon: () => (
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.6" aria-hidden="true">
      <rect x="4" y="10" width="16" height="11" rx="2" />
      <path d="M8 10V7a4 4 0 0 1 8 0v3M12 14.500v2.500" strokeLinecap="round" />
    </svg>
  ),
  content: () => (
    <PanelBoundary>
      <VaultPanel />
    </PanelBoundary>
  ),
};
const plugins = [HISTORY_PLUGIN, vaultPlugin];
const tabs = examples.map(({ query, variables }) => ({ query, variables: json(variables) }));
const codeFont = 'ui-monospace, "Cascadia Code", Menlo, Consolas, "DejaVu Sans Mono", monospace';

export function App({ config }: { config: Config }) {
  const { session, vault, storage, fetcher } = useMemo(() => {
    const session = new Session(config.sessionURL, restarted());
    const vault = new Vault();
    const fetcher = createFetcher(config.endpoint, session, vault.observe);
    void session.signIn();
    return { session, vault, storage: memoryStorage(), fetcher };
  }, [config]);
  // The former session's page is left at once, before the app answers; see fresh.ts.
  const [ended, setEnded] = useState(false);
  const startNew = async () => {
    setEnded(true);
    await session.startNew();
    const now = session.state.get();
    if (now.phase === 'signed-in') restart(now.kept ? 'kept' : 'new');
  };
  const bar = <SessionBar session={session} onNew={startNew} onRetry={ended ? startNew : () => session.signIn()} />;
  if (ended) return bar;
  return (
    <VaultContext value={vault}>
      {bar}
      <main>
        <GraphiQL
          fetcher={fetcher}
          storage={storage}
          shouldPersistHeaders={false}
          showPersistHeadersSettings={false}
          plugins={plugins}
          referencePlugin={DOC_EXPLORER_PLUGIN}
          visiblePlugin={vaultPlugin}
          defaultTabs={tabs}
          defaultEditorToolsVisibility="variables"
          inputValueDeprecation
          schemaDescription
        >
          <GraphiQL.Logo>
            <span />
          </GraphiQL.Logo>
          <GraphiQL.Footer>
            <Companion vault={vault} />
          </GraphiQL.Footer>
        </GraphiQL>
      </main>
    </VaultContext>
  );
}

/** Is mounted inside GraphiQL while any panel is open. */
function Companion({ vault }: { vault: Vault }) {
  const { queryEditor, variableEditor, headerEditor, responseEditor, operationName } = useGraphiQL(
    pick('queryEditor', 'variableEditor', 'headerEditor', 'responseEditor', 'operationName'),
  );
  const { setVisiblePlugin } = useGraphiQLActions();
  const { transfers, answers } = useStore(vault.state);
  const first = transfers[0]?.id;
  useTabs(vault);
  useEffect(() => {
    if (first !== undefined) setVisiblePlugin(vaultPlugin);
  }, [first, setVisiblePlugin]);
  useEffect(() => {
    for (const editor of [queryEditor, variableEditor, headerEditor, responseEditor]) {
      editor?.updateOptions({ fontFamily: codeFont, fontSize: 13, wordWrap: 'on' });
    }
  }, [queryEditor, variableEditor, headerEditor, responseEditor]);
  return (
    <div data-testid="editor-state" data-operation={operationName} data-answers={answers}>
      <a className="licences" href="./THIRD_PARTY_LICENSES.txt" target="_blank" rel="noreferrer">
        Licences
      </a>
    </div>
  );
}
