// History: scores over time with control limits, verdicts by hour, defects by name, and everything as a file.

import { get, ofStation, query } from "./api.js";
import { clean, colour, filling, mark, redrawn, swatch, ticks } from "./canvas.js";
import { $, $$, brief, counted, data, doing, el, soon, svg, tableRow, WORDS } from "./dom.js";
import { watchStation } from "./status.js";

const { station } = data;
const HOUR = 3600e3;
const DAY = 24 * HOUR;
const STEPS = [...[1, 5, 15, 30].map((seconds) => 1000 * seconds), HOUR / 60, HOUR / 12, HOUR / 4, HOUR / 2, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY]; // of the time axis
const STACK = ["ok", "review", "ng", "failed"];
let trend = null;
let hours = [];

const since = () => {
  const days = Number($("[name=since]").value);
  const midnight = new Date();
  midnight.setHours(0, 0, 0, 0);
  return new Date(midnight - (days - 1) * 24 * HOUR);
};

async function load() {
  const from = since().toISOString();
  const ask = (rest) => get(ofStation(station.name, `${rest}${query({ since: from })}`));
  for (const link of $$("[data-format]")) link.href = `/api/results/export${query({ format: link.dataset.format, station: station.name, since: from })}`;
  const [scores, byHour, defects] = await Promise.all([ask("/trend"), ask("/hours"), ask("/defects")]);
  trend = scores;
  hours = byHour;
  drawTrend();
  drawHours();
  const most = Math.max(1, ...defects.map((each) => each.count));
  $("#defects").replaceChildren(...(defects.length ? defects.map(({ name, count }) => tableRow([name, count,
    svg("svg", { viewBox: "0 0 100 8", width: 140, height: 12, preserveAspectRatio: "none", "aria-hidden": "true" }, svg("rect", { width: (100 * count) / most, height: 8, fill: "var(--accent)" }))]))
    : [el("tr", {}, el("td", { colspan: 3, class: "quiet" }, "No defect was named."))]));
}

/** Vertical axis with round numbers; the left margin that it takes. */
function axis({ context, width, em }, low, high, y, words) {
  context.fillStyle = colour("quiet");
  context.strokeStyle = colour("line");
  context.textAlign = "right";
  const left = em * 4;
  for (const value of ticks(low, high, 4)) {
    context.fillText(words(value), left - em * 0.6, y(value) + em * 0.35);
    context.fillRect(left, Math.round(y(value)), width - left, 0.5);
  }
  return left;
}

/** Round times below a chart: days by their date, each once, and times of day between them. */
function times({ context, width, height, em }, from, to, x) {
  context.fillStyle = colour("quiet");
  context.textAlign = "center";
  const least = (to - from) / Math.max(2, Math.floor(width / (em * 7)));
  const step = STEPS.find((each) => each >= least) ?? Math.ceil(least / DAY) * DAY;
  const time = new Date(from);
  const seconds = step < HOUR / 60;
  if (seconds) time.setSeconds(0, 0);
  else time.setHours(0, 0, 0, 0);
  for (; +time <= to; seconds ? time.setTime(+time + step) : time.setMinutes(time.getMinutes() + step / 60e3)) {
    if (+time < from || x(+time) > width - em * 2) continue;
    const isDay = !time.getHours() && !time.getMinutes() && !time.getSeconds();
    const words = isDay ? time.toLocaleDateString([], { day: "numeric", month: "short" }) : time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", ...(seconds && { second: "2-digit" }) });
    context.fillText(words, x(+time), height - em * 0.3);
  }
}

