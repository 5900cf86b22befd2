// The one stream of events of a page. The browser connects again by itself and says which event it saw last, so that none is missed.

import { $, banner, data as begun } from "./dom.js";

function shown(state, words) {
  const node = $("#link");
  if (!node || node.dataset.state === state) return;
  node.dataset.state = state;
  $("span", node).textContent = words;
  // A verdict that is not of now must not look like one.
  document.documentElement.dataset.link = state;
  banner("link", state === "lost" ? "There is no connection to the service: what stands here may be old." : null, true);
}

/**
 * handlers: by kind, each called with (data, station). "reset": events were missed, read everything again.
 */
export function listen(handlers) {
  let source;
  let last = begun.last; // what happens between the making of the page and the opening of the stream is sent, too
  const open = () => {
    source = new EventSource(`/api/events?last=${last}`);
    source.addEventListener("open", () => shown("live", "live"));
    source.addEventListener("error", () => {
      shown("lost", "no connection");
      if (source.readyState === EventSource.CLOSED) setTimeout(open, 3000); // refused, and not tried again by itself
    });
    source.addEventListener("message", (event) => {
      last = event.lastEventId;
      const { kind, data, station } = JSON.parse(event.data);
      handlers[kind]?.(data, station);
    });
  };
  open();
  addEventListener("pagehide", () => source.close()); // a browser has six connections for all tabs together
  addEventListener("pageshow", (event) => {
    if (event.persisted) {
      open();
      handlers.reset?.();
    }
  });
}
