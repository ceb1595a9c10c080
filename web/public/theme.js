// Runs before the first paint, so that a remembered theme never flashes.
try {
  const theme = localStorage.getItem("secureguard.theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
} catch {
  // Storage may be forbidden; the system's preference applies then.
}
