// A model's page about its training: recorded by one person, run again and attested by another, looked at by all.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, before, test } from "node:test";

import { barriers, faint, faults, open, visit } from "./browser.mjs";
import { admin, push, start } from "./server.mjs";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../..");
const BINARY = process.env.REENACT_BINARY ?? join(ROOT, "target/debug/reenact");
const PYTHON = process.env.REENACT_TEST_PYTHON ?? "python3";
const PICTURES = process.env.REENACT_TEST_PICTURES;
const CARD = "---\nlicense: mit\n---\n# Iris\n";
const TRAIN = `import os
open("weights.bin", "wb").write(os.urandom(64))
print("loss=0.25")
`;

let server;
let browser;
let folder;

function as(token, at, ...args) {
  const env = { PATH: process.env.PATH, HOME: at, REENACT_URL: server.url, REENACT_TOKEN: token };
  return execFileSync(BINARY, args, { cwd: at, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

before(async () => {
  server = await start();
  folder = mkdtempSync(join(tmpdir(), "reenact-training-"));
  const [alice, bob] = ["alice", "bob"].map((name) => ({ token: admin(server, "user", "add", name), at: join(folder, name) }));
  for (const { at } of [alice, bob]) mkdirSync(at);
  writeFileSync(join(alice.at, "train.py"), TRAIN);
  await push(server, alice.token, "alice/iris", { "README.md": CARD });
  await push(server, alice.token, "alice/plain", { "README.md": CARD });
  as(alice.token, alice.at, "record", "-o", "first", "--", PYTHON, "train.py");
  as(alice.token, alice.at, "push", "first", "alice/iris");
  as(bob.token, bob.at, "replay", "alice/iris", "-o", "again", "--env", "current");
  as(bob.token, bob.at, "attest", "alice/iris", "again", "--push");
  browser = await open();
});
after(async () => {
  await browser?.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function look(page, name) {
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1280, 320]) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.setViewportSize({ width, height: 900 });
      const found = [...(await faults(page)), ...(await barriers(page)), ...(await faint(page))];
      assert.deepEqual(found, [], `${name}, ${colorScheme}, ${width}`);
      if (PICTURES) {
        mkdirSync(PICTURES, { recursive: true });
        await page.screenshot({ path: join(PICTURES, `${name}-${colorScheme}-${width}.png`), fullPage: true });
      }
    }
  }
  assert.deepEqual(page.problems, []);
}

test("everybody sees how a model was trained, who ran it again, and what that earns", async () => {
  const page = await visit(browser, server);
  await page.goto("/alice/iris");
  await look(page, "training-card");
  await page.getByRole("link", { name: "How it was trained" }).click();
  const said = await page.getByRole("row", { name: /bob/ }).innerText();
  assert.match(said, /bitwise/);
  assert.equal(await page.getByRole("button", { name: /Take attestation/ }).count(), 0);
  assert.equal(await page.getByRole("heading", { name: "Reproduced", exact: true }).count(), 1);
  await look(page, "training");
  await page.goto("/alice/plain/training");
  assert.match(await page.getByRole("main").innerText(), /No recording of its training/);
  await look(page, "training-none");
});

test("whoever attested takes it back without a script", async () => {
  const page = await visit(browser, server, { javaScriptEnabled: false });
  await page.goto(`/sign-in${new URL(admin(server, "sign-in-link", "bob")).search}`);
  await page.goto("/alice/iris/training");
  await page.getByRole("button", { name: /Take attestation \d+ back/ }).click();
  await page.getByText("Nobody has stated what came of it.").waitFor();
  assert.equal(await page.getByRole("heading", { name: "Reproduced: not earned" }).count(), 1);
});
