// The one stream of events of all pages of a browser: it has six connections for all of them together, and pages that held one each
// would leave none for what they ask. A shared worker runs this; where a browser has none, the page does.

const BEAT_MS = 5000;
const KEPT = 1000; // events, for pages that come later

/** Tell of what happens after the event `last`, and at times of nothing, as a sign of life. Returns what ends it. */
export function follow(last, tell) {
  let source;
  let again;
  const open = () => {
    source = new EventSource(`/api/events?last=${last}`); // it connects again by itself and says which event it saw last
    source.onopen = () => tell({ state: "live" });
    source.onerror = () => {
      tell({ state: "lost" });
      if (source.readyState === EventSource.CLOSED) again = setTimeout(open, 3000); // refused, and not tried again by itself
    };
    source.onmessage = ({ data }) => {
      const event = JSON.parse(data);
      last = event.id;
      tell({ events: [event] });
    };
  };
  const beat = setInterval(() => tell({}), BEAT_MS);
  open();
  return () => {
    [beat, again].forEach(clearTimeout);
    source.close();
  };
}

/** The worker: a page says the number of the last event that it has, and what it lacks is told to all, as all later ones are. */
function share() {
  const channel = new BroadcastChannel("oddlens");
  const kept = [];
  let state;
  let from = null; // what happened up to this event is not known here
  const tell = (news) => {
    state = news.state ?? state;
    kept.push(...(news.events ?? []));
    if (kept.length > KEPT) from = kept.shift().id;
    channel.postMessage(news);
  };
  globalThis.onconnect = ({ ports: [port] }) => {
    port.onmessage = ({ data: last }) => {
      if (from == null) follow((from = last), tell);
      else channel.postMessage({ state, from, events: kept.filter((each) => each.id > last) });
    };
  };
}

if ("SharedWorkerGlobalScope" in globalThis) share();
