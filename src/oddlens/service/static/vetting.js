// Doubtful ones among good pictures: a person takes each out or vouches for it before anything is made of them.

import { $$, el, number, table, toast } from "./dom.js";

/**
 * Send pictures; where some are doubtful, ask, and send again as was decided.
 *
 * send(files, accepted): a promise of the answer; rejects with status 409 and `vetting` where pictures are doubtful.
 * Returns the answer, or null where nobody decided to go on.
 */
export async function vetted(place, files, send) {
  let accepted = [];
  for (;;) {
    place.hidden = true;
    try {
      return await send(files, accepted);
    } catch (error) {
      if (error.status !== 409 || !error.answer.vetting?.length) {
        toast(error.message, true);
        return null;
      }
      const decided = await decide(place, error.message, error.answer.vetting);
      if (!decided) return null;
      accepted = [...accepted, ...decided.accepted];
      files = files.filter((file) => !decided.left.includes(file.name));
    }
  }
}

function decide(place, sentence, vetting) {
  return new Promise((resolve) => {
    const rows = vetting.map(({ name, score, p_value: p, flagged, reason }) => {
      const row = [el("td", { class: "words" }, name),
        flagged ? el("select", { "aria-label": `What to do with ${name}`, dataset: { name } }, el("option", { value: "leave" }, "take it out"), el("option", { value: "accept" }, "it is good")) : "good",
        number(score), p == null ? "–" : p.toPrecision(2), el("td", { class: "words" }, reason ?? "")];
      return { row, flagged };
    });
    const shown = table(["Picture", "", "Score", "p", "Why"], rows.map(({ row }) => row));
    rows.forEach(({ flagged }, at) => flagged && shown.tBodies[0].rows[at].classList.add("flagged"));
    const done = (decided) => {
      place.hidden = true;
      place.replaceChildren();
      resolve(decided);
    };
    const go = el("button", { type: "button", class: "main", onclick: () => {
      const of = (value) => $$("select", shown).filter((each) => each.value === value).map((each) => each.dataset.name);
      done({ accepted: of("accept"), left: of("leave") });
    } }, "Go on");
    place.replaceChildren(el("div", { class: "stack" }, el("p", { role: "alert" }, sentence), el("div", { class: "scroll" }, shown),
      el("div", { class: "row" }, go, el("button", { type: "button", onclick: () => done(null) }, "Not now"))));
    place.hidden = false;
    place.scrollIntoView({ block: "nearest" });
    go.focus();
  });
}
