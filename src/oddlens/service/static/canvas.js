// What charts share: a canvas as sharp as the screen, the colours of the theme, axes.

import { $, el, svg } from "./dom.js";

let probe;

/** A custom property of the style sheet as the theme has it now. */
export function colour(name) {
  if (!probe) $("body").append((probe = el("span", { hidden: true })));
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

const HATCHED = "ng"; // green and vermilion are one grey to some eyes: what is bad is striped, too
const STEP = 6;

/** What an area is filled with: a colour, or stripes. */
export function filling(context, name) {
  if (name !== HATCHED) return colour(name);
  const square = new OffscreenCanvas(STEP, STEP);
  const paint = square.getContext("2d");
  paint.fillStyle = colour(name);
  paint.fillRect(0, 0, STEP, STEP);
  paint.strokeStyle = colour("surface");
  paint.lineWidth = 1.4;
  for (const shift of [-STEP, 0, STEP]) {
    paint.moveTo(shift - 1, STEP + 1);
    paint.lineTo(shift + STEP + 1, -1);
  }
  paint.stroke();
  return context.createPattern(square, "repeat");
}

/** The same as a small square, for a legend. */
export const swatch = (name) => svg("svg", { viewBox: "0 0 12 12", "aria-hidden": "true" }, svg("rect", { width: 12, height: 12, fill: `var(--${name})` }),
  svg("path", { d: name === HATCHED ? "M-1 7 7-1M-1 13 13-1M5 13 13 5" : "", stroke: "var(--surface)", "stroke-width": 1.4 }));

/** A point by the shape of its verdict. */
export function mark(context, x, y, verdict, size) {
  context.beginPath();
  if (verdict === "ng") for (let turn = Math.PI / 8; turn < 6.3; turn += Math.PI / 4) context.lineTo(x + size * Math.sin(turn), y + size * Math.cos(turn));
  else if (verdict === "review") for (const [dx, dy] of [[0, -1], [1.06, 0.88], [-1.06, 0.88]]) context.lineTo(x + dx * size, y + dy * size);
  else context.arc(x, y, size, 0, 7);
  context.fill();
}

/** The context of a canvas in CSS pixels, empty; its size follows the element and the screen. */
export function clean(canvas) {
  const ratio = devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = `${Math.max(12, parseFloat(getComputedStyle(document.documentElement).fontSize) * 0.78)}px ${getComputedStyle(document.body).fontFamily}`;
  return { context, width, height, em: parseFloat(context.font) };
}

/** Draw again when the element or the theme changes. */
export function redrawn(canvas, draw) {
  new ResizeObserver(draw).observe(canvas);
  addEventListener("theme", draw);
}

/** About `count` round numbers between two numbers. */
export function ticks(low, high, count = 5) {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 2.5, 5, 10].find((each) => each * power >= rough * 0.8);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-9; value += step) found.push(Number(value.toPrecision(12)));
  return found;
}
