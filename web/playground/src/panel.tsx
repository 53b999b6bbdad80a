// The Vault panel: moves values between this browser and the object store.
import { Component, createContext, type ReactNode, use, useState } from 'react';
import { useStore } from './store';
import { useTabs } from './tabs';
import { type Transfer, type Vault, headerOf } from './vault';
import { ValueView } from './value-view';
import { formatSize } from './transfer';

export const VaultContext = createContext<Vault | null>(null);

export function VaultPanel() {
  const vault = use(VaultContext)!;
  const { transfers, codes } = useStore(vault.state);
  const steer = useTabs(vault);
  return (
    <section className="vault" aria-label="Vault" data-testid="vault">
      <h2>Vault</h2>
      {codes.map((code, i) => (
        <Refusal key={i} code={code} />
      ))}
      {transfers.length === 0 ? (
        <Guide />
      ) : (
        transfers.map((transfer) => (
          <article className="card" key={transfer.id} data-testid={transfer.kind} data-phase={transfer.state.phase}>
            <Title transfer={transfer} />
            {transfer.kind === 'upload' ? (
              <Upload transfer={transfer} vault={vault} steer={steer} />
            ) : (
              <Download transfer={transfer} vault={vault} />
            )}
            <Failure transfer={transfer} />
          </article>
        ))
      )}
    </section>
  );
}

const meanings: Record<string, string> = {
  GRANT_REQUIRED:
    'This session holds no grant for the token. It gets one by making the token, or when an application returns the token in a field with @token.',
  UNAUTHENTICATED: 'The request has no session: sign in above.',
};

function Refusal({ code }: { code: string }) {
  const meaning = meanings[code];
  if (!meaning) return null;
  return (
    <p className="notice" role="status" data-testid="refusal" data-code={code}>
      <b>{code}</b> {meaning}
    </p>
  );
}

function Guide() {
  return (
    <div className="guide">
      <p>Values are sent between your browser and the object store; the gateway never gets them.</p>
      <ol>
        <li>
          Run <b>Tokenize</b>: a field for the value appears here.
        </li>
        <li>Upload a text or a file.</li>
        <li>
          Run <b>Detokenize</b>: its value can be fetched here.
        </li>
        <li>
          Copy the token, press <b>New session</b> and run Detokenize with it: the grant is missing.
        </li>
      </ol>
    </div>
  );
}

function Title({ transfer: { kind, token, filename, contentType, request } }: { transfer: Transfer }) {
  return (
    <>
      <h3>{kind === 'upload' ? 'Upload a value' : 'Download the value'}</h3>
      <p className="facts">
        {token && <code data-testid="token">{token}</code>}
        <span>{[filename, contentType].filter(Boolean).join(' · ')}</span>
        <span>
          {request.method} {new URL(request.url).origin}
        </span>
      </p>
    </>
  );
}

interface UploadProps {
  transfer: Transfer;
  vault: Vault;
  steer: ReturnType<typeof useTabs>;
}

function Upload({ transfer, vault, steer }: UploadProps) {
  const [text, setText] = useState('');
  const [file, setFile] = useState<File | null>(transfer.file ?? null);
  const { id, token, state, request } = transfer;
  if (state.phase === 'stored') {
    return (
      <div className="done" role="status" data-testid="upload-done">
        <p>Stored {formatSize(state.size)}. The token now represents the value.</p>
        <button type="button" className="action primary" data-testid="use-token" onClick={() => steer.useToken(token)}>
          Use in Detokenize
        </button>
      </div>
    );
  }
  const signedType = headerOf(request, 'content-type');
  const otherType = file?.type && signedType && file.type !== signedType.split(';')[0];
  const busy = state.phase === 'busy';
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void vault.upload(id, file ?? new Blob([text]));
      }}
    >
      <label>
        Text
        <textarea
          data-testid="upload-text"
          rows={4}
          value={text}
          disabled={busy || file !== null}
          placeholder="The sensitive value"
          autoComplete="off"
          spellCheck={false}
          onChange={(event) => setText(event.target.value)}
        />
      </label>
      <label>
        or a file
        <input
          type="file"
          data-testid="upload-file"
          disabled={busy}
          onChange={(event) => setFile(event.target.files?.[0] ?? null)}
        />
      </label>
      {file && file === transfer.file && <p className="facts">Chosen: {file.name}</p>}
      {otherType && (
        <p className="notice" data-testid="type-notice">
          The request is signed for <b>{signedType}</b>, and the file is <b>{file.type}</b>.{' '}
          <button
            type="button"
            className="link"
            data-testid="tokenize-file"
            onClick={() => steer.tokenizeFile(file)}
          >
            Tokenize again for this file
          </button>
        </p>
      )}
      <button
        type="submit"
        className="action primary"
        data-testid="upload-send"
        disabled={busy || (file === null && text === '')}
      >
        {busy ? 'Uploading…' : file ? `Upload ${formatSize(file.size)}` : 'Upload text'}
      </button>
    </form>
  );
}

function Download({ transfer, vault }: { transfer: Transfer; vault: Vault }) {
  const { id, state, filename } = transfer;
  if (state.phase === 'shown') {
    return <ValueView value={state.value} filename={filename} onHide={() => vault.reset(id)} />;
  }
  const busy = state.phase === 'busy';
  return (
    <button
      type="button"
      className="action primary"
      data-testid="download-get"
      disabled={busy}
      onClick={() => void vault.download(id)}
    >
      {busy ? 'Downloading…' : 'Show the value'}
    </button>
  );
}

function Failure({ transfer: { state } }: { transfer: Transfer }) {
  if (state.phase !== 'failed') return null;
  return (
    <p className="failure" role="alert" data-testid="transfer-error" data-code={state.error.code}>
      {state.error.message} {state.error.advice}
    </p>
  );
}

/** Catches an error in the panel, so that the editor stays usable. */
export class PanelBoundary extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  override render() {
    return this.state.failed ? <p role="alert">The panel failed; reload the page.</p> : this.props.children;
  }
}
