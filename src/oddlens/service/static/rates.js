// The rates that a person chooses from begin with the station's own.

import { el } from "./dom.js";
import { percentUp } from "./recount.js";

/** Choose the rate in force of a list, unless a person has chosen another one; one that is not among them joins it. */
export function choose(select, rate) {
  if (select.dataset.chosen != null && select.value !== select.dataset.chosen) return;
  const found = [...select.options].find((each) => each.value !== "" && Math.abs(Number(each.value) - rate) < 1e-9);
  if (!found) select.prepend(el("option", { value: rate }, percentUp(rate)));
  select.dataset.chosen = select.value = found?.value ?? rate;
}
