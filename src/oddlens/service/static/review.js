// Review: a gallery beside one image; what a person says of a verdict is added to what was said of it before.

import { get, post, query, who } from "./api.js";
import { $, $$, banner, counted, data, doing, el, fileName, kindOf, moment, number, otherSize, regionsTable, SAID, showImage, showWords, soon, submitted, tag, tile, toast } from "./dom.js";
import { key } from "./keys.js";
import { openLearn } from "./learn.js";
import { watchStation } from "./status.js";

const { station } = data;
const drafts = new Map(); // what was written of an image and is not saved, by its number
const awaited = new Set(); // marks that are not answered yet
const LATE_MS = 1500;
const PATIENCE_MS = 15_000;
let items = [];
let next = null;
let at = -1;
let heat = true;
let asked = 0;

const filter = () => Object.fromEntries(new FormData($("#filter")));

async function load(more = false) {
  const mine = ++asked;
  const page = await doing($("#more"), () => get(`/api/results${query({ station: station.name, ...filter(), limit: 60, cursor: more ? next : "" })}`));
  if (!page || mine !== asked) return;
  const chosen = items[at]?.id; // it stays the one, where it is still among them
  items = more ? [...items, ...page.items] : page.items;
  next = page.next;
  $("#total").textContent = counted(page.total, "image");
  $("#more").hidden = !next;
  $("#nothing").hidden = items.length > 0;
  const tiles = page.items.map(thumb);
  if (more) $("#tiles").append(...tiles);
  else {
    $("#tiles").replaceChildren(...tiles);
    at = -1;
    $("#view").hidden = !items.length;
    show(Math.max(0, items.findIndex((each) => each.id === chosen)));
  }
}

const thumb = (item) => el("li", {}, tile(item, () => {
  show(items.findIndex((each) => each.id === item.id));
  if (matchMedia("(max-width: 62rem)").matches) $("#view").scrollIntoView(); // it lies above the gallery there
}));
const thumbs = () => $$("#tiles .tile");

function show(place) {
  if (place < 0 || place >= items.length) return;
  if (place !== at) {
    thumbs()[at]?.removeAttribute("aria-current");
    const button = thumbs()[place];
    button.setAttribute("aria-current", "true");
    const list = $("#tiles"); // it scrolls on wide screens; the page stays where it is
    if (button.offsetTop < list.scrollTop || button.offsetTop + button.offsetHeight > list.scrollTop + list.clientHeight) list.scrollTop = button.offsetTop - list.clientHeight / 3;
    at = place;
  }
  const item = items[at];
  for (const [name, words] of Object.entries(written(item))) if ($(`[name=${name}]`).value !== words) $(`[name=${name}]`).value = words;
  $("#draft").hidden = !drafts.has(item.id);
  for (const button of $$("[data-teach]")) button.textContent = `Teach ${fileName(item.source)} as ${SAID[button.dataset.teach]}`;
  if (item.error) showWords($("#stage"), item.error);
  else showImage($("#stage"), heat ? item.links.overlay : item.links.image, fileName(item.source));
  $("#about").replaceChildren(
    tag(kindOf(item)), el("b", { class: "number" }, item.error ? "" : number(item.score)),
    el("span", { class: "quiet" }, [fileName(item.source), moment(item.time), item.p_value != null && `p ${item.p_value.toPrecision(2)}`, item.audit && "drawn for audit"].filter(Boolean).join(" · ")),
    item.said ? el("span", {}, `Said: ${SAID[item.said]}`) : "",
    ...[otherSize(item.width, item.height), item.concern, item.note].filter(Boolean).map((words) => el("p", {}, words)),
  );
  $("#view").dataset.kind = kindOf(item); // of what could not be looked at nothing can be said
  for (const button of $$("[data-judged]")) button.setAttribute("aria-pressed", item.judged === button.dataset.judged);
  $("#regions").replaceChildren(...regionsTable(item.regions));
}

async function step(by) {
  if (at + by >= items.length && next) await load(true);
  show(at + by);
}

/** What is written of an image, saved or not. */
const written = (item) => Object.fromEntries(["comment", "defect"].map((name) => [name, (drafts.get(item.id) ?? item)[name] ?? ""]));

