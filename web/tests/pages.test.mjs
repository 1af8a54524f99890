// What people find on the pages of models: search, card, files, facts, dangers; and that anyone can use them.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, test } from "node:test";

import { barriers, faint, faults, open, visit } from "./browser.mjs";
import { admin, furnish, push, start, until } from "./server.mjs";

let server;
let browser;
let signedIn;
let token;

before(async () => {
  server = await start();
  token = await furnish(server);
  browser = await open();
  const page = await visit(browser, server);
  await page.goto(`/sign-in${new URL(admin(server, "sign-in-link", "alice")).search}`);
  signedIn = await page.context().storageState();
  await page.context().close();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const PUBLIC = [
  "/", "/models", "/datasets", "/?q=iris", "/?q=nothingfitsthis", "/alice", "/new", "/api/v1/", "/sign-in", "/alice/iris",
  "/alice/iris/try", "/alice/iris/try?example=1", "/alice/iris/tree/main", "/alice/iris/blob/main/reenact.toml",
  "/alice/iris/blob/main/model.onnx", "/alice/iris/commits/main", "/alice/iris/commit/main", "/alice/iris/about", "/alice/iris/use", "/alice/digits/try",
  "/alice/number/try", "/alice/danger", "/alice/danger/about", "/alice/danger/try", "/nobody/nothing", "/alice/iris/discussions", "/alice/iris/discussions/1",
];
const OWN = ["/settings", "/settings/delete", "/settings/sessions", "/settings/tokens", "/settings/endpoints", "/settings/password", "/alice/iris/settings", "/alice/iris/endpoint", "/alice/iris", "/alice/secret/try", "/alice/iris/discussions/1", "/alice/iris/discussions/new", "/alice/iris/settings/access", "/alice/iris/settings/webhooks"];

test("a search finds what it should, and a private model only for its owner", async () => {
  const page = await visit(browser, server);
  await page.goto("/");
  await page.getByRole("searchbox").fill("three kinds");
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: "alice/iris" }).waitFor();
  assert.equal(await page.getByRole("link", { name: "alice/digits" }).count(), 0);
  assert.equal(await page.getByRole("link", { name: "alice/secret" }).count(), 0);
  await page.goto("/models");
  await page.getByRole("link", { name: "Image classification" }).click();
  await page.getByRole("link", { name: "alice/digits" }).waitFor();
  assert.equal(await page.getByRole("link", { name: "alice/iris" }).count(), 0);
  const own = await visit(browser, server, { storageState: signedIn });
  await own.goto("/?q=three+kinds");
  await own.getByRole("link", { name: "alice/secret" }).waitFor();
});

test("a private model does not exist for others, on any page", async () => {
  const look = async (path) => {
    const response = await fetch(server.url + path);
    const text = (await response.text()).replaceAll("secret", "nothing").replace(/Request <code>.*?<\/code>/, "");
    return { status: response.status, text };
  };
  const pages = ["", "/try", "/about", "/use", "/tree/main", "/blob/main/model.onnx", "/commits/main", "/settings", "/endpoint"];
  for (const rest of pages) {
    const hidden = await look(`/alice/secret${rest}`);
    assert.equal(hidden.status, 404, rest);
    assert.deepEqual(hidden, await look(`/alice/nothing${rest}`), rest);
  }
});

test("a card is shown, and what it brings does not run", async () => {
  const page = await visit(browser, server);
  await page.goto("/alice/iris");
  const card = page.locator("article.card");
  await card.getByText("three kinds").waitFor();
  assert.equal(await card.locator("table td").first().textContent(), "accuracy");
  assert.equal(await page.evaluate(() => window.ran), undefined);
  assert.equal(await card.getByRole("link", { name: "Its manifest" }).getAttribute("href"), "/alice/iris/blob/main/reenact.toml");
  assert.ok(!(await card.innerHTML()).includes("javascript:"));
  assert.ok(!(await card.textContent()).includes("pipeline_tag"), "front matter is shown");
  assert.deepEqual(page.problems, []);
  const policy = (await page.request.get("/alice/iris")).headers()["content-security-policy"];
  assert.match(policy, /default-src 'self'/);
  assert.doesNotMatch(policy, /unsafe/);
});

