// Runs before the first paint, so that a remembered choice of colours never flashes the other one.
try {
  const chosen = localStorage.getItem("playledger.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // Storage is off limits here: the system's colours do.
}
