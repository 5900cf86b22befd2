// A new station from a few images of good parts.

import { images, post } from "./api.js";
import { $, el, submitted, toast } from "./dom.js";
import { dropZone } from "./drop.js";
import { percentUp } from "./recount.js";
import { vetted } from "./vetting.js";

const ENOUGH = 4;
const promised = (count) => percentUp(1 / (count + 1)); // of so few, as usual_rate of Python says
let files = [];

function show() {
  $("#count").textContent = files.length || "";
  const few = { 0: "", 1: "One image gives no threshold, and so no verdict." };
  $("#few").textContent = files.length >= ENOUGH ? "" : few[files.length]
    ?? `${files.length} images promise only that on average at most ${promised(files.length)} of good parts are called NG; ${ENOUGH} promise ${promised(ENOUGH)}.`;
  $("#chosen").replaceChildren(...files.map((file) => {
    const address = URL.createObjectURL(file);
    const image = el("img", { src: address, alt: file.name, onload: () => URL.revokeObjectURL(address) });
    return el("li", {}, el("button", { type: "button", class: "tile", title: `Take ${file.name} out`, onclick: () => {
      files = files.filter((each) => each !== file);
      show();
    } }, image, el("span", { class: "foot" }, el("span", { class: "name" }, file.name), "×")));
  }));
}

dropZone($("#drop"), (more) => {
  const names = new Set(files.map((file) => file.name));
  files = [...files, ...more.filter((file) => !names.has(file.name))];
  show();
});

submitted($("#new"), async (event) => {
  if (!files.length) return toast("Drop or choose images of good parts first.", true);
  const button = $("button[type=submit]");
  const fields = Object.fromEntries(new FormData(event.target));
  button.disabled = true;
  const made = await vetted($("#vetting"), files, (some, accepted) =>
    post("/api/stations", images(some, { name: fields.name.trim(), object_name: fields.object_name.trim() }, accepted)));
  button.disabled = false;
  if (!made) return;
  const line = `/s/${encodeURIComponent(made.station.name)}`;
  if (made.copies) $("#few").replaceChildren(`${made.copies} `, el("a", { href: line }, "To its line"));
  else location.assign(line);
});