test("dangers are named with place and file, and nothing was run", async () => {
  const page = await visit(browser, server);
  await until(async () => {
    await page.goto("/alice/danger");
    return (await page.locator(".notice.danger").count()) > 0;
  });
  const box = page.locator(".notice.danger");
  assert.match(await box.textContent(), /posix\.system[\s\S]*model\.pkl[\s\S]*GLOBAL at 0/);
  assert.ok(!existsSync("/tmp/reenact-was-fooled"));
  await page.goto("/alice/danger/try");
  await page.getByText("It cannot be put live").waitFor();
});

test("files, one file and history can be walked", async () => {
  const page = await visit(browser, server);
  await page.goto("/alice/iris");
  await page.getByRole("link", { name: "Files" }).click();
  await page.getByRole("link", { name: "reenact.toml", exact: true }).click();
  await page.getByText('kind = "table"').waitFor();
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download" }).click()]);
  assert.equal(download.suggestedFilename(), "reenact.toml");
  await page.getByRole("link", { name: "History" }).click();
  await page.getByRole("link", { name: "Add 4 files" }).first().click();
  assert.match(page.url(), /\/commit\/[0-9a-f]{40}$/);
  await page.getByText('kind = "table"').waitFor();
  await page.getByRole("link", { name: "All files" }).click();
  assert.match(page.url(), /\/tree\/[0-9a-f]{40}$/);
  assert.equal((await page.goto("/alice/iris/blob/main/missing.txt")).status(), 404);
  assert.equal((await page.goto("/alice/iris/tree/nosuch")).status(), 404);
});

test("a commit shows the lines that it changed, and the tensors", async () => {
  const weights = (...values) => {
    const table = { scale: { dtype: "F32", shape: [values.length], data_offsets: [0, 4 * values.length] } };
    const head = Buffer.from(JSON.stringify(table));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(head.length));
    return Buffer.concat([length, head, Buffer.from(Float32Array.from(values).buffer)]);
  };
  await push(server, token, "alice/grown", { "notes.md": "one\ntwo <b>\nthree\n", "model.safetensors": weights(1, 2, 4) });
  await push(server, token, "alice/grown", { "notes.md": "one\n2 <b>\nthree\n", "model.safetensors": weights(1, 2.5, 4) });
  const page = await visit(browser, server);
  await page.goto("/alice/grown/commits/main");
  await page.locator(".history a").first().click();
  const notes = page.getByRole("region", { name: "notes.md" });
  assert.deepEqual(await notes.locator("tr.removed .text").allTextContents(), ["two <b>"]);
  assert.deepEqual(await notes.locator("tr.added .text").allTextContents(), ["2 <b>"]);
  assert.deepEqual(await faults(page), []);
  await page.getByRole("link", { name: "Which tensors changed" }).click();
  const row = page.getByRole("row", { name: "scale" });
  assert.match(await row.textContent(), /FP32 \(3\)\s*1 of 3 values \(33\.3 %\)\s*0\.50000\s*0\.20000/);
  assert.deepEqual(await faults(page), []);
  assert.equal((await page.goto("/alice/grown/commit/main/missing.safetensors")).status(), 404);
  await page.goto("/alice/grown/commit/main/notes.md");
  await page.getByText("No tensors can be found in this file").waitFor();
});

