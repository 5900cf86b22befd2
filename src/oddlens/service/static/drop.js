// A place to drop pictures on, which is a file field too: for those who have no mouse.

import { $ } from "./dom.js";

/** take: called with an array of files. */
export function dropZone(zone, take) {
  const field = $("input[type=file]", zone);
  field.addEventListener("change", () => {
    take([...field.files]);
    field.value = "";
  });
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    const files = [...event.dataTransfer.files];
    if (files.length) take(files);
  });
}
