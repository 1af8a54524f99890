// Sharing without a terminal: rights, links for reviewers, organisations, and what was done, as a person does it.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { barriers, faint, faults, open, visit } from "./browser.mjs";
import { IRIS_FILES, admin, push, start } from "./server.mjs";

const CARD = `---
authors: [Alice Liddell]
---
# Three kinds of iris

By Alice Liddell. ![A flower](flower.png) [Notes](notes.txt), [more](/alice/iris) and [elsewhere](https://e.example/x).
`;
const PNG = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABpfZFQAAAAABJRU5ErkJggg==", "base64");
/** Where pictures of the pages go, for whoever wants to look at them. */
const PICTURES = process.env.REENACT_TEST_PICTURES;

let server;
let browser;

before(async () => {
  server = await start();
  const token = admin(server, "user", "add", "alice");
  for (const name of ["bob", "carol"]) admin(server, "user", "add", name);
  await push(server, token, "alice/iris", { ...IRIS_FILES, "README.md": CARD, "flower.png": PNG, "notes.txt": "Alice measured them." }, "private");
  browser = await open();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function as(name, options = {}) {
  const page = await visit(browser, server, options);
  await page.goto(`/sign-in${new URL(admin(server, "sign-in-link", name)).search}`);
  return page;
}

/** Looks at the page for what keeps people out, in both colours, wide and narrow. */
async function look(page, name) {
  const size = page.viewportSize();
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
  await page.setViewportSize(size);
  assert.deepEqual(page.problems, []);
}

test("a right is given by name and taken back", async () => {
  const [alice, bob] = [await as("alice"), await as("bob")];
  assert.equal((await bob.goto("/alice/iris")).status(), 404);
  await alice.goto("/alice/iris/settings");
  await alice.getByRole("link", { name: "People and links" }).click();
  await alice.getByLabel("Name of an account").fill("nobody-here");
  await alice.getByRole("button", { name: "Give", exact: true }).click();
  await alice.getByRole("alert").getByText("nobody-here").waitFor();
  await alice.getByLabel("Name of an account").fill("bob");
  await alice.getByLabel("May", { exact: true }).selectOption("read");
  await alice.getByRole("button", { name: "Give", exact: true }).click();
  await alice.getByRole("row", { name: "bob read alice" }).waitFor();
  assert.equal((await bob.goto("/alice/iris")).status(), 200);
  assert.equal((await bob.goto("/alice/iris/settings/sharing")).status(), 403);
  await look(alice, "rights");
  await alice.getByRole("button", { name: "Take back the right of bob" }).click();
  await alice.getByText("Nobody was given a right").waitFor();
  assert.equal((await bob.goto("/alice/iris")).status(), 404);
});

test("a link without names is made after its report was read, works, is extended and ended", async () => {
  const alice = await as("alice");
  await alice.goto("/alice/iris/settings/sharing");
  await alice.getByRole("checkbox", { name: "Without names" }).check();
  await alice.getByLabel("More words to hide").fill("measured\nWonderland");
  const end = new Date(Date.now() + 3 * 24 * 3600 * 1000).toISOString().slice(0, 10);
  await alice.locator("#expires").fill(end);
  await alice.locator("#calls").fill("10");
  await alice.getByRole("button", { name: "Make link" }).click();
  await alice.getByRole("heading", { name: "Where the model tells whose it is" }).waitFor();
  await alice.getByText("README.md, line").first().waitFor();
  await alice.getByText("No links yet").waitFor();
  await look(alice, "report");
  await alice.getByRole("button", { name: "Make the link" }).click();
  assert.ok(await alice.locator("#report").isVisible(), "made without being read");
  await alice.getByLabel("I have read this.").check();
  await alice.getByRole("button", { name: "Make the link" }).click();
  const link = (await alice.locator("#link").textContent()).trim();
  assert.match(link, /\/r\/rl_[a-z2-7]{48}$/);
  await look(alice, "link-made");

  const reviewer = await visit(browser, server);
  await reviewer.goto(link);
  const text = (await reviewer.content()).toLowerCase();
  for (const name of ["alice", "liddell"]) assert.ok(!text.includes(name), name);
  assert.ok(await reviewer.locator(".card img").evaluate((image) => image.naturalWidth > 0), "the picture is not there");
  const leads = await reviewer.locator(".card a[href]").evaluateAll((links) => links.map((one) => one.getAttribute("href")).filter((href) => !href.startsWith("#")));
  assert.deepEqual(leads, ["https://e.example/x"]);
  const proof = await reviewer.request.get(await reviewer.getByRole("link", { name: "Signed proof" }).getAttribute("href"));
  assert.equal((await proof.json()).payloadType, "application/vnd.in-toto+json");
  await look(reviewer, "review");

  await alice.goto("/alice/iris/settings/sharing");
  assert.ok(!(await alice.content()).includes(link), "the link is shown again");
  await alice.getByText(/ends in \d days?/).first().waitFor();
  await alice.goto("/");
  await alice.getByText(/A link to alice\/iris ends in/).waitFor();
  await look(alice, "front-notice");
  await alice.getByRole("link", { name: "alice/iris" }).first().click();
  await alice.getByLabel("New end").fill("2099-01-01");
  await alice.getByRole("button", { name: "Extend link 1" }).click();
  await alice.getByText("1 Jan 2099").waitFor();
  await look(alice, "links");
  await alice.getByRole("button", { name: "Revoke link 1" }).click();
  await alice.getByText("revoked").waitFor();
  assert.equal((await reviewer.goto(link)).status(), 410);
});

test("an organisation is made, joined and left", async () => {
  const [alice, carol] = [await as("alice"), await as("carol")];
  await alice.goto("/settings/organizations");
  await look(alice, "organisations-none");
  await alice.getByRole("link", { name: "New organisation" }).click();
  await alice.getByLabel("Name").fill("settings");
  await alice.getByRole("button", { name: "Make organisation" }).click();
  await alice.getByRole("alert").waitFor();
  await look(alice, "organisation-new");
  await alice.getByLabel("Name").fill("the-lab");
  await alice.getByRole("button", { name: "Make organisation" }).click();
  await alice.waitForURL("**/organizations/the-lab");
  assert.equal((await carol.goto("/organizations/the-lab")).status(), 404);

  await alice.locator("#invited-right").selectOption("write");
  await alice.getByLabel("For whom").fill("carol@example.org");
  await alice.getByRole("button", { name: "Make invitation" }).click();
  const invitation = (await alice.locator("#invitation").textContent()).trim();
  await look(alice, "organisation");
  await carol.goto(invitation);
  await carol.getByRole("button", { name: "Join as carol" }).click();
  await carol.goto("/organizations/the-lab");
  assert.equal(await carol.getByRole("button", { name: "Make invitation" }).count(), 0);
  assert.equal((await carol.goto("/organizations/the-lab/events")).status(), 403);

  await alice.goto("/organizations/the-lab");
  await alice.getByLabel("Name of an account").fill("bob");
  await alice.getByRole("button", { name: "Save" }).click();
  await alice.getByRole("row", { name: "bob predict" }).waitFor();
  await alice.getByRole("button", { name: "Remove bob" }).click();
  await alice.getByRole("row", { name: "bob" }).waitFor({ state: "detached" });
  await alice.getByRole("button", { name: "Leave the-lab" }).click();
  await alice.getByRole("alert").getByText("at least one member").waitFor();

  await carol.goto("/organizations/the-lab");
  await carol.getByRole("button", { name: "Leave the-lab" }).click();
  await carol.waitForURL("**/settings/organizations");
  await carol.getByText("You are a member of none").waitFor();
});

test("what was done is told to those who answer for it", async () => {
  const alice = await as("alice");
  await alice.goto("/settings/organizations");
  await alice.getByRole("link", { name: "What you did" }).click();
  await alice.getByText("link.create").first().waitFor();
  await look(alice, "events-own");
  await alice.goto("/alice/iris/settings/events");
  await alice.getByText("link.revoke").first().waitFor();
  await look(alice, "events-repository");
  await alice.goto("/organizations/the-lab/events");
  await alice.getByText("organization.create").waitFor();
  await look(alice, "events-organisation");
  const bob = await as("bob");
  assert.equal((await bob.goto("/alice/iris/settings/events")).status(), 404);
  assert.equal((await bob.goto("/organizations/the-lab/events")).status(), 404);
});

test("sharing works without scripts", async () => {
  const page = await as("alice", { javaScriptEnabled: false });
  await page.goto("/alice/iris/settings/sharing");
  await page.getByLabel("Digits after the point").fill("2");
  await page.getByRole("button", { name: "Make link" }).click();
  assert.match((await page.locator("#link").textContent()).trim(), /\/r\/rl_/);
  await page.getByText("rounded to 2 digits").waitFor();
});
