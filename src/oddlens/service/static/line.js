// The line: the newest image large, its verdict as a lamp, the last ten, and how today went.

import { briefly, get, ofStation, patch, images, post, query } from "./api.js";
import { $, banner, clock, counted, countsIn, data, doing, el, fileName, kindOf, limits, number, otherSize, percent, shape, showImage, showWords, soon, tile, toast, UNKNOWN, WORDS } from "./dom.js";
import { dropped, fileField } from "./drop.js";
import { gauge } from "./gauge.js";
import { key } from "./keys.js";
import { watchStation } from "./status.js";

const LAST = 10;
const AT_ONCE = 4;
const REST_MS = 150;
let station = data.station;
let latest = data.latest; // newest first
let chosen = null; // an earlier one that a person looks at; null: the newest
let heat = true;
let tiles = new Map(); // by item
let resting = false;
let stale = false;

const later = (one, other) => other.time.localeCompare(one.time) || other.id - one.id;
const path = (rest = "") => ofStation(station.name, rest);

function showLamp(item) {
  const kind = item ? kindOf(item) : "none";
  const light = $("#light");
  light.dataset.verdict = kind;
  if (!item) delete light.dataset.verdict;
  const word = $("#word");
  word.textContent = item ? WORDS[kind] : "–";
  word.dataset.long = kind === "none" && item ? "very" : kind === "review" || kind === "failed";
  $(".shape", light).replaceWith(shape(kind));
  $("#about").replaceChildren(...(item ? about(item) : []));
}

function about(item) {
  const names = (item.regions ?? []).flatMap((region) => (region.names ?? []).slice(0, 1)).map(([name]) => name);
  const named = names.filter((name) => name !== UNKNOWN);
  return [
    item.error ? el("p", {}, item.error) : el("p", { class: "number" }, el("b", {}, number(item.score)), " ", el("span", { class: "quiet" }, limits(item.thresholds))),
    !item.error && item.thresholds?.image != null && gauge(item),
    ...[otherSize(item.width, item.height), item.concern].filter(Boolean).map((words) => el("p", {}, words)),
    names.length > 0 && el("p", {}, named.length ? `May be: ${[...new Set(named)].join(", ")}` : "It looks like none of the named defects."),
    el("p", { class: "quiet" }, fileName(item.source), " · ", clock(item.time)),
  ].filter(Boolean);
}

function showStage(item) {
  const stage = $("#stage");
  if (!item) return showWords(stage, `Nothing is inspected yet. Drop images here, send them to ${path("/inspect")}, or start the service with --watch ${/^[\w.-]+$/.test(station.name) ? `FOLDER=${station.name}` : `"FOLDER=${station.name}"`}.`);
  if (item.error) return showWords(stage, item.error);
  return showImage(stage, heat ? item.links.overlay : item.links.image, `${WORDS[kindOf(item)]}: ${fileName(item.source)}`);
}

function showCounts() {
  const today = station.today;
  countsIn($("#counts"), today);
  const all = today.ok + today.review + today.ng;
  const waits = station.queue ? `, ${station.queue} waiting` : "";
  $("#rate").textContent = (all ? `Today ${counted(all, "image")}: ${percent(today.ng / all)} NG, ${percent(today.review / all)} review` : "Nothing yet today") + waits;
}

function showPaused() {
  const button = $("#pause");
  button.setAttribute("aria-pressed", station.paused);
  button.firstChild.textContent = station.paused ? "Go on " : "Pause ";
  banner("paused", station.paused ? "This station is paused: nothing is inspected until it goes on." : null);
}

/** Show what has changed, some times a second at most: a fast line must make neither the page nor the service slow. */
function refresh() {
  stale = true;
  if (resting) return;
  resting = true;
  requestAnimationFrame(paint);
  setTimeout(() => {
    resting = false;
    if (stale) refresh();
  }, REST_MS);
}

function paint() {
  stale = false;
  const item = chosen ?? latest[0];
  showLamp(item);
  showCounts();
  // A tile that stays keeps its element, so that its thumbnail is not asked for again.
  tiles = new Map(latest.map((each) => [each, tiles.get(each) ?? el("li", {}, tile(each, () => choose(each)))]));
  for (const [each, { firstChild: button }] of tiles) {
    if (each.id === item.id) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
  $("#strip").replaceChildren(...tiles.values());
  $("#live").hidden = !chosen;
  if (item && !chosen) $("#spoken").textContent = `${WORDS[kindOf(item)]}, ${item.error ?? `score ${number(item.score)}`}, ${fileName(item.source)}`;
  showStage(item);
}

function choose(item) {
  chosen = item && item.id !== latest[0]?.id ? item : null;
  refresh();
}

function step(by) {
  const at = latest.findIndex((each) => each.id === (chosen ?? latest[0])?.id);
  choose(latest[Math.min(latest.length - 1, Math.max(0, at + by))]);
}

async function again() {
  station = (await briefly(station.name)) ?? station;
  latest = (await get(`/api/results${query({ station: station.name, limit: LAST })}`)).items;
  showPaused();
  refresh();
}

/** An image that is shown already is another one by now; whether there is one. */
function renewed(item) {
  const place = latest.findIndex((each) => each.id === item.id);
  if (place >= 0) latest[place] = item;
  return place >= 0;
}

/** The counts are the service's: what it says of a station may hold a result whose own event is still on its way. */
const count = soon(async () => {
  station = (await briefly(station.name)) ?? station;
  showCounts();
});

const pause = () => doing($("#pause"), async () => {
  station = await patch(path(), { paused: !station.paused });
  showPaused();
});

function toggleHeat() {
  heat = !heat;
  $("#heat").setAttribute("aria-pressed", heat);
  showStage(chosen ?? latest[0]);
}

/** Some at once, so that one travels while another is looked at; the service refuses more than it can take. */
async function inspect(files) {
  const waiting = [...files];
  let failed = 0;
  const send = async () => {
    for (let file = waiting.shift(); file; file = waiting.shift()) {
      try {
        await post(path("/inspect?origin=page"), images([file]));
      } catch (error) {
        failed += 1;
        toast(error.message.startsWith(file.name) ? error.message : `${file.name}: ${error.message}`, true);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, send));
  if (!failed) toast(`${counted(files.length, "image")} inspected.`);
}

$("#pause").addEventListener("click", pause);
$("#heat").addEventListener("click", toggleHeat);
$("#live").addEventListener("click", () => choose(null));
fileField($("#files"), inspect);
dropped(window, inspect);
key([" "], "pause or go on", pause);
key(["h"], "heat on and off", toggleHeat);
key(["j", "arrowright"], "an earlier image", () => step(1));
key(["k", "arrowleft"], "a later image", () => step(-1));
key(["l"], "back to the newest", () => choose(null));
key(["f"], "the whole screen", () => (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen()));

watchStation({
  feedback: (item) => renewed(item) && refresh(),
  result(item) {
    if (!renewed(item)) latest = [item, ...latest].sort(later).slice(0, LAST);
    refresh();
    count();
  },
  station(changed) {
    station = changed;
    showPaused();
    refresh();
  },
  paused: again,
  reset: again,
});
showPaused();
refresh();
