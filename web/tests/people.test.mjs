// Coming in by a sign-in service or by oneself, the pages about one's account, webhooks: as a person does it.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { barriers, faint, faults, open, visit } from "./browser.mjs";
import { listen, pass } from "./provider.mjs";
import { admin, push, start, until } from "./server.mjs";

let provider;
let server;
let browser;

before(async () => {
  provider = await listen();
  const settings = { REENACT_SIGN_UP: "open", REENACT_PRIVATE_WEBHOOKS: "allow", REENACT_WEBHOOK_RETRY: "1h", REENACT_SIGN_IN_RATE: "0" };
  server = await start({ ...provider.settings, ...settings });
  provider.serve(server.url);
  browser = await open();
});
after(async () => {
  await browser?.close();
  await server?.stop();
  await provider?.stop();
});

/** A page that asks nobody but this machine: the provider's pages would like a font from elsewhere. */
async function look() {
  const page = await visit(browser, server);
  await page.route("https://**", (route) => route.abort());
  return page;
}

/** The page after signing in with the provider as this person. */
async function signIn(id) {
  const page = await look();
  await page.goto("/sign-in?next=/models");
  await page.getByRole("link", { name: "Sign in with University login" }).click();
  await pass(page, id);
  await page.waitForURL(`${server.url}/**`);
  return page;
}

const nameOn = (page) => page.locator("summary", { has: page.locator("use[href$='#user']") }).textContent();

test("a verified address finds its account, which stays whatever changes at the provider", async () => {
  admin(server, "user", "add", "grace");
  admin(server, "user", "email", "grace", "Grace@Example.org");
  provider.people["g-1"] = { email: "grace@example.org", email_verified: true, preferred_username: "someone-else" };
  const page = await signIn("g-1");
  assert.equal(page.url(), `${server.url}/models`);
  assert.match(await nameOn(page), /grace/);
  provider.people["g-1"] = { email: "married@example.org", email_verified: false };
  const again = await signIn("g-1");
  assert.match(await nameOn(again), /grace/);
  const cookies = await again.context().cookies();
  assert.ok(!cookies.some(({ name }) => name === "reenact_oidc"), "what the sign-in began with is still kept");
  assert.deepEqual(again.problems, []);
});

test("whom the provider does not vouch for, or nobody knows here, is told what to do", async () => {
  admin(server, "user", "add", "henry");
  admin(server, "user", "email", "henry", "henry@example.org");
  provider.people["h-1"] = { email: "henry@example.org", email_verified: false };
  provider.people["h-2"] = { email: "stranger@example.org", email_verified: true };
  provider.people["h-3"] = {};
  for (const [id, said] of [["h-1", "is not verified"], ["h-2", "There is no account for you here"], ["h-3", "is not verified"]]) {
    const page = await signIn(id);
    await page.getByRole("heading", { name: said }).waitFor();
    await page.getByText("What to do").waitFor();
    assert.equal(await page.getByRole("link", { name: "Sign in", exact: true }).first().count(), 1);
    await page.context().close();
  }
});

test("an address that only its owner claims finds no account", async () => {
  const page = await look();
  await page.goto("/sign-up");
  await page.getByLabel("Name").fill("mallory");
  await page.getByLabel("Password").fill("correct horse");
  await page.getByRole("button", { name: "Make the account" }).click();
  await page.goto("/settings");
  await page.getByLabel("E-mail address").fill("victim@example.org");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved").waitFor();
  provider.people["v-1"] = { email: "victim@example.org", email_verified: true };
  const victim = await signIn("v-1");
  await victim.getByRole("heading", { name: "There is no account for you here" }).waitFor();
});

test("who breaks off, comes back twice or in another browser is not signed in", async () => {
  const page = await look();
  await page.goto("/sign-in");
  await page.getByRole("link", { name: "Sign in with University login" }).click();
  await page.getByRole("link", { name: /Cancel/ }).click();
  await page.getByRole("heading", { name: "did not let you in" }).waitFor();
  provider.people["i-1"] = { email: "ida@example.org", email_verified: true };
  admin(server, "user", "add", "ida");
  admin(server, "user", "email", "ida", "ida@example.org");
  let callback;
  const second = await look();
  second.on("request", (request) => { if (request.url().includes("/sign-in/oidc/callback?")) callback = request.url(); });
  await second.goto("/sign-in");
  await second.getByRole("link", { name: "Sign in with University login" }).click();
  await pass(second, "i-1");
  await second.waitForURL(`${server.url}/`);
  for (const other of [await look(), second]) {
    const response = await other.goto(callback);
    assert.equal(response.status(), 400);
    await other.getByRole("heading", { name: "cannot be finished" }).waitFor();
  }
  const forged = await look();
  await forged.context().addCookies([{ name: "reenact_oidc", value: "a.b.c.sign-in.Lw", domain: "127.0.0.1", path: "/sign-in/oidc" }]);
  assert.equal((await forged.goto("/sign-in/oidc/callback?state=z&code=made-up")).status(), 400);
  // The right state with a code that the provider never gave.
  assert.equal((await forged.goto("/sign-in/oidc/callback?state=a&code=made-up")).status(), 403);
});

