// What every page does: the theme switch, and the name of the person in all its fields.

import { keepWho } from "./api.js";
import { $ } from "./dom.js";

$("#theme-switch").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("oddlens.theme", root.dataset.theme);
  dispatchEvent(new Event("theme"));
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => dispatchEvent(new Event("theme")));
keepWho();
