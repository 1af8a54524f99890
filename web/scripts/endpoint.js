// How an endpoint stands, kept up to date: its box on every page, and its log.

const PERIOD_MS = 1000;
const MEASURE_MS = 10_000;
/** Lines that are shown at most. */
const LINES = 1000;

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
const log = document.getElementById("log");
const measures = document.getElementById("measures");
if (box) watch(box);
if (log) follow(log);
if (measures) measure(measures);

async function watch(box) {
  let shown = box.dataset.state;
  while (isBusy(shown) || log) {
    await wait(isBusy(shown) ? PERIOD_MS : 4 * PERIOD_MS);
    if (document.hidden) continue;
    const now = await state(box.dataset.endpoint);
    if (!now || now.state === shown) continue;
    // Buttons and sentences change with the state; the server writes them.
    if (!isBusy(now.state)) { location.reload(); return; }
    shown = now.state;
    const mark = box.querySelector(".state");
    mark.dataset.state = mark.textContent = shown;
  }
}

/** Adds what is written to what is shown; all of it is sent first. */
function follow(log) {
  const lines = [];
  const events = new EventSource(`/api/v1/endpoints/${log.dataset.log}/logs?follow=1`);
  let drawn = 0;
  events.onopen = () => { lines.length = 0; };
  events.onmessage = (event) => {
    lines.push(event.data);
    if (lines.length > LINES) lines.splice(0, lines.length - LINES);
    cancelAnimationFrame(drawn);
    drawn = requestAnimationFrame(() => draw(log, lines));
  };
  // A browser comes back by itself after a break, but not after a refusal.
  addEventListener("pagehide", () => events.close());
}

function draw(log, lines) {
  const isAtEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
  log.textContent = lines.map((line) => `${line}\n`).join("");
  document.getElementById("log-box").hidden = false;
  document.getElementById("log-empty").hidden = true;
  if (isAtEnd) log.scrollTop = log.scrollHeight;
}

/** The server draws; what it drew is put in the place of what is shown. */
async function measure(measures) {
  for (;;) {
    await wait(MEASURE_MS);
    // Whoever reads the figures should not lose their place.
    if (document.hidden || measures.contains(document.activeElement)) continue;
    const response = await fetch(location.pathname).catch(() => null);
    if (!response?.ok) continue;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = page.getElementById("measures");
    if (!fresh) continue;
    const isOpen = measures.querySelector("details")?.open;
    measures.replaceChildren(...fresh.childNodes);
    const details = measures.querySelector("details");
    if (details && isOpen) details.open = true;
  }
}

function wait(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
