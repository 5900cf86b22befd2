// What a station would learn from what people said, shown before it is saved.

import { get, ofStation, post, who } from "./api.js";
import { $, counted, el, fileName, number, table, tag, toast } from "./dom.js";

/** done: called when a new version was saved. */
export function openLearn(station, done) {
  const dialog = $("#learn");
  const options = el("fieldset", { class: "stack" },
    choice("defect_memory", "Known defects count: what looks like one is more suspicious"),
    choice("renew_calibration", "Set the thresholds anew, on good pictures that were drawn at random"));
  const preview = el("div", { class: "stack", "aria-live": "polite" });
  const save = el("button", { class: "main", disabled: true }, "Save as a new version");
  const form = el("form", {}, el("h2", { id: "learn-title" }, "What would change"), preview, options,
    el("div", { class: "row" }, save, el("button", { type: "button", onclick: () => dialog.close() }, "Not now")));

  const wish = (dry) => ({
    dry_run: dry,
    // Unless it is asked for, what the station does with known defects stays.
    defect_memory: $("[name=defect_memory]", form).checked || null,
    renew_calibration: $("[name=renew_calibration]", form).checked,
    who: who(),
  });
  let asked = 0;
  const look = async () => {
    const mine = ++asked;
    save.disabled = true;
    preview.replaceChildren(el("p", { class: "quiet" }, "Looking at what would change …"));
    try {
      const found = await post(ofStation(station.name, "/learn"), wish(true));
      const turned = await Promise.all((found.turned ?? []).map(async (each) => ({ ...each, item: await get(`/api/results/${each.id}`) })));
      if (mine !== asked) return;
      preview.replaceChildren(...changes(found, turned));
      save.disabled = false;
    } catch (error) {
      if (mine === asked) preview.replaceChildren(el("p", { class: "banner" }, error.message));
    }
  };
  options.addEventListener("change", look);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    save.disabled = true;
    try {
      const made = await post(ofStation(station.name, "/learn"), wish(false));
      dialog.close();
      toast(`Version ${made.version} is in force.`);
      done();
    } catch (error) {
      preview.prepend(el("p", { class: "banner bad", role: "alert" }, error.message));
    }
  });
  dialog.replaceChildren(form);
  dialog.showModal();
  return look();
}

const choice = (name, words) => el("label", { class: "check" }, el("input", { type: "checkbox", name }), words);

function changes(found, turned) {
  const parts = (found.sentences ?? []).map((sentence) => el("p", {}, sentence));
  for (const [names, words] of [[found.joined, "joins the good pictures"], [found.left, "leaves the good pictures"], [found.defects, "becomes a known defect"]]) {
    if (names?.length) parts.push(el("p", {}, el("b", {}, counted(names.length, "picture")), ` ${names.length === 1 ? words : words.replace("joins", "join").replace("leaves", "leave").replace("becomes a known defect", "become known defects")}: `, names.map(fileName).join(", ")));
  }
  if (!turned.length) return [...parts, el("p", { class: "quiet" }, "The verdicts of the last pictures stay as they are.")];
  const rows = turned.map(({ item, before, after, score_before: was, score_after: will }) => [
    el("img", { src: item.links.thumbnail, alt: "", width: 56, height: 56 }), fileName(item.source), tag(before ?? "none"), "→", tag(after ?? "none"), `${number(was)} → ${number(will)}`,
  ]);
  return [...parts, el("h3", {}, `${counted(turned.length, "verdict")} of the last pictures would turn`),
    el("div", { class: "scroll" }, table(["", "Picture", "Now", "", "Then", "Score"], rows))];
}