function drawTrend() {
  if (!trend) return;
  const canvas = $("#trend");
  const area = clean(canvas);
  const { context, width, height, em } = area;
  const points = trend.time.map((time, at) => ({ time: +new Date(time), score: trend.score[at], verdict: trend.verdict[at] ?? "none" })).filter((each) => each.score != null);
  canvas.setAttribute("aria-label", `Scores of ${counted(points.length, "image")} over time`);
  const lines = [["image", "NG above, when last inspected:", "ng"], ["review", "REVIEW above, when last inspected:", "review"], ["high", "usual up to", "quiet"], ["median", "usually", "quiet"]]
    .filter(([name]) => trend.limits[name] != null).map(([name, means, hue]) => ({ name, means, hue, value: trend.limits[name] }));
  $("#trend-legend").replaceChildren(...lines.map(({ means, hue, value, name }) => el("span", {}, svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" },
    svg("path", { d: "M0 8h16", stroke: `var(--${hue})`, "stroke-width": 3, "stroke-dasharray": name === "median" ? "3 3" : "none" })), `${means} ${brief(value)}`)),
    ...[trend.limits.high == null && `what is usual: shown from ${trend.limits.least} images that are not NG`, trend.note].filter(Boolean).map((words) => el("span", {}, words)));
  if (!points.length) return nothing(area, "Nothing was inspected in this time.");
  const values = [...points.map((each) => each.score), ...lines.map((each) => each.value)];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const floor = height - em * 1.8;
  const y = (value) => floor - ((value - low) / (high - low || 1)) * (floor - em);
  const left = axis(area, low, high, y, (value) => value);
  const [from, to] = [Math.min(...points.map((each) => each.time)), Math.max(...points.map((each) => each.time))];
  const x = (time) => left + em + ((time - from) / (to - from || 1)) * (width - left - 2 * em);
  for (const { name, value, hue } of lines) {
    context.strokeStyle = colour(hue);
    context.lineWidth = 1.5;
    context.setLineDash(name === "median" ? [4, 4] : []);
    context.beginPath();
    context.moveTo(left, y(value));
    context.lineTo(width, y(value));
    context.stroke();
  }
  context.setLineDash([]);
  const colours = Object.fromEntries(STACK.map((name) => [name, colour(name)]));
  for (const { time, score, verdict } of points) {
    context.fillStyle = colours[verdict] ?? colours.failed;
    mark(context, x(time), y(score), verdict, points.length > 1500 ? 1.6 : 3.2);
  }
  times(area, from, to, x);
}

function nothing({ context, width, height }, words) {
  context.fillStyle = colour("quiet");
  context.textAlign = "center";
  context.fillText(words, width / 2, height / 2);
}

function drawHours() {
  const canvas = $("#hours");
  const area = clean(canvas);
  const { context, width, height, em } = area;
  const total = (each) => STACK.reduce((sum, name) => sum + (each[name] ?? 0), 0);
  const sums = Object.fromEntries(STACK.map((name) => [name, hours.reduce((sum, each) => sum + (each[name] ?? 0), 0)]));
  canvas.setAttribute("aria-label", `Verdicts by hour, in all ${STACK.map((name) => `${sums[name]} ${WORDS[name]}`).join(", ")}`);
  $("#hours-legend").replaceChildren(...STACK.filter((name) => sums[name] || name !== "failed").map((name) => el("span", {}, swatch(name), `${WORDS[name]} ${sums[name]}`)));
  if (!hours.length) return nothing(area, "Nothing was inspected in this time.");
  const at = (each) => Math.floor(+new Date(each.hour) / HOUR);
  const last = at(hours.at(-1));
  const count = Math.max(12, last - at(hours[0]) + 1);
  const first = last - count + 1;
  const most = Math.max(1, ...hours.map(total));
  const floor = height - em * 1.8;
  const y = (value) => floor - (value / most) * (floor - em);
  const left = axis(area, 0, most, y, (value) => (Number.isInteger(value) ? value : ""));
  const wide = (width - left) / count;
  const fillings = Object.fromEntries(STACK.map((name) => [name, filling(context, name)]));
  for (const each of hours) {
    let base = 0;
    for (const name of STACK) {
      context.fillStyle = fillings[name];
      const next = base + (each[name] ?? 0);
      context.fillRect(left + (at(each) - first) * wide + 0.5, y(next), Math.max(1, wide - 1), y(base) - y(next));
      base = next;
    }
  }
  times(area, first * HOUR, (first + count) * HOUR, (time) => left + ((time / HOUR - first) / count) * (width - left));
}

$("#range").addEventListener("change", () => doing(null, load));
redrawn($("#trend"), drawTrend);
redrawn($("#hours"), drawHours);
const again = soon(load, 2000);
watchStation({ result: again, feedback: again, reset: load });
doing(null, load);
