// A new session begins with a new page: a reload leaves nothing of the former one in editors, panels or memory. All that is
// kept across it is that there was one.
const key = 'cloakroom:new-session';
const tabs = new BroadcastChannel(key);

/** Loads the page again, and every other tab of it: they are the same session of the app. */
export function restart(): void {
  sessionStorage.setItem(key, 'yes');
  tabs.postMessage(null);
  location.reload();
}

/** Whether this page was loaded by restart; says so once. */
export function restarted(): boolean {
  const yes = sessionStorage.getItem(key) !== null;
  sessionStorage.removeItem(key);
  return yes;
}

/** Runs `wipe` when this page is left or another tab has restarted. A browser may keep a page that is left, for Back. */
export function onForget(wipe: () => void): void {
  addEventListener('pagehide', wipe);
  addEventListener('pageshow', (event) => {
    if (event.persisted) location.reload();
  });
  tabs.addEventListener('message', () => {
    wipe();
    sessionStorage.setItem(key, 'yes');
    location.reload();
  });
}
