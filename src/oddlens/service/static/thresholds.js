// Thresholds: the histogram of the last scores with two handles. Scores come once and are sorted once; a move counts again by halving.

import { asSeen, get, ofStation, patch, who } from "./api.js";
import { clean, colour, filling, mark, redrawn, swatch, ticks } from "./canvas.js";
import { $, $$, counted, data, doing, el, moment, percent, soon, submitted, tableRow, toast } from "./dom.js";
import { choose } from "./rates.js";
import { atOrBelow, binned, boundAt, percentUp, recount, sorted } from "./recount.js";
import { watchStation } from "./status.js";

const BINS = 120;
const BEYOND = 2; // times the way from the lowest score to the thresholds that is shown beyond them
// What people said of a part, from below to above in a bar: name, colour, words.
const GROUPS = [
  ["good", "ok", "said to be good"],
  ["bad", "ng", "said to be defective"],
  ["unknown", "unknown", "nothing said"],
];

const { station } = data;
const canvas = $("#histogram");
let calibration = null;
let groups = {}; // sorted scores by group
let note; // which earlier ones are not counted
let bars = {};
let all = new Float64Array();
let [low, high] = [0, 1];
let saved = { image: null, review: null };
let now = { ...saved };
let pushing = {}; // the handle that was moved last, and where the other one lay before it was pushed
let promise = null; // of the saved ones
let dragged = null;
let waiting = false;
let asked = 0;

function take(scores) {
  const by = { good: [], bad: [], unknown: [] };
  note = scores.note;
  scores.score.forEach((score, place) => score != null && (by[scores.said[place]] ?? by.unknown).push(score));
  groups = Object.fromEntries(Object.entries(by).map(([name, list]) => [name, sorted(list)]));
  all = sorted(Object.values(by).flat());
  const known = [saved.image, saved.review, calibration?.scores.at(-1)].filter((value) => value != null);
  const ends = [...known, calibration?.scores[0], all[0], all.at(-1)].filter((value) => value != null);
  low = ends.length ? Math.min(...ends) : 0;
  high = ends.length ? Math.max(...ends) : 1;
  // A few scores far beyond the thresholds must not press all others into a corner: they share the last bar.
  if (known.length) high = Math.min(high, Math.max(...known) + BEYOND * (Math.max(...known) - low));
  const air = (high - low) * 0.04 || 0.05;
  [low, high] = [low - air, high + air];
  bars = Object.fromEntries(Object.entries(groups).map(([name, list]) => [name, binned(list, low, high, BINS)]));
  bars.calibration = binned(calibration?.scores ?? [], low, high, BINS);
  for (const name of ["image", "review"]) {
    Object.assign($(`#${name}-range`), { min: low, max: high });
    $(`#${name}`).step = 10 ** Math.floor(Math.log10((high - low) / 50));
  }
}

function draw() {
  const { context, width, height, em } = clean(canvas);
  const floor = height - em * 2;
  const top = em * 1.8;
  const x = (value) => ((value - low) / (high - low)) * width;
  const most = Math.max(1, ...Array.from({ length: BINS }, (_, bin) => GROUPS.reduce((sum, [name]) => sum + (bars[name]?.[bin] ?? 0), 0)));
  const zones = [[low, now.review ?? now.image, "ok"], [now.review ?? now.image, now.image, "review"], [now.image, high, "ng"]];
  context.globalAlpha = 0.12;
  for (const [from, to, name] of zones) {
    if (from == null || to == null) continue;
    context.fillStyle = colour(name);
    context.fillRect(x(from), top, x(to) - x(from), floor - top);
  }
  context.globalAlpha = 1;
  const wide = width / BINS;
  const tall = (count) => (count ? Math.max(2, (count / most) * (floor - top)) : 0);
  const base = new Float64Array(BINS);
  for (const [name, hue] of GROUPS) {
    context.fillStyle = filling(context, hue);
    for (let bin = 0; bin < BINS; bin += 1) {
      const size = tall(bars[name]?.[bin] ?? 0);
      if (size) context.fillRect(bin * wide + 0.5, floor - base[bin] - size, Math.max(1, wide - 1), size);
      base[bin] += size;
    }
  }
  context.fillStyle = colour("text");
  bars.calibration?.forEach((count, bin) => count && context.fillRect((bin + 0.5) * wide - 1, floor + 2, 2, Math.min(6, 2 + count)));
  context.fillStyle = colour("quiet");
  context.textAlign = "center";
  for (const value of ticks(low, high, Math.max(3, Math.floor(width / 110)))) if (x(value) > em && x(value) < width - em) context.fillText(value, x(value), height - em * 0.3);
  if (all.at(-1) > high) {
    context.textAlign = "right";
    context.fillText("and above", width - 2, top - em * 0.4);
  }
  if (now.review != null) handle(context, x(now.review), top, floor, "review", em);
  if (now.image != null) handle(context, x(now.image), top, floor, "ng", em);
}

