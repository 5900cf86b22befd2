// All stations: their cards follow what happens.

import { get } from "./api.js";
import { $, $$, countsIn, data, kindOf, shape, soon, WORDS } from "./dom.js";
import { listen } from "./events.js";

const card = (name) => $$("[data-station]").find((each) => each.dataset.station === name);

const stations = new Map(data.stations.map((each) => [each.name, each]));

function show(station) {
  const here = card(station.name); // none of a new one
  const { problem, drift, paused } = stations.get(station.name) ?? {};
  if (!here || problem !== station.problem || drift !== station.drift || paused !== station.paused) return location.reload();
  stations.set(station.name, station);
  countsIn(here, station.today);
}

const count = soon(async () => (await get("/api/stations")).forEach(show));

listen({
  result(item) {
    count();
    const tag = card(item.station) && $(".tag", card(item.station));
    if (!tag) return;
    tag.dataset.verdict = kindOf(item);
    tag.replaceChildren(shape(kindOf(item)), WORDS[kindOf(item)]);
  },
  station: show,
  reset: () => location.reload(),
});
