// All stations: their cards follow what happens.

import { $, $$, data, kindOf, shape, WORDS } from "./dom.js";
import { listen } from "./events.js";

const card = (name) => $$("[data-station]").find((each) => each.dataset.station === name);

function showCounts(station) {
  const here = card(station.name);
  if (!here) return location.reload(); // a new one
  for (const node of $$(".count", here)) {
    const kind = node.dataset.verdict;
    $("b", node).textContent = station.today[kind];
    node.hidden = (kind === "failed" || kind === "none") && !station.today[kind];
  }
}

const stations = new Map(data.stations.map((each) => [each.name, each]));
listen({
  result(item) {
    const station = stations.get(item.station);
    if (!station) return;
    station.today[kindOf(item)] += 1;
    showCounts(station);
    const tag = $(".tag", card(item.station));
    if (!tag) return;
    tag.dataset.verdict = kindOf(item);
    tag.replaceChildren(shape(kindOf(item)), WORDS[kindOf(item)]);
  },
  station(station) {
    const { problem, drift, paused } = stations.get(station.name) ?? {};
    if (problem !== station.problem || drift !== station.drift || paused !== station.paused) return location.reload();
    stations.set(station.name, station);
    showCounts(station);
  },
  reset: () => location.reload(),
});