test("somebody who is signed in connects the service to the account they have", async () => {
  const page = await look();
  admin(server, "user", "add", "judy");
  await page.goto(`/sign-in${new URL(admin(server, "sign-in-link", "judy")).search}`);
  await page.goto("/settings");
  provider.people["j-1"] = { email: "judy@elsewhere.example", email_verified: false };
  await page.getByRole("link", { name: "Connect University login" }).click();
  await pass(page, "j-1");
  await page.getByText("Connected: you can sign in with University login").waitFor();
  const again = await signIn("j-1");
  assert.match(await nameOn(again), /judy/);
  // Another account cannot have the same person, and a link of another site connects nobody.
  admin(server, "user", "add", "kim");
  const other = await look();
  await other.goto(`/sign-in${new URL(admin(server, "sign-in-link", "kim")).search}`);
  const cookie = (await other.context().cookies()).map(({ name, value }) => `${name}=${value}`).join("; ");
  const foreign = await fetch(`${server.url}/sign-in/oidc?connect=1`, { headers: { cookie, "sec-fetch-site": "cross-site" }, redirect: "manual" });
  assert.equal(foreign.status, 403);
  await other.goto("/settings");
  await other.getByRole("link", { name: "Connect University login" }).click();
  await pass(other, "j-1");
  await other.getByRole("heading", { name: "It exists already" }).waitFor();
});

test("where the service may bring new people, they get an account with a name that is free", async () => {
  const own = await listen();
  const fresh = await start({ ...own.settings, REENACT_OIDC_ACCOUNTS: "new" });
  own.serve(fresh.url);
  try {
    admin(fresh, "user", "add", "lena-meyer");
    own.people["l-1"] = { email: "lena@example.org", email_verified: true, preferred_username: "Lena.Meyer", name: "Lena Meyer" };
    const page = await visit(browser, fresh);
    await page.route("https://**", (route) => route.abort());
    await page.goto("/sign-in");
    await page.getByRole("link", { name: "Sign in with University login" }).click();
    await pass(page, "l-1");
    await page.waitForURL(`${fresh.url}/`);
    assert.match(await nameOn(page), /lena-meyer-2/);
    await page.goto("/settings");
    assert.equal(await page.getByLabel("Full name").inputValue(), "Lena Meyer");
    await page.getByText("This address is verified").waitFor();
    await own.stop();
    // What the provider said of itself is remembered for a while, but nobody comes in without it.
    const late = await visit(browser, fresh);
    await late.goto("/sign-in");
    const attempt = await late.request.get("/sign-in/oidc", { maxRedirects: 0 });
    assert.equal(attempt.status(), 303);
    const state = new URL(attempt.headers().location).searchParams.get("state");
    assert.equal((await late.goto(`/sign-in/oidc/callback?state=${state}&code=any`)).status(), 502);
    await late.getByRole("heading", { name: "does not answer" }).waitFor();
  } finally {
    await fresh.stop();
  }
});

test("sessions are shown, and ended from another browser", async () => {
  const page = await look();
  await page.goto("/sign-in");
  await page.getByRole("link", { name: "Make one" }).click();
  await page.getByLabel("Name").fill("nora");
  await page.getByLabel("Password").fill("correct horse");
  await page.getByRole("button", { name: "Make the account" }).click();
  await page.waitForURL(`${server.url}/`);
  const other = await look();
  await other.goto("/sign-in");
  await other.getByLabel("Name").fill("nora");
  await other.getByLabel("Password").fill("correct horse");
  await other.getByRole("button", { name: "Sign in", exact: true }).click();
  await other.waitForURL(`${server.url}/`);
  await page.goto("/settings/sessions");
  assert.equal(await page.getByRole("row", { name: /Chrome on Linux/ }).count(), 2);
  await page.getByRole("row", { name: /Chrome on Linux/ }).getByRole("button", { name: /End/ }).click();
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 1);
  await other.goto("/settings/sessions");
  assert.match(other.url(), /\/sign-in\?next=/);
  assert.deepEqual(page.problems, []);
});

