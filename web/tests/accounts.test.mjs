// Signing in, passwords, tokens: as a person does it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { open, visit } from "./browser.mjs";
import { admin, start } from "./server.mjs";

let server;
let browser;

before(async () => {
  server = await start();
  browser = await open();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** A link that signs this user in, at the address where the server really is. */
function linkFor(name) {
  return new URL(admin(server, "sign-in-link", name)).search;
}

test("a link signs in once, and a password from then on", async () => {
  const page = await visit(browser, server);
  await page.goto(server.adminLink);
  assert.match(page.url(), /\/settings\/password/);
  await page.getByLabel("New password").fill("correct horse");
  await page.getByLabel("The same once more").fill("wrong horse");
  await page.getByRole("button", { name: "Set password" }).click();
  await page.getByRole("alert").getByText("differ").waitFor();
  await page.getByLabel("New password").fill("correct horse");
  await page.getByLabel("The same once more").fill("correct horse");
  await page.getByRole("button", { name: "Set password" }).click();
  await page.getByText("Your password is set").waitFor();

  await page.locator("summary", { hasText: "admin" }).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("link", { name: "Sign in" }).waitFor();
  const again = await page.goto(server.adminLink);
  assert.equal(again.status(), 410);

  await page.goto("/settings/tokens");
  assert.match(page.url(), /\/sign-in\?next=/);
  await page.getByLabel("Name").fill("admin");
  await page.getByLabel("Password").fill("wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").waitFor();
  await page.getByLabel("Password").fill("correct horse");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL("**/settings/tokens");
  assert.deepEqual(page.problems, []);
});

test("a link leads on to where one wanted to go, once there is a password", async () => {
  admin(server, "user", "add", "frank");
  const page = await visit(browser, server);
  await page.goto(`/sign-in${linkFor("frank")}&next=/models`);
  assert.match(page.url(), /\/settings\/password\?new=1$/);
  await page.getByText("You are signed in as frank").waitFor();
  await page.getByLabel("New password").fill("correct horse");
  await page.getByLabel("The same once more").fill("correct horse");
  await page.getByRole("button", { name: "Set password" }).click();
  await page.getByText("Your password is set").waitFor();
  for (const [next, path] of [["", "/"], ["&next=/settings/tokens", "/settings/tokens"], ["&next=//evil.example", "/"]]) {
    const other = await visit(browser, server);
    await other.goto(`/sign-in${linkFor("frank")}${next}`);
    assert.equal(other.url(), server.url + path);
    await other.context().close();
  }
});

test("a token is shown once, works, and can be taken back", async () => {
  admin(server, "user", "add", "carol");
  const page = await visit(browser, server);
  await page.goto(`/sign-in${linkFor("carol")}`);
  await page.goto("/settings/tokens");
  await page.getByLabel("What it is for").fill("<b>laptop</b>");
  await page.getByRole("button", { name: "Make token" }).click();
  const secret = (await page.locator("#secret").textContent()).trim();
  assert.match(secret, /^rn_[a-z2-7]{48}$/);
  const whoami = () => fetch(`${server.url}/api/v1/me`, { headers: { authorization: `Bearer ${secret}` } });
  assert.equal((await (await whoami()).json()).name, "carol");

  await page.goto("/settings/tokens");
  assert.ok(!(await page.content()).includes(secret), "the secret is shown again");
  await page.getByRole("row", { name: "laptop" }).getByRole("button").click();
  await page.getByRole("row", { name: "laptop" }).waitFor({ state: "detached" });
  assert.equal((await whoami()).status, 401);
});

test("after signing in one stays on this server", async () => {
  admin(server, "user", "add", "dave");
  for (const next of ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]) {
    const page = await visit(browser, server);
    await page.goto(`/sign-in?next=${encodeURIComponent(next)}`);
    assert.equal(await page.locator("input[name=next]").inputValue(), "/", next);
    await page.context().close();
  }
  const page = await visit(browser, server);
  await page.goto(`/sign-in${linkFor("dave")}`);
  await page.goto("/sign-in?next=//evil.example");
  assert.equal(new URL(page.url()).origin, server.url);
});

test("a form of another site changes nothing", async () => {
  admin(server, "user", "add", "erin");
  const page = await visit(browser, server);
  await page.goto(`/sign-in${linkFor("erin")}`);
  const cookie = (await page.context().cookies()).find(({ name }) => name === "reenact_session");
  assert.ok(cookie.httpOnly && cookie.sameSite === "Lax");
  const headers = { cookie: `${cookie.name}=${cookie.value}`, "content-type": "application/x-www-form-urlencoded" };
  const send = (path, body, more) => fetch(server.url + path, { method: "POST", redirect: "manual", headers: { ...headers, ...more }, body });
  const foreign = { origin: "https://evil.example", "sec-fetch-site": "cross-site" };
  assert.equal((await send("/settings/tokens", "name=x&scope=write", foreign)).status, 403);
  // Even with a browser's word for it, the session's own secret must be in the form.
  assert.equal((await send("/settings/tokens", "name=x&scope=write&csrf=guess", { origin: server.url })).status, 403);
  assert.equal((await send("/sign-out", "csrf=", { origin: server.url })).status, 403);
  assert.equal((await send("/sign-in", "name=admin&password=correct+horse", foreign)).status, 403);
  await page.goto("/settings/tokens");
  // The one there is came with the account.
  assert.equal(await page.locator("tbody tr").count(), 1);
});
