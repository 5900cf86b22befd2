import { svg } from "./dom.js";

/** Where the score lies between OK and NG, as a bar of three zones with a mark. Scores may be negative: then the bar has no 0 to begin at. */
export function gauge({ score, thresholds: { image, review } }) {
  const first = review ?? image;
  const low = Math.min(score, first < 0 ? first * 1.6 : 0);
  const high = Math.max(score, image + (image - low) * 0.6);
  const at = (value) => (100 * (value - low)) / (high - low || 1);
  const zone = (from, to, colour) => svg("rect", { x: at(from), y: 6, width: at(to) - at(from), height: 5, fill: `var(--${colour})` });
  const mark = Math.min(99, Math.max(1, at(score)));
  return svg("svg", { class: "gauge", viewBox: "0 0 100 16", preserveAspectRatio: "none", "aria-hidden": "true" },
    zone(low, first, "ok"), zone(first, image, "review"), zone(image, high, "ng"),
    svg("rect", { x: mark - 0.6, y: 1, width: 1.2, height: 15, fill: "currentColor" }));
}
