// The one rule of the page for counting again: the same as Thresholds.verdict of Python, where what reaches a threshold exactly
// does not lie beyond it. Pure: no element, no network.

/** How many numbers of a sorted array are at or below a value. */
export function atOrBelow(sorted, value) {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

export const sorted = (scores) => Float64Array.from(scores).sort();

/** How many of sorted scores are called what. */
export function recount(scores, image, review) {
  const belowImage = atOrBelow(scores, image);
  const ok = review == null ? belowImage : Math.min(belowImage, atOrBelow(scores, review));
  return { ok, review: belowImage - ok, ng: scores.length - belowImage };
}

/** The bound of the false-alarm rate that holds at a threshold, wherever it is moved; null without a calibration. */
export function boundAt(calibration, threshold) {
  if (!calibration?.bounds?.length) return null;
  return calibration.bounds[atOrBelow(calibration.scores, threshold)] ?? null;
}

/** A share in words, rounded up as Python's percent_up does it: what is promised is never less than what holds. */
export function percentUp(share) {
  const parts = 10 ** (share >= 0.1 ? 0 : share >= 0.01 ? 1 : 2);
  return `${Math.ceil(share * 100 * parts - 1e-9) / parts} %`;
}

/** Sorted scores in `bins` equal bins from low to high; what lies beyond is in the outer ones. */
export function binned(scores, low, high, bins) {
  const counts = new Uint32Array(bins);
  const scale = bins / (high - low || 1);
  for (const score of scores) counts[Math.min(bins - 1, Math.max(0, Math.floor((score - low) * scale)))] += 1;
  return counts;
}
