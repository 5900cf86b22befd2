// Keys of a page, and the list of them. A key does nothing while a person writes in a field or a dialog is open.

import { $, el } from "./dom.js";

const known = [];

const writing = (target) => target instanceof Element && target.matches("input:not([type=range]):not([type=checkbox]):not([type=file]), textarea, select");

/** keys: names as KeyboardEvent.key says them, lower case; the first is shown. */
export function key(keys, words, action) {
  known.push({ keys, words, action });
  $("#keys").hidden = false;
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("dialog[open]")) return;
  if (writing(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const pressed = event.key.toLowerCase();
  if (pressed === "?") return showKeys();
  const found = known.find((each) => each.keys.includes(pressed));
  // A button that has the focus is pressed by Space, a slider is moved by arrows: those keys are theirs.
  if (!found || (pressed === " " && event.target.matches?.("button, a, summary")) || event.target.matches?.("[type=range]")) return;
  event.preventDefault();
  if (!event.repeat || found.keys.includes("j") || found.keys.includes("k")) found.action();
});

function showKeys() {
  const rows = known.flatMap(({ keys, words }) => [
    el("dt", {}, keys.filter((each) => each.length < 6).map((each) => el("kbd", {}, each === " " ? "Space" : each.length === 1 ? each.toUpperCase() : each))),
    el("dd", {}, words),
  ]);
  const dialog = el("dialog", { "aria-label": "Keys" }, el("form", { method: "dialog" }, el("h2", {}, "Keys of this page"), el("dl", {}, rows),
    el("p", { class: "quiet small" }, "Escape leaves a field, so that the keys work again."), el("button", { class: "main", autofocus: true }, "Close")));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

$("#keys").addEventListener("click", showKeys);
