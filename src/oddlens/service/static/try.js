// Try: any image in any words; nothing is kept.

import { images, post } from "./api.js";
import { $, $$, data, el, limits, number, otherSize, regionsTable, showImage, showWords, submitted, tag, toast } from "./dom.js";
import { dropZone } from "./drop.js";
import { watchStation } from "./status.js";

let file = null;
let asked = 0;
let waiting;

/** What was found belongs to the image and the words that it was asked of: it goes as soon as there are others. */
function forget(words = "") {
  asked += 1;
  clearTimeout(waiting);
  $("#state").textContent = words;
  $("#result").hidden = true;
  $$("#result .stage").forEach((stage) => showWords(stage, ""));
}

async function ask() {
  forget();
  if (!file) return;
  const mine = asked;
  const { object_name: name, station } = Object.fromEntries(new FormData($("#form")));
  if (!name.trim()) return forget(`Say in a word or two what is on ${file.name}: then it is looked at.`);
  $("#state").textContent = `Looking at ${file.name} …`;
  try {
    const form = images([], { object_name: name.trim(), station });
    form.append("file", file, file.name);
    const found = await post("/api/try", form);
    if (mine === asked) show(found, station && !data.station.takes.includes("object_name") ? "" : `as a ${name.trim()}, `);
  } catch (error) {
    if (mine === asked) $("#state").textContent = error.message;
  }
}

/** called: how it was asked about, where that counts. */
function show(found, called) {
  $("#state").textContent = "";
  $("#result").hidden = false;
  const kind = found.verdict ?? "none";
  $("#about").replaceChildren(tag(kind), el("b", { class: "number" }, number(found.score)),
    el("span", { class: "quiet" }, called + (limits({ image: found.threshold, review: found.review_threshold }) || "no threshold, and so no verdict")),
    ...[$("[name=station]").value && otherSize(...found.image_size), found.concern, found.note].filter(Boolean).map((words) => el("p", {}, words)));
  showImage($("#image"), found.image, file.name);
  showImage($("#overlay"), found.overlay, `heat of ${file.name}`);
  $("#regions").replaceChildren(...regionsTable(found.regions));
}

dropZone($("#drop"), ([first, ...more]) => {
  if (more.length) toast(`One image at a time: ${first.name} is looked at, the others are not.`);
  file = first;
  ask();
});
submitted($("#form"), ask);
$("[name=object_name]").addEventListener("input", () => {
  forget();
  waiting = setTimeout(ask, 500);
});
$("[name=station]").addEventListener("change", ask);
function follow(station) { // another version may call the image something else
  if (station.version !== data.station.version) ask();
  data.station = station;
}
watchStation({ station: follow, reset: ask });
