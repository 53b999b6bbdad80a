import icon from '../icon.svg';
import type { Session } from './session';
import { useStore } from './store';

interface Props {
  session: Session;
  onNew: () => Promise<void>;
  onRetry: () => Promise<void>;
}

export function SessionBar({ session, onNew, onRetry }: Props) {
  const state = useStore(session.state);
  return (
    <header className="bar">
      <img className="bar-icon" src={icon} alt="" width="22" height="22" />
      <h1>Cloakroom playground</h1>
      <div className="bar-status" role="status" data-testid="session-status" data-phase={state.phase}>
        {state.phase === 'signing-in' && 'Signing in…'}
        {state.phase === 'signed-in' && (
          <>
            <span className="dot" aria-hidden="true" />
            <span title={`The JWT expires at ${state.expiresAt.toLocaleTimeString()} and is renewed before`}>
              {state.fresh ? 'Signed in as a new development session' : 'Signed in as a development session'}
            </span>
            {state.kept && <span className="bar-hint">The app kept its session: log out there to get another one.</span>}
            {state.fresh && !state.kept && (
              <span className="bar-hint">It holds no grants: operations with earlier tokens fail with GRANT_REQUIRED.</span>
            )}
          </>
        )}
        {state.phase === 'failed' && (
          <>
            <span className="dot dot-bad" aria-hidden="true" />
            <span>Not signed in. {state.problem}</span>
            <span className="bar-hint">{state.advice}</span>
          </>
        )}
      </div>
      {state.phase === 'failed' && (
        <button type="button" className="action" data-testid="sign-in" onClick={() => void onRetry()}>
          Try again
        </button>
      )}
      <button
        type="button"
        className="action"
        data-testid="new-session"
        disabled={state.phase === 'signing-in'}
        title="Start another anonymous session, which has none of this session's grants"
        onClick={() => void onNew()}
      >
        New session
      </button>
    </header>
  );
}