/** said: {"judged"} or {"said"}; what is written of the image goes along. */
async function say(item, said) {
  const { comment, defect } = written(item);
  const draft = drafts.get(item.id);
  const mark = {};
  const unsaved = (why) => banner(`mark ${item.id}`, `What you said of ${fileName(item.source)} is not saved${why}.`, true);
  awaited.add(mark);
  const late = setTimeout(() => {
    unsaved(" yet: the service has not answered");
    dispatchEvent(new CustomEvent("answered", { detail: false }));
  }, LATE_MS);
  const changed = await doing(null, () => post(`${item.links.self}/feedback`, { ...said, comment: comment.trim() || null, defect: defect.trim() || null, reviewer: who() }, PATIENCE_MS));
  clearTimeout(late);
  awaited.delete(mark);
  if (!changed) {
    unsaved("");
    return false;
  }
  if (drafts.get(item.id) === draft) drafts.delete(item.id); // else more was written meanwhile
  replace(changed);
  if (changed.remark) toast(changed.remark, true);
  return true;
}

function replace(changed) {
  banner(`mark ${changed.id}`, null);
  const place = items.findIndex((each) => each.id === changed.id);
  if (place < 0) return;
  items[place] = changed;
  const fresh = thumb(changed);
  thumbs()[place].closest("li").replaceWith(fresh);
  if (place !== at) return;
  thumbs()[place].setAttribute("aria-current", "true");
  show(place);
}

async function judge(judged) {
  const item = items[at];
  if (!item || item.error || !(await say(item, { judged }))) return;
  const { said } = items.find((each) => each.id === item.id) ?? {};
  $("#last").replaceChildren(...(judged === "wrong" ? [`${fileName(item.source)} is marked: ${SAID[said]}.`,
    $(`[data-teach=${said}]`) ? el("button", { type: "button", onclick: () => openLearn(station, load) }, `Teach ${fileName(item.source)}`) : ""] : []));
  if (items[at]?.id === item.id) step(1);
}

/** The mark is made when the person has seen of which image: a click may come when the next one is there already. */
function teach(said) {
  const item = items[at];
  if (!item || item.error) return undefined;
  if (item.said === said && !drafts.has(item.id)) return openLearn(station, load);
  const dialog = $("#learn");
  const go = async (event) => {
    event.preventDefault();
    const marked = await doing(event.submitter, () => say(item, { said })); // once, however often it is pressed
    dialog.close();
    if (marked) openLearn(station, load);
  };
  dialog.replaceChildren(el("form", { onsubmit: go }, el("h2", { id: "learn-title" }, `Mark ${fileName(item.source)} as ${SAID[said]}?`),
    el("img", { src: item.links.thumbnail, alt: fileName(item.source) }),
    el("p", {}, "Then it is shown what the station would learn of all that is marked."),
    el("div", { class: "row" }, el("button", { class: "main" }, "Mark it"), el("button", { type: "button", onclick: () => dialog.close() }, "Not now"))));
  return dialog.showModal();
}

function toggleHeat() {
  heat = !heat;
  show(at);
}

// The second click of a double click would mark the next image, which nobody has seen.
for (const button of $$("[data-judged]")) button.addEventListener("click", ({ detail }) => detail < 2 && judge(button.dataset.judged));
for (const button of $$("[data-teach]")) button.addEventListener("click", () => teach(button.dataset.teach));
$("#more").addEventListener("click", () => load(true));
$("#filter").addEventListener("input", soon(load));
submitted($("#filter"), () => {}); // it has followed each letter already
$("#words").addEventListener("input", ({ target }) => {
  if (target.matches("[data-who]") || at < 0) return;
  drafts.set(items[at].id, Object.fromEntries(["comment", "defect"].map((name) => [name, $(`[name=${name}]`).value])));
  $("#draft").hidden = false;
});
addEventListener("beforeunload", (event) => (drafts.size || awaited.size) && event.preventDefault());
submitted($("#words"), async () => {
  const item = items[at];
  if (!item?.said) return toast("Say first whether the verdict is right: 1, 2 or 3.", true);
  if (await say(item, { said: item.said })) toast("Saved.");
});

key(["j", "arrowdown"], "next image", () => step(1));
key(["k", "arrowup"], "previous image", () => step(-1));
key(["1"], "the verdict is right", () => judge("right"));
key(["2"], "the verdict is wrong", () => judge("wrong"));
key(["3"], "unsure", () => judge("unsure"));
key(["h"], "heat on and off", toggleHeat);
key(["c"], "write a comment", () => $("[name=comment]").focus());
if (station.takes.includes("references")) key(["g"], "teach it as good", () => teach("good"));
key(["d"], "teach it as a defect", () => teach("bad"));

for (const [name, value] of new URLSearchParams(location.search)) {
  const field = $("#filter").elements[name];
  if (field) field.value = value;
}
watchStation({ result: replace, feedback: replace, reset: () => load() });
load();