function handle(context, place, top, floor, name, em) {
  const at = Math.min(place, canvas.clientWidth - 2);
  context.fillStyle = colour(name);
  context.fillRect(at - 1.5, top * 0.4, 3, floor - top * 0.4);
  mark(context, at, top * 0.5, name, em * 0.8);
}

/** What the station promises where its own threshold stands; elsewhere, what holds for one that is chosen after the scores were seen. */
function promised() {
  const bound = now.image == null ? null : boundAt(calibration, now.image);
  if (bound == null || now.image === saved.image) return promise ?? "Nothing can be said of false alarms: the station has no calibration for them.";
  if (bound > 0.99) return `No rate of false alarms is promised here: the threshold lies below too many of the ${calibration.count} calibration images.`;
  const often = calibration.kind === "split" ? "at most" : "about";
  return `Moved here by hand: at most ${percentUp(bound)} of good parts like the ${calibration.count} of the calibration would be called NG; ${often} one in twenty such samples does worse.`;
}

function words() {
  const counts = now.image == null ? null : recount(all, now.image, now.review);
  for (const node of $$("#recount div")) {
    const count = counts?.[node.dataset.verdict];
    $("b", node).textContent = count ?? "–";
    $("small", node).textContent = counts && all.length ? `${percent(count / all.length)} of the last ${all.length}` : "";
  }
  $("#promise").textContent = promised();
  const told = [note];
  if (now.image != null && groups.good?.length) told.push(`Of ${counted(groups.good.length, "part")} said to be good, ${groups.good.length - atOrBelow(groups.good, now.image)} would be NG.`);
  if (now.image != null && groups.bad?.length) told.push(`Of ${groups.bad.length} said to be defective, ${atOrBelow(groups.bad, now.review ?? now.image)} would pass as OK.`);
  $("#told").textContent = told.filter(Boolean).join(" ");
  const changed = moved().length > 0;
  $("#save").disabled = !changed || now.image == null;
  $("#reset").disabled = !changed;
}

function fields(except) {
  for (const name of ["image", "review"]) {
    if (except !== $(`#${name}-range`)) $(`#${name}-range`).value = now[name] ?? high;
    if (except !== $(`#${name}`)) $(`#${name}`).value = now[name] == null ? "" : Number(now[name].toPrecision(6));
  }
}

/** Put a handle somewhere; the other one is pushed along, as REVIEW never lies above NG, and comes back: who types 0.3 begins with 0. */
function move(name, value, source) {
  const other = name === "image" ? "review" : "image";
  if (pushing.name !== name) pushing = { name, from: now[other] };
  now = { [name]: value, [other]: pushing.from };
  if (name === "image" && now.review != null && value != null && now.review > value) now.review = value;
  if (name === "review" && now.image != null && value != null && value > now.image) now.image = value;
  fields(source);
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(repaint);
}

/** What a move costs; its time is kept where a test can read it. */
function repaint() {
  const begun = performance.now();
  waiting = false;
  words();
  draw();
  performance.measure("repaint", { start: begun, end: performance.now() });
}

const moved = (from = saved) => ["image", "review"].filter((name) => now[name] !== from[name]);

/** Take what is in force. A handle that a person has moved stays; the other one gives way, as REVIEW never lies above NG. */
function begin({ version, thresholds }, those = moved()) {
  const kept = Object.fromEntries(those.map((name) => [name, now[name]]));
  pushing = {};
  saved = { image: thresholds.image ?? null, review: thresholds.review ?? null };
  now = { ...saved, ...kept };
  if (now.review != null && now.image != null && now.review > now.image) Object.assign(now, "review" in kept ? { image: now.review } : { review: now.image });
  promise = thresholds.promise;
  // A refusal that stands there says it already.
  if (station.version !== version && moved().length && !$(".toast.bad")) toast(`Version ${version} was made elsewhere: what you have moved stays as you moved it.`);
  station.version = version;
}

