// A place to drop images on, which is a file field too: for those who have no mouse.

import { $ } from "./dom.js";

/** take: called with an array of files, those too that were chosen before this module had come. */
export function fileField(field, take) {
  const taken = () => {
    const files = [...field.files];
    field.value = "";
    if (files.length) take(files);
  };
  field.addEventListener("change", taken);
  taken();
}

/** target: an element, or the whole page. */
export function dropped(target, take) {
  target.addEventListener("dragover", (event) => event.preventDefault());
  target.addEventListener("drop", (event) => {
    event.preventDefault();
    const files = [...event.dataTransfer.files];
    if (files.length) take(files);
  });
}

/** The field and what is around it, on which files can be dropped. */
export function dropZone(zone, take) {
  fileField($("input[type=file]", zone), take);
  dropped(zone, take);
  zone.addEventListener("dragover", () => zone.classList.add("over"));
  for (const kind of ["dragleave", "drop"]) zone.addEventListener(kind, () => zone.classList.remove("over"));
}
