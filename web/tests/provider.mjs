// A certified provider of sign-ins (OpenID Connect) on a free port, for the tests of signing in with one.

import { createServer } from "node:http";

import Provider from "oidc-provider";

const CLIENT_SECRET = "a-secret-of-the-test";

/** Listens, so that its address is known before the server that uses it starts; `serve` then answers for that server. */
export async function listen() {
  let handler = (_, response) => response.writeHead(503).end();
  const http = createServer((request, response) => handler(request, response));
  await new Promise((resolve) => { http.listen(0, "127.0.0.1", resolve); });
  const issuer = `http://127.0.0.1:${http.address().port}`;
  const people = {};
  const serve = (serverUrl) => {
    const provider = new Provider(issuer, {
      clients: [{ client_id: "reenact", client_secret: CLIENT_SECRET, redirect_uris: [`${serverUrl}/sign-in/oidc/callback`] }],
      claims: { email: ["email", "email_verified"], profile: ["name", "preferred_username"] },
      cookies: { keys: ["only for tests"] },
      findAccount: (_, id) => (people[id] ? { accountId: id, claims: () => ({ sub: id, ...people[id] }) } : undefined),
      pkce: { required: () => true },
    });
    handler = provider.callback();
  };
  const stop = () => new Promise((resolve) => { http.close(resolve); http.closeAllConnections(); });
  const settings = { REENACT_OIDC_ISSUER: issuer, REENACT_OIDC_CLIENT_ID: "reenact", REENACT_OIDC_CLIENT_SECRET: CLIENT_SECRET, REENACT_OIDC_LABEL: "University login" };
  return { issuer, people, serve, settings, stop };
}

/** Signs somebody in at the provider's own pages, and lets it tell the server who they are. */
export async function pass(page, id) {
  await page.getByPlaceholder("Enter any login").fill(id);
  await page.getByPlaceholder("and password").fill("anything");
  await page.getByRole("button", { name: "Sign-in" }).click();
  await page.getByRole("button", { name: "Continue" }).click();
}
