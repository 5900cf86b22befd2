// Elements and words. Text becomes a text node, never markup, so that no name of a file can be more than a name.

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

/** What the server knew when it made the page. */
export const data = JSON.parse($("#data").textContent);

/** An element. attributes: `onclick` and the like are listeners, `dataset` an object, true and false set and leave out. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(node.dataset, value);
    else if (value !== false && value != null) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(2).filter((child) => child != null && child !== false));
  return node;
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** What verdicts are called on the page. */
export const WORDS = data.words;

export const kindOf = (item) => (item.error ? "failed" : (item.verdict ?? "none"));
export const shape = (kind) => svg("svg", { class: "shape", "aria-hidden": "true" }, svg("use", { href: `#shape-${kind}` }));
export const tag = (kind) => el("span", { class: "tag", dataset: { verdict: kind } }, shape(kind), WORDS[kind]);
export const SAID = { good: "good", bad: "defect", unsure: "unsure" };

/** What the macro `counts` shows, as it is now. */
export function countsIn(place, today) {
  for (const node of $$(".count", place)) {
    const kind = node.dataset.verdict;
    $("b", node).textContent = today[kind];
    node.hidden = (kind === "failed" || kind === "none") && !today[kind];
  }
}

/** A small number with an exponent, so that it is right where it has little room: 1.3e-5, not 0.0000. */
const far = (value, least, digits) => (value && Math.abs(value) < least ? value.toExponential(digits) : null);
const places = (value) => (Math.abs(value) >= 100 ? 1 : Math.abs(value) >= 10 ? 2 : 4);
export const number = (value) => (value == null ? "–" : (far(value, 0.001, 2) ?? value.toFixed(places(value))));
export const short = (value) => far(value, 0.01, 1) ?? (Math.abs(value) < 1000 ? value.toPrecision(3) : value.toExponential(1).replace("+", ""));
export const brief = (value) => String(Number(value.toPrecision(4)));
export const percent = (share) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;
export const moment = (time) => new Date(time).toLocaleString([], { dateStyle: "short", timeStyle: "medium" });
export const clock = (time) => new Date(time).toLocaleTimeString([], { timeStyle: "medium" });
export const counted = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;
export const fileName = (source) => source.split(/[/\\]/).pop() || source;

/** A sentence in the corner: what was done, or what went wrong. */
let leaving;
export function toast(sentence, bad = false) {
  let node = $(".toast");
  if (!node) document.body.append((node = el("p", { class: "toast" })));
  node.setAttribute("role", bad ? "alert" : "status");
  node.classList.toggle("bad", bad);
  node.textContent = sentence;
  clearTimeout(leaving);
  leaving = setTimeout(() => node.remove(), Math.max(bad ? 12000 : 4000, 60 * sentence.length)); // a long one takes long to read
}

/** Run something that may fail; its sentence is shown. A button is dead while it runs, so that nothing is sent twice. */
export async function doing(button, action) {
  if (button) button.disabled = true;
  try {
    return await action();
  } catch (error) {
    toast(error.message, true);
    return undefined;
  } finally {
    if (button) button.disabled = false;
  }
}

/** As an action that takes long: the page is dead meanwhile, and says what is done and for how long by now. */
export async function working(words, action) {
  const seconds = el("span", { class: "number", "aria-hidden": "true" });
  const note = el("p", { class: "busy working row", role: "status" }, el("progress"), words, seconds);
  const begun = performance.now();
  const focused = document.activeElement;
  const ticking = setInterval(() => { seconds.textContent = `${Math.floor((performance.now() - begun) / 1000)} s`; }, 1000);
  $("main").inert = true;
  $("main").after(note);
  try {
    return await action();
  } finally {
    clearInterval(ticking);
    note.remove();
    $("main").inert = false;
    focused?.focus({ preventScroll: true });
  }
}

/** What happens when a form is sent; the page stays. */
export function submitted(form, action) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    action(event);
  });
}

