// The browser that the tests of the pages drive, and what they look for on every page.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** A camera that shows a test picture and a microphone that beeps; whoever visits says whether they may be used. */
const DEVICES = ["--use-fake-device-for-media-stream"];

/** Starts Chromium, the system's own. */
export async function open() {
  const executablePath = process.env.CHROMIUM ?? PLACES.find(existsSync);
  assert.ok(executablePath, "no Chromium here; install it, or say in `CHROMIUM` where it is");
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", "--disable-quic", ...DEVICES] });
}

/** A page that fails the test for any error of a script and any breach of the content security policy. */
export async function visit(browser, server, options = {}) {
  const context = await browser.newContext({ baseURL: server.url, ...options });
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(error.message));
  page.on("console", (message) => { if (/Content Security Policy/.test(message.text())) page.problems.push(message.text()); });
  return page;
}

/** What a screen reader and a keyboard need of any page; returns what is wrong. */
export function faults(page) {
  return page.evaluate(() => {
    const found = [];
    const shown = (element) => element.checkVisibility({ visibilityProperty: true });
    const nameOf = (element) => (element.labels?.length ? [...element.labels].map((label) => label.textContent).join(" ") : "")
      || element.getAttribute("aria-label") || (element.getAttribute("aria-labelledby") && document.getElementById(element.getAttribute("aria-labelledby"))?.textContent)
      || element.textContent || element.querySelector("img")?.alt || "";
    if (document.querySelectorAll("h1").length !== 1) found.push(`${document.querySelectorAll("h1").length} h1`);
    for (const landmark of ["header", "nav", "main", "footer"]) if (!document.querySelector(landmark)) found.push(`no ${landmark}`);
    if (!document.documentElement.lang || !document.title) found.push("no language or title");
    for (const element of document.querySelectorAll("input:not([type=hidden]), select, textarea, button, a[href], summary")) {
      if (shown(element) && element.getAttribute("aria-hidden") !== "true" && !nameOf(element).trim()) found.push(`no name: ${element.outerHTML.slice(0, 120)}`);
      if (element.tabIndex > 0) found.push(`tab order: ${element.outerHTML.slice(0, 120)}`);
    }
    for (const image of document.querySelectorAll("img:not([alt])")) if (!image.closest(".card")) found.push(`no alt: ${image.src.slice(0, 80)}`);
    const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
    for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) found.push(`id twice: ${id}`);
    for (const element of document.querySelectorAll("[aria-labelledby], [aria-describedby]")) {
      for (const name of ["aria-labelledby", "aria-describedby"]) {
        const id = element.getAttribute(name);
        if (id && !document.getElementById(id)) found.push(`${name} names nothing: ${id}`);
      }
    }
    const over = document.documentElement.scrollWidth - innerWidth;
    if (over > 0) found.push(`scrolls sideways by ${over} pixels`);
    return found;
  });
}

const AXE = readFileSync(fileURLToPath(import.meta.resolve("axe-core/axe.min.js")), "utf8");

/** Waits until colours have changed: they are looked at when they have, not while they do. */
function settled(page) {
  const transitions = () => document.getAnimations().filter((animation) => animation instanceof CSSTransition);
  return page.evaluate(`Promise.allSettled((${transitions})().map(({ finished }) => finished)).then(() => {})`);
}

/** What axe finds that keeps people out; returns rule and element. What a picture in a card shows, its author must say. */
export async function barriers(page) {
  await settled(page);
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { violations } = await window.axe.run({ exclude: [".card img:not([alt])"] }, { resultTypes: ["violations"] });
    const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
    return grave.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 160)}`));
  });
}

/** Texts whose contrast with what lies behind them is below what WCAG AA asks. */
export async function faint(page) {
  await settled(page);
  return page.evaluate(() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const parse = (color) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
      return { r, g, b, a: a / 255 };
    };
    const light = ({ r, g, b }) => {
      const [x, y, z] = [r, g, b].map((c) => { const v = c / 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
      return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    const ground = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const color = parse(getComputedStyle(at).backgroundColor);
        if (color.a > 0.99) return color;
      }
      return parse("white");
    };
    const found = [];
    for (const element of document.querySelectorAll("body *")) {
      const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
      if (!hasText || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) || element.closest("[disabled], .spoken, .skip, [aria-hidden=true]")) continue;
      const style = getComputedStyle(element);
      const [a, b] = [light(parse(style.color)), light(ground(element))].sort((x, y) => y - x);
      const contrast = (a + 0.05) / (b + 0.05);
      const isLarge = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
      if (contrast < (isLarge ? 3 : 4.5)) found.push(`${contrast.toFixed(2)}: ${element.tagName} "${element.textContent.trim().slice(0, 40)}"`);
    }
    return found;
  });
}
