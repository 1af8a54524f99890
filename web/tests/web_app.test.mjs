// The web app: by form, by drawing, by picture, by CSV, by keyboard, and without scripts.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { open, visit } from "./browser.mjs";
import { admin, furnish, start } from "./server.mjs";

let server;
let browser;

before(async () => {
  server = await start();
  await furnish(server);
  browser = await open();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const label = (page) => page.locator("#answer .answer-label");

test("a form answers with a class and its probabilities, and again while a value changes", async () => {
  const page = await visit(browser, server);
  await page.goto("/alice/iris/try");
  await page.getByLabel("petal length").fill("6.1");
  await page.getByLabel("petal width").fill("2.4");
  await page.getByRole("button", { name: "Predict", exact: true }).click();
  await label(page).getByText("virginica").waitFor();
  const bars = await page.locator(".bars li").allTextContents();
  assert.equal(bars.length, 3);
  assert.match(bars[0], /^virginica\s*\d+\.\d %$/);
  await page.getByLabel("Answer while I change values").check();
  await page.locator("[data-slider=f2]").fill("1");
  await page.locator("[data-slider=f3]").fill("0.2");
  await label(page).getByText("setosa").waitFor();
  assert.equal(await page.getByLabel("petal length").inputValue(), "1");
  assert.deepEqual(page.problems, []);
});

test("an example is one click away, and is told from what it is known to be", async () => {
  const page = await visit(browser, server);
  await page.goto("/alice/iris/try");
  await page.getByRole("link", { name: "2: virginica" }).click();
  await page.getByText("known to be virginica").waitFor();
  assert.equal(await page.getByLabel("sepal length").inputValue(), "6.3");
  assert.match(page.url(), /\/try$/, "the page was left");
});

test("the command repeats exactly what was just done", async () => {
  const page = await visit(browser, server);
  await page.goto("/alice/iris/try");
  await page.getByRole("link", { name: "2: virginica" }).click();
  await label(page).waitFor();
  const command = await page.locator("#curl").textContent();
  const answer = JSON.parse(execFileSync("sh", ["-c", command], { encoding: "utf8" }));
  assert.deepEqual(answer.outputs[0].data, [2]);
});

test("what does not fit is refused with its name", async () => {
  const page = await visit(browser, server);
  await page.goto("/alice/iris/try");
  await page.evaluate(() => { const field = document.getElementById("f1"); field.type = "text"; field.value = "wide"; });
  await page.getByRole("button", { name: "Predict", exact: true }).click();
  await page.locator("#answer").getByRole("alert").waitFor();
  assert.equal(await label(page).count(), 0);
});

test("a digit that is drawn is recognised, taken back and drawn anew", async () => {
  const page = await visit(browser, server);
  await page.goto("/alice/digits/try");
  const stroke = async (points) => {
    const box = await page.locator("#pad").boundingBox();
    const at = ([x, y]) => [box.x + x * box.width, box.y + y * box.height];
    await page.mouse.move(...at(points[0]));
    await page.mouse.down();
    for (const point of points.slice(1)) await page.mouse.move(...at(point), { steps: 6 });
    await page.mouse.up();
  };
  // Small and in a corner: it is brought to the middle and to the size of the examples.
  const circle = Array.from({ length: 25 }, (_, i) => [0.3 + 0.11 * Math.sin(i * Math.PI / 12), 0.3 - 0.19 * Math.cos(i * Math.PI / 12)]);
  await stroke(circle);
  await label(page).getByText("0", { exact: true }).waitFor();
  assert.ok(await page.locator("#seen").isVisible());
  await page.getByRole("button", { name: "Undo" }).click();
  assert.ok(await page.locator("#seen").isHidden());
  assert.equal(await label(page).count(), 0, "the answer to what was taken back still stands");
  await stroke([[0.5, 0.1], [0.5, 0.9]]);
  await label(page).getByText("1", { exact: true }).waitFor();
  await page.keyboard.press("Backspace");
  assert.ok(await page.getByRole("button", { name: "Clear" }).isDisabled());
  await page.getByRole("button", { name: "Predict", exact: true }).click();
  await page.getByText("Draw something first").waitFor();
  assert.deepEqual(page.problems, []);
});

test("a picture by file or by paste is answered, and what is none is refused", async () => {
  const page = await visit(browser, server);
  await page.goto("/alice/digits/try");
  const png = await page.evaluate(() => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 160;
    const context = canvas.getContext("2d");
    context.fillStyle = "white";
    context.fillRect(0, 0, 160, 160);
    context.lineWidth = 22;
    context.beginPath();
    context.ellipse(80, 80, 34, 62, 0, 0, 7);
    context.stroke();
    return canvas.toDataURL().split(",")[1];
  });
  await page.locator("#file").setInputFiles({ name: "zero.png", mimeType: "image/png", buffer: Buffer.from(png, "base64") });
  await label(page).getByText("0", { exact: true }).waitFor();
  await page.locator("#file").setInputFiles({ name: "no.png", mimeType: "image/png", buffer: Buffer.from("no picture") });
  await page.getByText("no picture that this browser can read").waitFor();
  await page.evaluate((png) => {
    const bytes = Uint8Array.from(atob(png), (c) => c.charCodeAt(0));
    const clipboardData = new DataTransfer();
    clipboardData.items.add(new File([bytes], "zero.png", { type: "image/png" }));
    dispatchEvent(new ClipboardEvent("paste", { clipboardData }));
  }, png);
  await label(page).getByText("0", { exact: true }).waitFor();
});

test("a picture that is dropped anywhere on the page is answered, and the page stays", async () => {
  const page = await visit(browser, server);
  await page.goto("/alice/digits/try");
  const drop = (selector, type) => page.evaluate(async ([selector, type]) => {
    const canvas = new OffscreenCanvas(160, 160);
    const context = canvas.getContext("2d");
    context.fillStyle = "white";
    context.fillRect(0, 0, 160, 160);
    context.lineWidth = 22;
    context.beginPath();
    context.ellipse(80, 80, 34, 62, 0, 0, 7);
    context.stroke();
    const bytes = type === "image/png" ? await canvas.convertToBlob({ type }) : "no picture";
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([bytes], "dropped", { type }));
    const send = (name) => document.querySelector(selector).dispatchEvent(new DragEvent(name, { dataTransfer, bubbles: true, cancelable: true }));
    const isTaken = !send("dragover");
    const isMarked = document.querySelector(".is-over") !== null;
    const isKept = !send("drop");
    return { isTaken, isMarked, isKept, isMarkedAfter: document.querySelector(".is-over") !== null };
  }, [selector, type]);
  const taken = { isTaken: true, isMarked: true, isKept: true, isMarkedAfter: false };
  assert.deepEqual(await drop("#pad", "image/png"), taken);
  await label(page).getByText("0", { exact: true }).waitFor();
  assert.ok(await page.locator("#seen").isVisible());
  assert.deepEqual(await drop("footer", "text/plain"), taken);
  await page.getByText("no picture that this browser can read").waitFor();
  assert.deepEqual(page.problems, []);
});

