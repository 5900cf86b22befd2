// Doubtful ones among good images: a person takes each out or vouches for it before anything is made of them.

import { $$, counted, el, number, table, toast, working } from "./dom.js";

/** What references are called, by the digests of their pixels: those that were learned have the name of a kept file. */
export const called = new Map();

/**
 * Send images; where some are doubtful, ask, and send again as was decided.
 *
 * send(files, accepted): a promise of the answer; rejects with status 409 and `vetting` where images are doubtful.
 * accepted: names that a person vouched for already.
 * Returns the answer, or null where nobody decided to go on.
 */
export async function vetted(place, files, send, accepted = []) {
  for (;;) {
    place.hidden = true;
    try {
      return await working(looking(files), () => send(files, accepted));
    } catch (error) {
      if (error.status !== 409 || !error.answer.vetting?.length) {
        toast(error.message, true);
        return null;
      }
      const decided = await decide(place, error.message, error.answer.vetting, files.map((file) => file.name));
      if (!decided) return null;
      accepted = [...accepted, ...decided.accepted];
      files = files.filter((file) => !decided.left.includes(file.name));
    }
  }
}

/** What is done meanwhile; no files: the station's own images are meant. */
export const looking = (files) => `Looking at ${files.length ? counted(files.length, "image") : "the good images"} …`;

/**
 * Ask what becomes of doubtful images, and whether to go on at all.
 *
 * names: of the images that came; others were there before and can only be vouched for. more: what else is shown.
 * Returns the names that are accepted and those that are left out, or null.
 */
export function decide(place, sentence, vetting, names, more = []) {
  return new Promise((resolve) => {
    const choice = (name) => el("select", { "aria-label": `What to do with ${name}`, dataset: { name } },
      names.includes(name) ? el("option", { value: "leave" }, "take it out") : el("option", { value: "stop" }, "not sure"),
      el("option", { value: "accept" }, "it is good"));
    const rows = vetting.map(({ name, digest, score, p_value: p, flagged, reason }) => [el("td", { class: "words" }, called.get(digest) ?? name), flagged ? choice(name) : names.includes(name) ? "good" : "",
      number(score), p == null ? "–" : p.toPrecision(2), el("td", { class: "words" }, reason ?? "")]);
    const shown = table(["Image", "", "Score", "p", "Why"], rows);
    vetting.forEach(({ flagged }, at) => shown.tBodies[0].rows[at].classList.toggle("flagged", flagged));
    const done = (decided) => {
      place.hidden = true;
      place.replaceChildren();
      resolve(decided);
    };
    const go = el("button", { type: "button", class: "main", onclick: () => {
      const of = (value) => $$("select", shown).filter((each) => each.value === value).map((each) => each.dataset.name);
      if (of("stop").length) return toast("Take out what is not good first, or say that it is good.", true);
      done({ accepted: of("accept"), left: of("leave") });
    } }, "Go on");
    place.replaceChildren(el("div", { class: "stack" }, el("p", { role: "alert" }, sentence), rows.length > 0 && el("div", { class: "scroll" }, shown), more,
      el("div", { class: "row" }, go, el("button", { type: "button", onclick: () => done(null) }, "Not now"))));
    place.hidden = false;
    place.scrollIntoView({ block: "nearest" });
    go.focus({ preventScroll: true });
  });
}
