// Runs before the first paint: the theme that was chosen here, if one was.
try {
  const chosen = localStorage.getItem("oddlens.theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
} catch {
  // A browser that keeps nothing follows the system.
}