test("a picture's example is recognised for what it is", async () => {
  const page = await visit(browser, server);
  await page.goto("/alice/digits/try");
  await page.getByRole("link", { name: "Example 5", exact: true }).click();
  await page.getByText("known to be 5").waitFor();
  assert.equal(await label(page).textContent(), "5");
});

const CSV = 'sepal width,sepal length,petal length,petal width,"note, mine"\n3.5,5.1,1.4,0.2,a\n3.3,6.3,6,2.5,"say ""hi"""\n';

test("many rows come as CSV and go as CSV", async () => {
  const page = await visit(browser, server);
  await page.goto("/alice/iris/try");
  await page.locator("#csv-file").setInputFiles({ name: "rows.csv", mimeType: "text/csv", buffer: Buffer.from(CSV) });
  await page.getByRole("button", { name: "Predict all" }).click();
  await page.locator("#csv-answer td").first().waitFor();
  assert.deepEqual(await page.locator("#csv-answer tbody tr td:first-child").allTextContents(), ["setosa", "virginica"]);
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Answers as CSV" }).click()]);
  const lines = readFileSync(await download.path(), "utf8").trim().split("\r\n");
  assert.match(lines[0], /^sepal width,.*"note, mine",prediction,probability of setosa,/);
  assert.match(lines[2], /^3\.3,6\.3,6,2\.5,"say ""hi""",virginica,/);
  await page.locator("#csv").fill("sepal width\n1\n");
  await page.getByRole("button", { name: "Predict all" }).click();
  await page.getByText("no column sepal length").waitFor();
});