test("a webhook is made, tried, seen and taken away on the page", async (context) => {
  const got = [];
  const receiver = createServer((request, response) => { got.push(request.headers); response.writeHead(204).end(); });
  context.after(() => receiver.close());
  await new Promise((resolve) => { receiver.listen(0, "127.0.0.1", resolve); });
  const token = admin(server, "user", "add", "olga");
  await push(server, token, "olga/iris", { "README.md": "# Iris\n" });
  const page = await look();
  await page.goto(`/sign-in${new URL(admin(server, "sign-in-link", "olga")).search}`);
  await page.goto("/olga/iris/settings");
  await page.getByRole("link", { name: "Webhooks" }).click();
  await page.getByLabel("Address").fill("ftp://example.org");
  await page.getByRole("button", { name: "Make webhook" }).click();
  await page.getByRole("alert").getByText("https://").waitFor();
  await page.getByLabel("Address").fill(`http://127.0.0.1:${receiver.address().port}/hook`);
  await page.getByRole("button", { name: "Make webhook" }).click();
  const key = (await page.locator("#secret").textContent()).trim();
  assert.match(key, /^whsec_[A-Za-z0-9+/]{43}=$/);
  await page.getByRole("button", { name: "Send a test" }).click();
  await until(() => got.length);
  assert.ok(got[0]["webhook-signature"].startsWith("v1,"));
  // Only the page that follows the click has a row.
  await page.getByRole("row", { name: /test/ }).waitFor();
  await until(async () => { await page.reload(); return page.getByRole("row", { name: /test.*sent.*204/ }).count(); });
  assert.ok(!(await page.content()).includes(key), "the key is shown again");
  for (const width of [1280, 320]) for (const colorScheme of ["light", "dark"]) await judge(page, width, colorScheme);
  await page.getByRole("button", { name: "Delete webhook" }).click();
  await page.getByRole("heading", { name: /Webhook \d/ }).waitFor({ state: "detached" });
  assert.deepEqual(page.problems, []);
});

test("leaving takes a name, a password and the will to lose what one owns", async () => {
  const page = await look();
  await page.goto("/sign-up");
  await page.getByLabel("Name").fill("petra");
  await page.getByLabel("Password").fill("correct horse");
  await page.getByRole("button", { name: "Make the account" }).click();
  await page.waitForURL(`${server.url}/`);
  for (const path of ["/settings", "/settings/sessions", "/settings/delete"]) {
    await page.goto(path);
    for (const width of [1280, 320]) for (const colorScheme of ["light", "dark"]) await judge(page, width, colorScheme);
  }
  const leave = async (name, password) => {
    await page.goto("/settings/delete");
    await page.getByLabel("Type petra").fill(name);
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Delete for good" }).click();
  };
  await leave("peter", "correct horse");
  await page.getByRole("alert").getByText("petra").waitFor();
  await leave("petra", "wrong");
  await page.getByRole("alert").getByText("wrong").waitFor();
  await leave("petra", "correct horse");
  await page.getByRole("link", { name: "Sign in", exact: true }).waitFor();
  assert.equal((await page.goto("/petra")).status(), 404);
});

test("the pages for those who come in can be read and walked through by all", async () => {
  const page = await look();
  for (const path of ["/sign-in", "/sign-up", "/sign-in/oidc/callback?state=x&code=y"]) {
    await page.goto(path);
    for (const width of [1280, 320]) for (const colorScheme of ["light", "dark"]) await judge(page, width, colorScheme);
  }
});

/** What is wrong with the page as it stands, this wide and in these colours: nothing. */
async function judge(page, width, colorScheme) {
  await page.setViewportSize({ width, height: 800 });
  await page.emulateMedia({ colorScheme });
  const where = `${page.url()} ${width} ${colorScheme}`;
  if (process.env.REENACT_TEST_PICTURES) {
    const name = new URL(page.url()).pathname.replaceAll("/", "_");
    await page.screenshot({ path: `${process.env.REENACT_TEST_PICTURES}/${name}-${width}-${colorScheme}.png`, fullPage: true });
  }
  assert.deepEqual(await faults(page), [], where);
  assert.deepEqual(await faint(page), [], where);
  assert.deepEqual(await barriers(page), [], where);
}
