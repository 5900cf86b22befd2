// What every page of a station listens to: what is wrong with it stands at the top, in the service's own sentences.

import { ofStation } from "./api.js";
import { banner, data } from "./dom.js";
import { listen } from "./events.js";

/** What is known of the station: said at the top, whatever page it is. */
export function sayStation(station) {
  banner("problem", station.problem, true);
  banner("drift", station.drift);
}

/** more: handlers of the page besides, see `listen`. */
export function watchStation(more = {}) {
  const both = (kind, first) => (...given) => {
    first(...given);
    more[kind]?.(...given);
  };
  sayStation(data.station);
  listen(ofStation(data.station.name, "/events"), {
    ...more,
    station: both("station", sayStation),
    drift: both("drift", (drift) => banner("drift", drift.sentence ?? drift)),
    source: both("source", (source) => banner(`source ${source.name}`, source.state === "ok" ? null : source.sentence, true)),
    history: both("history", (history) => banner("history", history.state === "ok" ? null : history.sentence, true)),
  });
}
