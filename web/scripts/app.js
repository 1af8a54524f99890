// How an app stands, kept up to date: the page is loaded again when the app is there.

const PERIOD_MS = 1000;
const BUSY = ["pending", "building", "starting"];

const shown = document.querySelector("[data-app]");
if (shown && BUSY.includes(shown.dataset.state)) watch(shown.dataset.app, shown.dataset.state);

async function watch(name, before) {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, PERIOD_MS));
    if (document.hidden) continue;
    const response = await fetch(`/api/v1/apps/${name}`).catch(() => null);
    if (!response?.ok) continue;
    const { state } = await response.json();
    if (state !== before) { location.reload(); return; }
  }
}
