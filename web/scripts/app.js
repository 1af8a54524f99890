// How an app stands, kept up to date: the page is loaded again when the app is there, and says so while a visit wakes it.

const PERIOD_MS = 1000;
const BUSY = ["pending", "building", "starting"];

const shown = document.querySelector(".stack-wide[data-state]");
const name = shown?.dataset.app;
if (name && BUSY.includes(shown.dataset.state)) watch(shown.dataset.state);

// The frame of an app that sleeps is empty until it answers, which takes as long as it takes to start.
const waking = document.querySelector("[data-waking]");
if (waking) {
  waking.hidden = false;
  document.querySelector("iframe.app").addEventListener("load", () => {
    waking.hidden = true;
    if (name) tell();
  });
}

// What the page said when it was written may be over: opening it is a visit.
async function tell() {
  const response = await fetch(`/api/v1/apps/${name}`).catch(() => null);
  if (!response?.ok) return;
  const { state } = await response.json();
  const mark = shown.querySelector(".state");
  if (state !== "ready" || mark.dataset.state === state) return;
  mark.dataset.state = mark.textContent = state;
  shown.querySelector("[data-sentence]").textContent = "Running.";
}

async function watch(before) {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, PERIOD_MS));
    if (document.hidden) continue;
    const response = await fetch(`/api/v1/apps/${name}`).catch(() => null);
    if (!response?.ok) continue;
    const { state } = await response.json();
    if (state !== before) { location.reload(); return; }
  }
}