/** An action that many events ask for is done once, some time after the first of them. */
export function soon(action, delay = 400) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => {
      waiting = false;
      Promise.resolve(action()).catch(() => {}); // the next event tries again; that the service is gone is said at the top
    }, delay);
  };
}

/** A sentence that stays at the top of the page until its reason has gone. key: what it is about; null text takes it away. */
export function banner(key, text, bad = false) {
  const there = $$("#banners > *").find((each) => each.dataset.key === key);
  if (there && $("span", there).textContent === text) return;
  there?.remove();
  if (!text) return;
  const node = el("p", { class: bad ? "banner bad" : "banner", dataset: { key } }, shape(bad ? "failed" : "review"), el("span", {}, text));
  $("#banners").append(node);
}

const LATE_MS = 300;

/** An image in a frame, shown when it has come whole, so that nothing flickers; one that was there goes when the new one is late. */
export function showImage(stage, address, name) {
  if (stage.awaited?.getAttribute("src") === address) return;
  const image = new Image();
  image.alt = name;
  image.src = address;
  stage.awaited = image;
  stage.late ??= setTimeout(() => fill(stage, el("p", {}, `Waiting for the image: ${stage.awaited.alt}`)), LATE_MS);
  const place = (node) => stage.awaited === image && fill(stage, node);
  image.decode().then(() => place(image), () => place(el("p", {}, `There is no image of ${name}.`)));
}

function fill(stage, node) {
  clearTimeout(stage.late);
  stage.late = null;
  $$("img, p", stage).forEach((each) => each.remove());
  stage.prepend(node);
}

export function showWords(stage, words) {
  stage.awaited = null;
  fill(stage, el("p", {}, words));
}

/** An image of a gallery: its thumbnail, the shape of its verdict, its score, what was said of it. */
export function tile(item, onclick) {
  const kind = kindOf(item);
  const name = fileName(item.source);
  return el(
    "button",
    { type: "button", class: "tile", dataset: { verdict: kind, id: item.id }, title: item.source, "aria-label": `${WORDS[kind]}, ${name}`, onclick },
    item.error ? el("span", { class: "none" }) : el("img", { src: item.links.thumbnail, alt: "", loading: "lazy" }),
    el("span", { class: "foot" }, shape(kind), el("span", {}, item.error ? "" : short(item.score))),
    item.said && el("span", { class: "said" }, SAID[item.said]),
  );
}

export const limits = ({ image, review } = {}) => [review != null && `REVIEW above ${brief(review)}`, image != null && `NG above ${brief(image)}`].filter(Boolean).join(", ");
export const UNKNOWN = "unknown"; // stands first where none of the names is likely

/** That an image is of another size than the station's, which may look like a defect; null where it is not. */
export const otherSize = (width, height, expected = data.station.image_size) => expected && width != null && String([width, height]) !== String(expected)
  && `It has ${width} × ${height} pixels, and the station expects ${expected.join(" × ")}: check camera and crop.`;

/** The regions of a result as a table; empty where there are none. */
export function regionsTable(regions) {
  if (!regions?.length) return [];
  const named = regions.some((each) => each.names?.length);
  const head = ["", "At", "Size", "Area", "Peak", ...(named ? ["May be"] : [])];
  const rows = regions.map((each, place) => [
    place + 1, `${each.box[0]}, ${each.box[1]}`, `${each.box[2]} × ${each.box[3]}`,
    each.area_mm2 == null ? `${each.area} px` : `${number(each.area_mm2)} mm²`, number(each.peak),
    ...(named ? [each.names?.[0]?.[0] === UNKNOWN ? "like none that is named" : (each.names ?? []).slice(0, 2).map(([name, weight]) => `${name} ${weight.toFixed(2)}`).join(", ")] : []),
  ]);
  return [table(head, rows)];
}

export function table(head, rows) {
  return el("table", {}, el("thead", {}, el("tr", {}, head.map((word) => el("th", {}, word)))), el("tbody", {}, rows.map(tableRow)));
}

export const tableRow = (cells) => el("tr", {}, cells.map((cell) => (cell instanceof Element && cell.tagName === "TD" ? cell : el("td", {}, cell ?? ""))));
