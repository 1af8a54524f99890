// Light or dark, as the reader chose before; the system's choice until then. Runs before the page is drawn, so
// that no page flashes in the other colours, or with what is meant for browsers without scripts.

const root = document.documentElement;
root.classList.add("scripted");
const remembered = readTheme();
if (remembered) root.dataset.theme = remembered;

addEventListener("DOMContentLoaded", () => {
  for (const button of document.querySelectorAll("[data-theme-button]")) {
    button.hidden = false;
    describe(button);
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      try { localStorage.setItem("theme", root.dataset.theme); } catch { /* A browser that keeps nothing. */ }
      describe(button);
    });
  }
});

function readTheme() {
  try {
    const theme = localStorage.getItem("theme");
    return theme === "light" || theme === "dark" ? theme : null;
  } catch {
    return null;
  }
}

function isDark() {
  return (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
}

function describe(button) {
  button.setAttribute("aria-label", isDark() ? "Use light colours" : "Use dark colours");
}
