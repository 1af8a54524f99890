// Code that the pages offer, run as it stands: snippets, the page around an embedded web app, the OpenAPI document.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { faults, open, visit } from "./browser.mjs";
import { deploy, furnish, push, start } from "./server.mjs";

let server;
let browser;
let token;
let folder;
let elsewhere;

const WRITER = `from typing import Iterator
import time

def predict(prompt: str) -> Iterator[str]:
    for word in prompt.split():
        time.sleep(0.2)
        yield word.upper() + " "
`;

// Takes what R writes otherwise than JSON does.
const FORM = `def predict(file: bytes, options: dict, sure: bool) -> int:
    return 7 if isinstance(file, bytes) and options == {} and isinstance(sure, bool) else 0
`;

before(async () => {
  server = await start();
  token = await furnish(server);
  browser = await open();
  folder = mkdtempSync(join(tmpdir(), "reenact-snippets-"));
  // A page of another origin, whatever stands in it.
  elsewhere = createServer((_, response) => {
    response.setHeader("content-type", "text/html");
    response.end("<!doctype html><title>Elsewhere</title><h1>Elsewhere</h1>");
  });
  await new Promise((resolve) => elsewhere.listen(0, "127.0.0.1", resolve));
});
after(async () => {
  elsewhere?.close();
  await browser?.close();
  await server?.stop();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

const origin = () => `http://127.0.0.1:${elsewhere.address().port}`;

/** The code of a way on the page that shows how to use a model. */
async function snippets(page, id) {
  await page.locator(`label[for=way-${id}]`).click();
  const titles = { python: "Python", curl: "curl", javascript: "JavaScript", r: "R" };
  return page.locator(`section.way[aria-label="${titles[id]}"] pre`).allTextContents();
}

function run(id, code) {
  if (id === "curl") return execFileSync("sh", ["-c", code], { encoding: "utf8" });
  const file = join(folder, id === "python" ? "snippet.py" : "snippet.mjs");
  writeFileSync(file, code);
  const program = id === "python" ? (process.env.REENACT_TEST_PYTHON ?? "python3") : process.execPath;
  return execFileSync(program, [file], { encoding: "utf8" });
}

test("the snippets of an endpoint run as they stand", async () => {
  const page = await visit(browser, server, { javaScriptEnabled: false });
  await page.goto("/alice/iris/use");
  const [python] = await snippets(page, "python");
  assert.match(run("python", python), /\['(setosa|versicolor|virginica)'\]/);
  for (const code of await snippets(page, "curl")) assert.ok(JSON.parse(run("curl", code)), code);
  const [javascript] = await snippets(page, "javascript");
  assert.match(run("javascript", javascript), /\[ '(setosa|versicolor|virginica)' \]/);
});

const hasR = spawnSync("Rscript", ["-e", "library(httr2); library(jsonlite)"]).status === 0;

test("the snippet for R runs as it stands", { skip: hasR ? false : "R with `httr2` and `jsonlite` is not installed" }, async () => {
  await push(server, token, "alice/form", { "predict.py": FORM });
  await deploy(server, token, "alice/form");
  const page = await visit(browser, server, { javaScriptEnabled: false });
  for (const [name, answer] of [["iris", /"(setosa|versicolor|virginica)"/], ["form", /\b7\b/]]) {
    await page.goto(`/alice/${name}/use`);
    const [code] = await snippets(page, "r");
    const file = join(folder, "snippet.R");
    writeFileSync(file, code);
    // Packages of the system alone, in a locale in which it reads what the page is written in.
    const env = { ...process.env, LC_ALL: "C.UTF-8" };
    assert.match(execFileSync("Rscript", ["--vanilla", file], { encoding: "utf8", env }), answer);
  }
});

test("the snippet for JavaScript works in a page of another site, with a token and never with a cookie", async () => {
  const page = await visit(browser, server);
  await page.goto("/alice/iris/use");
  const [code] = await snippets(page, "javascript");
  await page.goto(origin());
  const ask = (text) => page.evaluate(`(async () => { const told = []; const console = { log: (x) => told.push(x) }; ${text}; return told[0]; })()`);
  assert.match((await ask(code))[0], /^(setosa|versicolor|virginica)$/);
  const withToken = code.replace('"content-type": "application/json"', `"content-type": "application/json", authorization: "Bearer ${token}"`);
  assert.match((await ask(withToken))[0], /^(setosa|versicolor|virginica)$/);
  const withCookies = code.replace('method: "POST",', 'method: "POST", credentials: "include",');
  await assert.rejects(ask(withCookies), /Failed to fetch/);
  // Nothing else of the server answers pages of other sites.
  await assert.rejects(page.evaluate(`fetch("${server.url}/api/v1/me")`), /Failed to fetch/);
});

test("the web app stands in a frame of another page, where its answer appears", async () => {
  const page = await visit(browser, server);
  await page.goto("/alice/iris/use");
  const frame = (await page.locator("pre").allTextContents()).find((text) => text.startsWith("<iframe"));
  await page.goto(origin());
  await page.evaluate((text) => document.body.insertAdjacentHTML("beforeend", text), frame);
  const inside = page.frameLocator("iframe");
  await inside.getByRole("button", { name: "Predict", exact: true }).click();
  await inside.locator("#answer .answer-label").waitFor();
  assert.equal(await inside.locator("header.top, footer").count(), 0);
  assert.deepEqual(page.problems, []);
});

test("without scripts a framed web app answers within its frame", async () => {
  const page = await visit(browser, server, { javaScriptEnabled: false });
  await page.goto("/alice/iris/embed");
  await page.getByRole("button", { name: "Predict", exact: true }).click();
  await page.locator("#answer .answer-label").waitFor();
  assert.match(page.url(), /\/alice\/iris\/embed$/);
});

test("only what anybody may see is framed", async () => {
  const policy = async (path) => (await fetch(server.url + path)).headers.get("content-security-policy");
  assert.match(await policy("/alice/iris/embed"), /frame-ancestors \*/);
  assert.match(await policy("/alice/iris/try"), /frame-ancestors 'none'/);
  await push(server, token, "alice/hidden-app", { "README.md": "# Hidden" }, "private");
  const response = await fetch(`${server.url}/alice/hidden-app/embed`, { headers: { authorization: `Bearer ${token}` } });
  assert.equal(response.status, 404, "a frame is shown to nobody in particular");
  assert.match(response.headers.get("content-security-policy"), /frame-ancestors 'none'/);
});

test("an answer grows piece by piece, and comes whole without scripts", async () => {
  await push(server, token, "alice/writer", { "predict.py": WRITER });
  await deploy(server, token, "alice/writer");
  const page = await visit(browser, server);
  await page.goto("/alice/writer/try");
  await page.getByLabel("prompt").fill("one two three four five");
  await page.getByRole("button", { name: "Predict", exact: true }).click();
  const text = page.locator("#answer .answer-text");
  await text.getByText("ONE").waitFor();
  assert.doesNotMatch(await text.textContent(), /FIVE/, "the first piece is shown before the last one");
  await text.getByText("ONE TWO THREE FOUR FIVE").waitFor();
  assert.deepEqual(page.problems, []);
  const plain = await visit(browser, server, { javaScriptEnabled: false });
  await plain.goto("/alice/writer/try");
  await plain.getByLabel("prompt").fill("one two");
  await plain.getByRole("button", { name: "Predict", exact: true }).click();
  await plain.locator("#answer").getByText("ONE TWO").waitFor();
});

for (const [name, options] of [["wide", { viewport: { width: 1280, height: 900 } }], ["narrow and dark", { viewport: { width: 320, height: 700 }, colorScheme: "dark" }]]) {
  test(`the page that shows how to use a model is whole when ${name}`, async () => {
    const page = await visit(browser, server, options);
    await page.goto("/alice/iris/use");
    assert.deepEqual(await faults(page), []);
    await page.goto("/alice/iris/embed");
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(over <= 0, `scrolls sideways by ${over} pixels`);
  });
}
