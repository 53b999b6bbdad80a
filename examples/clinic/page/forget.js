// Removes a session's data from the screen after its end. Browsers keep a page that is left unchanged, for Back (the
// back/forward cache, which Cache-Control does not always prevent), and another tab may log in or out meanwhile.

const tabs = new BroadcastChannel("clinic-viewer");

let left = false;

// leaving is true when the page is being left: then running work may miss the elements for its result, which is not
// an error.
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

// isViewedBy tells the other tabs which user is logged in, null for none; a tab with another user's page reloads it.
export function isViewedBy(viewer) {
  tabs.onmessage = ({ data }) => {
    if (data === viewer) return;
    forget();
    location.reload();
  };
  tabs.postMessage(viewer);
}