test("the owner opens, closes and deletes a model by its name", async () => {
  const page = await visit(browser, server, { storageState: signedIn });
  await page.goto("/alice/danger/settings");
  await page.getByLabel("Private").check();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("private", { exact: true }).first().waitFor();
  const stranger = await visit(browser, server);
  assert.equal((await stranger.goto("/alice/danger")).status(), 404);
  await page.getByLabel("Type alice/danger").fill("danger");
  await page.getByRole("button", { name: "Delete for good" }).click();
  await page.getByRole("alert").waitFor();
  await page.getByLabel("Type alice/danger").fill("alice/danger");
  await page.getByRole("button", { name: "Delete for good" }).click();
  await page.waitForURL("**/alice");
  assert.equal((await page.goto("/alice/danger")).status(), 404);
});

test("an unknown address says what to do, and clients of the API get no page", async () => {
  const page = await visit(browser, server);
  await page.goto("/no/such/page/at/all");
  await page.getByRole("link", { name: "Front page" }).waitFor();
  assert.match(await page.locator("main").textContent(), /Request \S+/);
  const response = await fetch(`${server.url}/api/v1/nothing`);
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  assert.equal((await response.json()).status, 404);
});

test("a form that is too large or cannot be read is refused with a page", async () => {
  const send = (body, type) => fetch(`${server.url}/alice/iris/try`, { method: "POST", headers: { "content-type": type, origin: server.url }, body });
  const form = "application/x-www-form-urlencoded";
  for (const [body, type, status, words] of [[`csv=${"1".repeat(33 << 20)}`, form, 413, /larger than 32 MiB/], ["{}", "application/json", 415, /no form/]]) {
    const response = await send(body, type);
    assert.equal(response.status, status);
    const text = await response.text();
    assert.match(text, words);
    assert.match(text, /<h1>/);
  }
});

test("every page has names, landmarks and one heading, and fits a phone", async () => {
  for (const width of [1280, 768, 390, 320]) {
    const viewport = { width, height: 800 };
    const [page, own] = [await visit(browser, server, { viewport }), await visit(browser, server, { viewport, storageState: signedIn })];
    for (const path of PUBLIC) {
      await page.goto(path);
      assert.deepEqual(await faults(page), [], `${path} at ${width}`);
    }
    for (const path of OWN) {
      assert.equal((await own.goto(path)).status(), 200, path);
      assert.deepEqual(await faults(own), [], `${path} at ${width}`);
    }
    assert.deepEqual([...page.problems, ...own.problems], []);
    await Promise.all([page.context().close(), own.context().close()]);
  }
});

test("no page holds a grave barrier, wide and narrow, in light and in dark", async () => {
  for (const [width, colorScheme] of [[1280, "light"], [320, "dark"]]) {
    const options = { viewport: { width, height: 800 }, colorScheme };
    const [page, own] = [await visit(browser, server, options), await visit(browser, server, { ...options, storageState: signedIn })];
    for (const [visitor, paths] of [[page, PUBLIC], [own, OWN]]) {
      for (const path of paths) {
        await visitor.goto(path);
        assert.deepEqual(await barriers(visitor), [], `${path} at ${width} in ${colorScheme}`);
      }
    }
    await Promise.all([page.context().close(), own.context().close()]);
  }
});

test("every text stands out from its ground, in light and in dark", async () => {
  for (const colorScheme of ["light", "dark"]) {
    const [page, own] = [await visit(browser, server, { colorScheme }), await visit(browser, server, { colorScheme, storageState: signedIn })];
    for (const path of PUBLIC) {
      await page.goto(path);
      assert.deepEqual(await faint(page), [], `${path} in ${colorScheme}`);
    }
    for (const path of OWN) {
      await own.goto(path);
      assert.deepEqual(await faint(own), [], `${path} in ${colorScheme}`);
    }
  }
});

test("the colours that were chosen stay chosen", async () => {
  const page = await visit(browser, server, { colorScheme: "light" });
  await page.goto("/");
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.getByRole("button", { name: "Use dark colours" }).click();
  const dark = await ground();
  assert.notEqual(dark, light);
  await page.goto("/models");
  assert.equal(await ground(), dark);
});