async function load() {
  const mine = ++asked;
  const [current, scores, known] = await Promise.all([
    get(ofStation(station.name)), get(ofStation(station.name, "/scores")), get(ofStation(station.name, "/calibration")).catch(() => null)]);
  if (mine !== asked) return;
  calibration = known?.scores?.length ? known : null;
  begin(current);
  take(scores);
  fields();
  repaint();
  log(current);
  if (calibration) choose($("[name=false_alarm_rate]"), calibration.false_alarm_rate);
  choose($("[name=review_rate]"), calibration?.review_rate ?? 0);
  $("#rates").hidden = !calibration;
  $("#uncalibrated").hidden = Boolean(calibration);
  $("#legend").replaceChildren(
    ...GROUPS.filter(([name]) => groups[name]?.length || name === "unknown").map(([name, hue, means]) => el("span", {}, swatch(hue), `${means}: ${groups[name].length}`)),
    calibration ? el("span", {}, swatch("text"), `ticks below: ${calibration.count} calibration images`) : "");
}

/** What was done here, with who did it, and what was done to the station elsewhere, by its own log; the newest first. */
function log({ audit, log: own }) {
  const here = new Set(audit.map((each) => each.after?.version));
  const elsewhere = own.filter((each) => !here.has(each.version) || ["check", "prune"].includes(each.verb));
  const entries = [...audit, ...elsewhere].sort((one, other) => new Date(other.time) - new Date(one.time));
  $("#audit").replaceChildren(...entries.map((each) => tableRow([el("span", { class: "quiet" }, moment(each.time)), each.who ?? "", el("td", { class: "words" }, each.what || each.verb)])));
}

async function save(button, change) {
  const sent = { ...now };
  await doing(button, async () => {
    try {
      const made = await patch(asSeen(station), { ...change, who: who() });
      toast(`Saved: version ${made.version}.`);
      station.version = made.version;
      begin(made, moved(sent)); // at once, with what was moved since: from here on moves are from the new ones
    } finally {
      await load(); // what is in force, whoever set it
    }
  });
  words(); // which buttons there is something for
}

for (const name of ["image", "review"]) {
  $(`#${name}-range`).addEventListener("input", (event) => move(name, event.target.valueAsNumber, event.target));
  $(`#${name}`).addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault()); // it may be half written
  $(`#${name}`).addEventListener("input", (event) => {
    const value = event.target.valueAsNumber;
    if (Number.isFinite(value)) move(name, value, event.target);
    else if (name === "review" && event.target.value === "" && event.target.validity.valid) move(name, null, event.target);
  });
}
const valueAt = (event) => Math.min(high, Math.max(low, low + ((event.clientX - canvas.getBoundingClientRect().left) / canvas.clientWidth) * (high - low)));
canvas.addEventListener("pointerdown", (event) => {
  const value = valueAt(event);
  const far = (name) => (now[name] == null ? Infinity : Math.abs(now[name] - value));
  // Where both handles lie on one spot, the side that is pressed says which one is meant.
  dragged = far("review") < far("image") || (far("review") === far("image") && value < now.image) ? "review" : "image";
  canvas.setPointerCapture(event.pointerId);
  move(dragged, value);
});
canvas.addEventListener("pointermove", (event) => dragged && move(dragged, valueAt(event)));
for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, () => { dragged = null; });
// What was not moved is not sent: a calibrated threshold would become one that was given by hand, which promises less.
submitted($("#form"), () => save($("#save"), Object.fromEntries(moved().map((name) => [name === "image" ? "threshold" : "review_threshold", now[name]]))));
$("#reset").addEventListener("click", () => {
  [now, pushing] = [{ ...saved }, {}];
  fields();
  repaint();
});
submitted($("#rates"), (event) => {
  const { false_alarm_rate: alarms, review_rate: review } = event.target.elements;
  const asked = alarms.value !== alarms.dataset.chosen; // else it goes on following the number of good images
  save(event.submitter, { review_rate: Number(review.value), ...(asked && { false_alarm_rate: Number(alarms.value) }) });
});
redrawn(canvas, draw);
const again = soon(load, 2000);
watchStation({ station: soon(load), result: again, feedback: again, reset: load });
doing(null, load);
