// Try: any image in any words; nothing is kept.

import { images, post } from "./api.js";
import { $, brief, el, number, regionsTable, showImage, tag } from "./dom.js";
import { dropZone } from "./drop.js";
import { watchStation } from "./status.js";

let file = null;
let asked = 0;
let waiting;

async function ask() {
  if (!file) return;
  const mine = ++asked;
  const { object_name: name, station } = Object.fromEntries(new FormData($("#form")));
  if (!name.trim()) return;
  $("#state").textContent = "Looking …";
  try {
    const form = images([], { object_name: name.trim(), station });
    form.append("file", file, file.name);
    const found = await post("/api/try", form);
    if (mine === asked) show(found, name.trim());
  } catch (error) {
    if (mine === asked) $("#state").textContent = error.message;
  }
}

function show(found, name) {
  $("#state").textContent = "";
  $("#result").hidden = false;
  const kind = found.verdict ?? "none";
  $("#about").replaceChildren(tag(kind), el("b", { class: "number" }, number(found.score)),
    el("span", { class: "quiet" }, found.threshold == null ? `as a ${name}; without good images there is no verdict` : `as a ${name}, NG above ${brief(found.threshold)}`),
    ...[found.concern, found.note].filter(Boolean).map((words) => el("p", {}, words)));
  showImage($("#image"), found.image, file.name);
  showImage($("#overlay"), found.overlay, `heat of ${file.name}`);
  $("#regions").replaceChildren(...regionsTable(found.regions));
}

dropZone($("#drop"), ([first]) => {
  file = first;
  ask();
});
$("#form").addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
$("[name=object_name]").addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(ask, 500);
});
$("[name=station]").addEventListener("change", ask);
watchStation();
