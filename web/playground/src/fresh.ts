// A new session begins with a new page: a reload removes the former session's data from editors, panels and memory. Only the
// fact that the page was restarted is kept.
import type { Began } from './session';

const key = 'cloakroom:new-session';
const tabs = new BroadcastChannel(key);

/** Reloads the page in this and every other tab, since they share the app's session. */
export function restart(began: Began): void {
  sessionStorage.setItem(key, began);
  tabs.postMessage(null);
  location.reload();
}

/** Returns, once, how the session began if this page was loaded by restart. */
export function restarted(): Began {
  const began = sessionStorage.getItem(key);
  sessionStorage.removeItem(key);
  return began === 'new' || began === 'kept' ? began : '';
}

/** Runs `wipe` when this page is left or another tab has restarted. A browser may keep a page that is left, for Back. */
export function onForget(wipe: () => void): void {
  addEventListener('pagehide', wipe);
  addEventListener('pageshow', (event) => {
    if (event.persisted) location.reload();
  });
  tabs.addEventListener('message', () => {
    wipe();
    sessionStorage.setItem(key, 'new');
    location.reload();
  });
}
