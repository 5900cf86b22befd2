// Calls of the service. What goes wrong is an Error whose message is the service's sentence, with the status and the answer.

const fault = (sentence, status, answer) => Object.assign(new Error(sentence), { status, answer });

const answered = (detail) => dispatchEvent(new CustomEvent("answered", { detail }));

/** body: an object goes as JSON, a FormData or a File as it is. patience: milliseconds after which no answer is awaited any more. */
export async function call(method, path, body, patience) {
  const init = { method, headers: { Accept: "application/json" }, signal: patience && AbortSignal.timeout(patience) };
  if (body instanceof FormData || body instanceof Blob) init.body = body;
  else if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers["Content-Type"] = "application/json";
  }
  let response;
  try {
    response = await fetch(path, init);
  } catch {
    answered(false);
    throw fault("The service does not answer: see whether it still runs.", 0, {});
  }
  answered(true);
  const answer = await response.json().catch(() => ({}));
  if (response.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
  if (!response.ok) throw fault(answer.error ?? `The service answered ${response.status}.`, response.status, answer);
  return answer;
}

export const get = (path) => call("GET", path);
export const post = (path, body, patience) => call("POST", path, body, patience);
export const patch = (path, body) => call("PATCH", path, body);

/** What a station is now, without its references and logs. */
export const briefly = async (name) => (await get("/api/stations")).find((each) => each.name === name);

export const ofStation = (name, rest = "") => `/api/stations/${encodeURIComponent(name)}${rest}`;

/** Where a change of a station goes that a person decides on: refused where another version than the one shown is in force. */
export const asSeen = ({ name, version }, rest = "", fields = {}) => ofStation(name, `${rest}${query({ ...fields, seen: version })}`);

/** fields that are empty are left out. */
export function query(fields) {
  const given = Object.entries(fields).filter(([, value]) => value !== "" && value != null);
  return given.length ? `?${new URLSearchParams(given)}` : "";
}

/** Images and words as a form; accepted: names of doubtful images that a person vouches for. */
export function images(files, fields = {}, accepted = []) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) if (value !== "" && value != null) form.append(name, value);
  for (const file of files) form.append("files", file, file.name);
  for (const name of accepted) form.append("accept", name);
  return form;
}

/** What the browser keeps; one that may keep nothing remembers it until the page is left. */
export let kept;
try {
  kept = localStorage;
} catch {
  const words = new Map();
  kept = { getItem: (name) => words.get(name), setItem: (name, value) => words.set(name, value) };
}

const WHO = "oddlens.who";
export const who = () => kept.getItem(WHO)?.trim() || null;

/** Fields for the name of the person are one: what is written in one is kept for all pages. */
export function keepWho() {
  for (const field of document.querySelectorAll("[data-who]")) {
    field.value ||= who() ?? "";
    field.addEventListener("change", () => kept.setItem(WHO, field.value.trim()));
  }
}
