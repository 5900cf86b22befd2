// What happens, as a page hears it: from the one stream of all pages of the browser.

import { $, banner, data as begun } from "./dom.js";
import { follow } from "./stream.js";

const SILENT_MS = 15_000; // the stream gives signs of life more often than that
let stream; // "live" or "lost"
let answered = true;

function show() {
  const words = stream === "lost" ? "no connection" : answered ? "live" : "no answer";
  const node = $("#link");
  if (!node || !stream || $("span", node).textContent === words) return;
  $("span", node).textContent = words;
  // A verdict that is not of now must not look like one.
  document.documentElement.dataset.link = node.dataset.state = words === "live" ? "live" : "lost";
  banner("link", words === "live" ? null : `There is ${words} ${answered ? "to" : "of"} the service: what stands here may be old.`, true);
}

addEventListener("answered", ({ detail }) => {
  answered = detail;
  show();
});

/**
 * handlers: by kind, each called with (data, station). "reset": events were missed, read everything again.
 */
export function listen(handlers) {
  let { last } = begun; // what happens between the making of the page and the opening of the stream is sent, too
  let heard;
  let close;
  const hear = ({ state = stream, from = last, events = [] }) => {
    heard = performance.now();
    answered ||= state === "live" && stream !== "live";
    stream = state;
    show();
    if (from > last) {
      last = from;
      handlers.reset?.();
    }
    for (const { id, kind, data, station } of events) {
      if (id <= last) continue; // it was told for another page
      last = id;
      handlers[kind]?.(data, station);
    }
  };
  const begin = () => {
    heard = performance.now();
    if (globalThis.SharedWorker) return new SharedWorker("/static/stream.js", { type: "module", name: "oddlens" }).port.postMessage(last);
    close?.();
    close = document.hidden ? null : follow(last, hear); // the page holds a connection while it is seen
  };
  new BroadcastChannel("oddlens").onmessage = ({ data }) => hear(data);
  begin();
  document.addEventListener("visibilitychange", begin);
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    begin();
    handlers.reset?.();
  });
  setInterval(() => {
    if (document.hidden || performance.now() - heard < SILENT_MS) return;
    hear({ state: "lost" });
    begin(); // another one, where it died
  }, SILENT_MS / 3);
}
