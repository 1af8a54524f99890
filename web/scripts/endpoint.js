// How an endpoint stands, kept up to date: its box on every page, and its log.

const PERIOD_MS = 1000;

/** What an endpoint is doing, or null if that cannot be learned now. */
export async function state(repository) {
  if (!repository) return null;
  try {
    const response = await fetch(`/api/v1/endpoints/${repository}`);
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}

/** Whether something is going on that ends by itself. */
export function isBusy(name) {
  return name === "pending" || name === "building" || name === "starting";
}

const box = document.querySelector("[data-endpoint]");
if (box) watch(box);

async function watch(box) {
  const first = box.dataset.state;
  const log = document.getElementById("log");
  let shown = first;
  while (isBusy(shown) || log) {
    await new Promise((resolve) => setTimeout(resolve, isBusy(shown) ? PERIOD_MS : 4 * PERIOD_MS));
    if (document.hidden) continue;
    const now = await state(box.dataset.endpoint);
    if (log) await readLog(log);
    if (!now || now.state === shown) continue;
    // Buttons and sentences change with the state; the server writes them.
    if (!isBusy(now.state)) { location.reload(); return; }
    shown = now.state;
    const mark = box.querySelector(".state");
    mark.dataset.state = mark.textContent = shown;
  }
}

async function readLog(log) {
  const response = await fetch(`/api/v1/endpoints/${log.dataset.log}/logs`).catch(() => null);
  if (!response?.ok) return;
  const text = (await response.json()).lines.map((line) => `${line}\n`).join("");
  if (text === log.textContent) return;
  const isAtEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
  log.textContent = text;
  document.getElementById("log-box").hidden = text === "";
  document.getElementById("log-empty").hidden = text !== "";
  if (isAtEnd) log.scrollTop = log.scrollHeight;
}
