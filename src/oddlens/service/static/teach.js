// Teach: good images in and out, calibration, names, versions.

import { asSeen, call, get, ofStation, patch, images, post, who } from "./api.js";
import { $, counted, data, doing, el, moment, number, soon, submitted, tableRow, toast, working } from "./dom.js";
import { dropZone } from "./drop.js";
import { openLearn, turnedTable, withItems } from "./learn.js";
import { choose } from "./rates.js";
import { percentUp } from "./recount.js";
import { watchStation } from "./status.js";
import { called, decide, looking, vetted } from "./vetting.js";

const { station } = data;
const path = (rest = "") => ofStation(station.name, rest);

let asked = 0;

async function load() {
  const mine = ++asked;
  const [current, calibration] = await Promise.all([get(path()), get(path("/calibration")).catch(() => null)]);
  if (mine !== asked) return;
  station.version = current.version;
  follow($("#names [name=object_name]"), current.object_name ?? "");
  follow($("#names [name=defects]"), current.defects.join(", "));
  const references = [...current.references].sort((a, b) => (b.score ?? -Infinity) - (a.score ?? -Infinity));
  for (const { digest, source } of references) called.set(digest, source);
  $("h2 .number").textContent = references.length;
  $("#references").replaceChildren(...references.map(reference));
  const { good = 0, bad = 0, unsure = 0 } = current.marks;
  $("#marked").textContent = `Marked so far: ${good} good, ${bad} defective, ${unsure} unsure, on the page Review and with 'oddlens feedback'. Review, Thresholds and History show those that were made on the pages.`;
  $("#calibrated").textContent = calibrated(calibration, current);
  const { kept, enough } = calibration?.learning ?? { kept: 0, enough: 0 };
  $("[name=on] [value=learning]").textContent = `images that the station kept of its line (${kept}, ${enough} are enough)`;
  const others = $("[name=on] [value=references]");
  others.hidden = others.disabled = references.length < 2;
  if (others.disabled && others.selected) others.parentNode.value = "files";
  $("[data-files]").hidden = others.parentNode.value !== "files";
  choose($("[name=review_rate]"), calibration?.review_rate ?? 0);
  $("#versions").replaceChildren(...[...current.versions].reverse().map((each) => tableRow([
    each.number, el("span", { class: "quiet" }, each.time ? moment(each.time) : ""), el("td", { class: "words" }, each.what ?? ""),
    each.number === current.version ? "in force" : el("button", { type: "button", onclick: () => back(each.number) }, "Go back to it")])));
}

/** A field shows what is in force, unless a person has written something else. */
function follow(field, value) {
  if (field.value === field.defaultValue) field.value = value;
  field.defaultValue = value;
}

function reference(each) {
  const row = tableRow([
    each.has_thumbnail ? el("img", { src: path(`/references/${each.digest}/thumbnail`), alt: "", width: 56, height: 56, loading: "lazy" }) : "",
    el("td", { class: "words" }, each.source, each.time && el("span", { class: "quiet" }, ` of ${moment(each.time)}`), each.reason ? el("p", { class: "small" }, each.reason) : ""),
    number(each.score), each.p_value == null ? "–" : each.p_value.toPrecision(2),
    el("button", { type: "button", "aria-label": `Take ${each.source} out`, onclick: (event) => remove(event.target, each) }, "Take out")]);
  row.classList.toggle("flagged", Boolean(each.flagged));
  return row;
}

function calibrated(known, current) {
  if (!known?.count) return "Not calibrated yet: no threshold promises anything.";
  const kind = known.kind === "leave-one-out" ? "each good image against the others" : "other good images";
  const made = `On ${counted(known.count, "image")} (${kind})`;
  if (known.by_hand.length) return [`${made}.`, ...known.by_hand].join(" ");
  const review = current.thresholds.review == null ? "none" : percentUp(known.review_rate);
  return `${made}, for ${percentUp(known.false_alarm_rate)} NG and ${review} to review among good parts. ${current.thresholds.promise ?? ""}`;
}

/** An action that makes a new version; everything is read again afterwards. */
async function change(button, action, words) {
  const made = await doing(button, () => working("Making a new version …", action));
  if (made) toast(words(made));
  if (made) await doing(null, load);
}

/** What a change of the good images would do, with the results whose verdicts would turn. */
const tried = (words, method, rest, body) => doing(null, () => working(words, async () => {
  const found = await call(method, path(`${rest}?dry_run=true`), body);
  return { ...found, turned: await withItems(found.turned) };
}));

async function remove(button, { digest, source }) {
  const rest = `/references/${digest}`;
  const look = await tried(looking([]), "DELETE", rest);
  if (!look || !(await decide($("#vetting"), `Take ${source} out? ${look.sentences.join(" ")}`, [], [], turnedTable(look.turned)))) return;
  await change(button, () => call("DELETE", asSeen(station, rest, { who: who() })), () => `${source} is out.`);
}

async function back(version) {
  const look = await tried(`Looking at version ${version} …`, "POST", "/rollback", { version });
  if (!look || !(await decide($("#back"), `Put version ${version} in force again?`, [], [], turnedTable(look.turned)))) return;
  await change(null, () => post(asSeen(station, "/rollback"), { version, who: who() }), (made) => `Version ${made.version} is in force.`);
}

dropZone($("#drop"), async (files) => {
  const place = $("#vetting");
  const look = await tried(looking(files), "POST", "/references", images(files));
  if (!look) return;
  const decided = await decide(place, look.sentences.join(" "), look.vetting, files.map((file) => file.name), turnedTable(look.turned));
  if (!decided) return;
  const kept = files.filter((file) => !decided.left.includes(file.name));
  if (!kept.length) return;
  const made = await vetted(place, kept, (some, accepted) => post(asSeen(station, "/references"), images(some, { who: who() }, accepted)), decided.accepted);
  if (!made) return;
  toast(made.sentences.join(" "));
  await doing(null, load);
});

$("#open-learn").addEventListener("click", () => openLearn(station, load));
$("[name=on]").addEventListener("change", (event) => { $("[data-files]").hidden = event.target.value !== "files"; });
submitted($("#calibrate"), async (event) => {
  const { on, false_alarm_rate, review_rate } = Object.fromEntries(new FormData(event.target));
  const files = on === "files" ? [...$("[name=files]").files] : [];
  if (on === "files" && !files.length) return toast("Choose the good images first.", true);
  const made = await doing(event.submitter, () => vetted($("#calibration-vetting"), files, (some, accepted) =>
    post(asSeen(station, "/calibration"), images(some, { on, false_alarm_rate, review_rate, who: who() }, accepted))));
  if (!made) return;
  toast([...made.sentences, ...(made.by_hand.length ? made.by_hand : [made.promise ?? "Calibrated."])].join(" "));
  await doing(null, load);
});
submitted($("#names"), (event) => {
  const { object_name: name, defects } = Object.fromEntries(new FormData(event.target));
  const words = defects.split(",").map((each) => each.trim()).filter(Boolean);
  const wish = { who: who() };
  const { object_name: nameField, defects: defectsField } = event.target.elements;
  if (name.trim() && name.trim() !== nameField.defaultValue) wish.object_name = name.trim();
  if (defects !== defectsField.defaultValue) wish.defects = words;
  change(event.submitter, () => patch(asSeen(station), wish), (made) => {
    for (const field of [nameField, defectsField]) field.defaultValue = field.value; // what is read again is shown as it is kept
    return `Saved: version ${made.version}.`;
  });
});
watchStation({ station: soon(load), feedback: soon(load), reset: load });
doing(null, load);
