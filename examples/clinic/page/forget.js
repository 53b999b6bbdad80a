// Nothing of a session stays on the screen after it. Browsers keep a page that is left as it was, for Back (the
// back/forward cache, which Cache-Control does not always prevent), and another tab may log in or out meanwhile.

const tabs = new BroadcastChannel("clinic-viewer");

let left = false;

// leaving says that the page is on its way out: work that is under way will not find what it was to be shown in, and that
// is no error.
export function leaving() {
  if (!left) addEventListener("unhandledrejection", (event) => event.preventDefault());
  left = true;
}

export function forget() {
  leaving();
  document.body.replaceChildren();
}

addEventListener("pagehide", forget);
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

// isViewedBy tells the other tabs who is logged in, null for nobody; a tab that shows somebody else's page loads it again.
export function isViewedBy(viewer) {
  tabs.onmessage = ({ data }) => {
    if (data === viewer) return;
    forget();
    location.reload();
  };
  tabs.postMessage(viewer);
}
