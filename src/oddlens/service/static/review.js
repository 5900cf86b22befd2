// Review: a gallery beside one image; what a person says of a verdict is added to what was said of it before.

import { get, post, query, who } from "./api.js";
import { $, $$, counted, data, doing, el, fileName, kindOf, moment, number, regionsTable, SAID, showImage, tag, tile, toast } from "./dom.js";
import { key } from "./keys.js";
import { openLearn } from "./learn.js";
import { watchStation } from "./status.js";

const { station } = data;
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
    if (items.length) show(0);
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
    $("[name=comment]").value = items[at].comment ?? "";
    $("[name=defect]").value = items[at].defect ?? "";
  }
  const item = items[at];
  showImage($("#stage"), heat ? item.links.overlay : item.links.image, fileName(item.source));
  $("#about").replaceChildren(
    tag(kindOf(item)), el("b", { class: "number" }, item.error ? "" : number(item.score)),
    el("span", { class: "quiet" }, [fileName(item.source), moment(item.time), item.p_value != null && `p ${item.p_value.toPrecision(2)}`, item.audit && "drawn for audit"].filter(Boolean).join(" · ")),
    item.said ? el("span", {}, `Said: ${SAID[item.said]}`) : "",
    ...[item.error, item.concern, item.note].filter(Boolean).map((words) => el("p", {}, words)),
  );
  for (const button of $$("[data-judged]")) button.setAttribute("aria-pressed", item.judged === button.dataset.judged);
  $("#regions").replaceChildren(...regionsTable(item.regions));
}

async function step(by) {
  if (at + by >= items.length && next) await load(true);
  show(at + by);
}

/** said: {"judged"} or {"said"}; what stands in the fields goes along. */
async function say(said) {
  const item = items[at];
  if (!item) return false;
  const { comment, defect } = Object.fromEntries(new FormData($("#words")));
  const changed = await doing(null, () => post(`${item.links.self}/feedback`, { ...said, comment: comment.trim() || null, defect: defect.trim() || null, reviewer: who() }));
  if (changed) replace(changed);
  if (changed?.remark) toast(changed.remark, true);
  return Boolean(changed);
}

function replace(changed) {
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
  if (await say({ judged })) step(1);
}

async function teach(said) {
  if (await say({ said })) openLearn(station, () => load());
}

function toggleHeat() {
  heat = !heat;
  show(at);
}

for (const button of $$("[data-judged]")) button.addEventListener("click", () => judge(button.dataset.judged));
$("#teach-good").addEventListener("click", () => teach("good"));
$("#teach-bad").addEventListener("click", () => teach("bad"));
$("#more").addEventListener("click", () => load(true));
$("#filter").addEventListener("change", () => load());
$("#filter").addEventListener("submit", (event) => event.preventDefault());
$("#words").addEventListener("submit", async (event) => {
  event.preventDefault();
  const item = items[at];
  if (!item?.said) return toast("Say first whether the verdict is right: 1, 2 or 3.", true);
  if (await say({ said: item.said })) toast("Saved.");
});

key(["j", "arrowdown"], "next image", () => step(1));
key(["k", "arrowup"], "previous image", () => step(-1));
key(["1"], "the verdict is right", () => judge("right"));
key(["2"], "the verdict is wrong", () => judge("wrong"));
key(["3"], "unsure", () => judge("unsure"));
key(["h"], "heat on and off", toggleHeat);
key(["c"], "write a comment", () => $("[name=comment]").focus());
key(["g"], "teach it as good", () => teach("good"));
key(["d"], "teach it as a defect", () => teach("bad"));

const wanted = new URLSearchParams(location.search);
for (const [name, value] of wanted) {
  const field = $("#filter").elements[name];
  if (field) field.value = value;
}
watchStation({ result: replace, reset: () => load() });
load();
