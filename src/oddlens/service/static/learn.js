// What a station would learn from what people said, shown before it is saved.

import { asSeen, briefly, get, post, who } from "./api.js";
import { $, counted, el, fileName, number, submitted, table, tag, toast } from "./dom.js";

/** done: called when a new version was saved. */
export function openLearn(station, done) {
  const dialog = $("#learn");
  const options = el("fieldset", { class: "stack" },
    station.takes.includes("defect_memory") && choice("defect_memory", "Known defects count: what looks like one is more suspicious (needs PyTorch)"),
    choice("renew_calibration", "Set the thresholds anew, on good images that were drawn at random"));
  const preview = el("div", { class: "stack", "aria-live": "polite" });
  const save = el("button", { class: "main", disabled: true }, "Save as a new version");
  const form = el("form", {}, el("h2", { id: "learn-title" }, "What would change"), preview, options,
    el("div", { class: "row" }, save, el("button", { type: "button", onclick: () => dialog.close() }, "Not now")));

  const wish = (dry) => ({
    dry_run: dry,
    // Unless it is asked for, what the station does with known defects stays.
    defect_memory: $("[name=defect_memory]", form)?.checked || null,
    renew_calibration: $("[name=renew_calibration]", form).checked,
    accept: accepted,
    who: who(),
  });
  let accepted = [];
  let asked = 0;
  let seen = station; // the version that is looked at
  const refused = (error) => {
    const doubtful = (error.answer?.vetting ?? []).filter((each) => each.flagged).map((each) => each.name);
    const again = el("button", { type: "button", onclick: () => {
      accepted = [...accepted, ...doubtful];
      look();
    } }, doubtful.length ? "They are good" : "Look again");
    preview.replaceChildren(el("p", { class: "banner", role: "alert" }, error.message), doubtful.length || error.answer?.version ? el("p", {}, again) : "");
  };
  const look = async () => {
    const mine = ++asked;
    save.disabled = true;
    preview.replaceChildren(el("p", { class: "working row" }, el("progress"), "Looking at what would change …"));
    try {
      seen = (await briefly(station.name)) ?? station;
      const found = await post(asSeen(seen, "/learn"), wish(true));
      const turned = await withItems(found.turned);
      if (mine !== asked) return;
      preview.replaceChildren(...(found.sentences ?? []).map((sentence) => el("p", {}, sentence)), ...turnedTable(turned));
      save.disabled = !found.is_new;
    } catch (error) {
      if (mine === asked) refused(error);
    }
  };
  options.addEventListener("change", look);
  submitted(form, async () => {
    if (save.disabled) return;
    form.ariaBusy = options.disabled = save.disabled = true;
    save.textContent = "Saving …";
    try {
      const made = await post(asSeen(seen, "/learn"), wish(false));
      dialog.close();
      toast(made.version == null ? "There was nothing to learn." : `Version ${made.version} is in force.`);
      done();
    } catch (error) {
      refused(error);
    } finally {
      form.ariaBusy = options.disabled = false;
      save.textContent = "Save as a new version";
    }
  });
  dialog.replaceChildren(form);
  dialog.showModal();
  return look();
}

const choice = (name, words) => el("label", { class: "check" }, el("input", { type: "checkbox", name }), words);

/** The results behind what the service says of verdicts that turn. */
export const withItems = (turned) => Promise.all((turned ?? []).map(async (each) => ({ ...each, item: await get(`/api/results/${each.id}`) })));

/** Which verdicts of the last images would turn. */
export function turnedTable(turned) {
  if (!turned.length) return [el("p", { class: "quiet" }, "The verdicts of the last images stay as they are.")];
  const rows = turned.map(({ item, now, then, score_now: was, score_then: will }) => [
    el("img", { src: item.links.thumbnail, alt: "", width: 56, height: 56 }), fileName(item.source), tag(now ?? "none"), "→", tag(then ?? "none"), `${number(was)} → ${number(will)}`,
  ]);
  return [el("h3", {}, `${counted(turned.length, "verdict")} of the last images would turn, as the version in force calls them now`),
    el("div", { class: "scroll turned" }, table(["", "Image", "Now", "", "Then", "Score"], rows))];
}
