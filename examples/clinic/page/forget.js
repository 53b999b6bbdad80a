// Nothing of a session stays on the screen after it. Browsers keep a page that is left as it was, for Back (the
// back/forward cache, which Cache-Control does not always prevent), and another tab may log in or out meanwhile.

const tabs = new BroadcastChannel("clinic-viewer");

export const forget = () => document.body.replaceChildren();

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
