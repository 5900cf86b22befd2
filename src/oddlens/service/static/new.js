// A new station from a few images of good parts.

import { images, post } from "./api.js";
import { $, counted, el } from "./dom.js";
import { dropZone } from "./drop.js";
import { vetted } from "./vetting.js";

const ENOUGH = 4;
let files = [];

function show() {
  $("#count").textContent = files.length ? `${files.length}${files.length < ENOUGH ? ` of ${ENOUGH} or more` : ""}` : "";
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

$("#new").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = $("button[type=submit]");
  const fields = Object.fromEntries(new FormData(event.target));
  button.disabled = true;
  const said = (words) => $("#progress").replaceChildren(words);
  const made = await vetted($("#vetting"), files, (some, accepted) => {
    said(`Looking at ${counted(some.length, "image")} …`);
    return post("/api/stations", images(some, { name: fields.name.trim(), object_name: fields.object_name.trim() }, accepted)).finally(() => said(""));
  });
  button.disabled = false;
  if (made) location.assign(`/s/${encodeURIComponent(made.station.name ?? made.station)}`);
});
