// What every page of a station listens to: what is wrong with it stands at the top, in the service's own sentences.

import { banner, data } from "./dom.js";
import { listen } from "./events.js";

/** What is known of the station: said at the top, whatever page it is. */
function sayStation(station) {
  banner("problem", station.problem, true);
  banner("drift", station.drift);
  banner("caution", station.caution);
  for (const each of station.lost ?? []) saySource(each);
}

const saySource = ({ name, state, sentence }) => banner(`source ${name}`, state === "ok" ? null : sentence, true);

/** more: handlers of the page besides, see `listen`. They hear of this station, and of what concerns all. */
export function watchStation(more = {}) {
  const own = {
    station: sayStation,
    drift: ({ sentence }) => banner("drift", sentence),
    source: saySource,
    history: ({ ok, sentence }) => banner("history", ok ? null : sentence, true),
  };
  const handlers = {};
  for (const kind of new Set([...Object.keys(own), ...Object.keys(more)])) {
    handlers[kind] = (news, station) => {
      if (station != null && station !== data.station.name) return;
      own[kind]?.(news);
      more[kind]?.(news);
    };
  }
  sayStation(data.station);
  listen(handlers);
}