test("rows that were answered are shown where later ones are refused", async () => {
  const page = await visit(browser, server);
  let nAsked = 0;
  const refuse = { status: 429, contentType: "application/json", body: JSON.stringify({ error: "the link allows 512 calls a minute" }) };
  await page.route("**/infer", (route) => (nAsked++ === 0 ? route.continue() : route.fulfill(refuse)));
  await page.goto("/alice/iris/try");
  const [names, row] = CSV.split("\n");
  await page.locator("#csv").fill([names, ...Array(600).fill(row)].join("\n"));
  await page.getByRole("button", { name: "Predict all" }).click();
  await page.getByText("512 of 600 rows in").waitFor();
  assert.match(await page.locator("#csv-answer [role=alert]").textContent(), /512 calls a minute/);
});

test("a number is shown as a number", async () => {
  const page = await visit(browser, server);
  await page.goto("/alice/number/try");
  for (const name of ["x0", "x1", "x2", "x3"]) await page.getByLabel(name).fill("0.01");
  await page.keyboard.press("Enter");
  await label(page).waitFor();
  assert.match(await label(page).textContent(), /^\d+(\.\d+)?$/);
});

test("the keyboard alone is enough", async () => {
  const page = await visit(browser, server);
  await page.goto("/");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.type), "search");
  await page.keyboard.type("iris");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/?q=iris");
  const reach = async (name) => {
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press("Tab");
      const focused = await page.evaluate(() => document.activeElement.textContent.trim() || document.activeElement.labels?.[0]?.textContent || "");
      if (focused === name) return;
    }
    assert.fail(`\`${name}\` cannot be reached`);
  };
  await reach("alice/iris");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/alice/iris");
  await reach("Try it");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/alice/iris/try");
  await reach("petal width");
  await page.keyboard.type("2.5");
  await page.keyboard.press("Enter");
  await label(page).waitFor();
});

test("without scripts a form, an example picture and a CSV are answered too", async () => {
  const page = await visit(browser, server, { javaScriptEnabled: false });
  await page.goto("/alice/iris/try");
  await page.getByLabel("petal length").fill("6.1");
  await page.getByLabel("petal width").fill("2.4");
  await page.getByRole("button", { name: "Predict", exact: true }).click();
  await label(page).getByText("virginica").waitFor();
  assert.equal(await page.getByLabel("petal length").inputValue(), "6.1", "what was filled in is gone");
  const command = await page.locator("#curl").textContent();
  assert.deepEqual(JSON.parse(execFileSync("sh", ["-c", command], { encoding: "utf8" })).outputs[0].data, [2]);

  await page.goto("/alice/iris/try");
  await page.locator("#csv").fill(CSV);
  await page.getByRole("button", { name: "Predict all" }).click();
  assert.deepEqual(await page.locator("#csv-answer tbody tr td:first-child").allTextContents(), ["setosa", "virginica"]);
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Answers as CSV" }).click()]);
  assert.match(readFileSync(await download.path(), "utf8"), /^prediction,probability of setosa,/);

  await page.goto("/alice/digits/try");
  await page.getByText("need scripts").waitFor();
  await page.getByRole("link", { name: "Example 3", exact: true }).click();
  await page.getByRole("button", { name: "Predict", exact: true }).click();
  assert.equal(await label(page).textContent(), "3");
  await page.getByText("known to be 3").waitFor();

  await page.goto("/alice/iris/try");
  await page.getByLabel("sepal width").evaluate((field) => { field.type = "text"; });
  await page.getByLabel("sepal width").fill("wide");
  await page.getByRole("button", { name: "Predict", exact: true }).click();
  await page.getByRole("alert").getByText("sepal width").waitFor();
});

test("its owner stops a model and puts it live again; meanwhile the page says so", async () => {
  const page = await visit(browser, server);
  await page.goto(`/sign-in${new URL(admin(server, "sign-in-link", "alice")).search}`);
  await page.goto("/alice/iris");
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByText("Stopped by its owner").waitFor();
  const stranger = await visit(browser, server);
  await stranger.goto("/alice/iris/try");
  await stranger.locator("#status").getByText("stopped", { exact: true }).waitFor();
  assert.equal(await stranger.getByRole("button", { name: "Deploy" }).count(), 0);
  await stranger.getByRole("button", { name: "Predict", exact: true }).click();
  await stranger.locator("#answer").getByRole("alert").getByText("stopped").waitFor();
  await page.goto("/alice/iris/try");
  await page.getByRole("button", { name: "Deploy" }).click();
  await page.locator("#status").getByText("ready", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Predict", exact: true }).click();
  await label(page).waitFor();
  await page.goto("/alice/iris/endpoint");
  await page.locator("#log").getByText("model is ready").waitFor();
});
