// Gradio and Streamlit apps beside models, in a real browser: used, kept apart from all else, put to sleep and woken.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";

import { barriers, faint, faults, open, visit as visitAny } from "./browser.mjs";
import { admin, push, start, until } from "./server.mjs";

// One list for all, so that their environment is built once.
const REQUIREMENTS = "gradio\nstreamlit\n";

// As on Hugging Face Spaces: named by the card, and with a file of the repository that is read from the working folder.
const GREETER = {
  "README.md": "---\nsdk: gradio\napp_file: app.py\n---\n# Greeter\n",
  "requirements.txt": REQUIREMENTS,
  "words/greeting.txt": "Good day",
  "app.py": `
import pathlib
import gradio as gr

def greet(name, image):
    pathlib.Path("visits.txt").open("a").write(name + "\\n")
    size = "no picture" if image is None else f"{image.shape[1]} by {image.shape[0]}"
    return f"{open('words/greeting.txt').read()}, {name}! ({size})", image

demo = gr.Interface(greet, [gr.Textbox(label="Name"), gr.Image(label="Picture")], [gr.Textbox(label="Greeting"), gr.Image(label="Seen")])

if __name__ == "__main__":
    demo.launch(server_name="0.0.0.0", share=False)
`,
};

const COUNTER = {
  "reenact.toml": '[app]\nsdk = "streamlit"\nfile = "web/count.py"\n',
  "requirements.txt": REQUIREMENTS,
  "web/count.py": `
import streamlit as st

st.title("Counter")
st.session_state.setdefault("n", 0)
if st.button("One more"):
    st.session_state.n += 1
st.write(f"Counted to {st.session_state.n}")
print("counted to", st.session_state.n)
given = st.file_uploader("A file")
if given is not None:
    st.write(f"{len(given.getvalue())} bytes came")
`,
};

// Serves no toolkit but what it likes, on the socket that it was handed.
const HOSTILE = {
  "reenact.toml": '[app]\nsdk = "gradio"\n',
  "requirements.txt": REQUIREMENTS,
  "app.py": `
import asyncio, json, os, socket, subprocess, sys, urllib.request

def attempt(what):
    try:
        what()
        return "done"
    except BaseException as error:
        return f"{type(error).__name__}"

TRIED = {
    "reads /etc/passwd": attempt(lambda: open("/etc/passwd").read()),
    "lists other files": attempt(lambda: os.listdir("/tmp")),
    "writes its repository": attempt(lambda: open("app.py", "a").write("x")),
    "reaches the network": attempt(lambda: urllib.request.urlopen("http://127.0.0.1:PORT/", timeout=5)),
    "makes a socket": attempt(lambda: socket.socket()),
    "starts a program": attempt(lambda: subprocess.run(["/bin/true"])),
    "forks": attempt(lambda: os.fork() or os._exit(0)),
    "fills the disk": attempt(lambda: [open(f"f{n}", "wb").write(bytes(1 << 24)) for n in range(40)]),
    "takes all memory": attempt(lambda: bytes(64 << 30)),
}
for n in range(40):
    if os.path.exists(f"f{n}"):
        os.remove(f"f{n}")
print("x" * 100_000, flush=True)

PAGE = """<!doctype html><title>hostile</title><p id=told>trying</p><script>
const tell = (name, value) => { told[name] = value; };
const told = {};
async function reach(name, address, options) {
  try { const answer = await fetch(address, options); tell(name, "status " + answer.status); } catch (error) { tell(name, error.name); }
}
(async () => {
  tell("origin", self.origin);
  tell("cookie", document.cookie);
  for (const what of ["parent", "top"]) { try { tell(what, String(window[what].document.title)); } catch (error) { tell(what, error.name); } }
  const root = "HOST";
  await reach("our api", root + "/api/v1/me", { credentials: "include" });
  await reach("our page", root + "/settings/tokens", { credentials: "include", mode: "no-cors" });
  await reach("a token of theirs", root + "/api/v1/tokens", { method: "POST", credentials: "include", mode: "no-cors", body: '{"name": "mine", "scope": "write"}' });
  await reach("the world", "http://localhost:1/", { mode: "no-cors" });
  await reach("itself", "echo", { method: "POST", headers: { "content-type": "application/json", "x-own": "1" }, credentials: "include", body: "{}" });
  try { top.location = root + "/?taken"; tell("navigates", "asked"); } catch (error) { tell("navigates", error.name); }
  const form = document.createElement("form");
  form.method = "post"; form.action = root + "/sign-out"; form.target = "sent";
  document.body.append(form); form.submit();
  const frame = document.createElement("iframe"); frame.src = root + "/settings"; document.body.append(frame);
  document.getElementById("told").textContent = JSON.stringify(told);
})();
</script>"""

async def answer(reader, writer):
    head = (await reader.readuntil(b"\\r\\n\\r\\n")).decode("latin-1")
    path = head.split(" ")[1]
    if path == "/fall":
        os._exit(3)
    kind, body = "text/html", PAGE
    if path == "/tried":
        kind, body = "application/json", json.dumps(TRIED)
    if path == "/echo":
        kind, body = "application/json", json.dumps(head)
    extra = "Set-Cookie: reenact_session=stolen; Path=/\\r\\nAccess-Control-Allow-Origin: *\\r\\nContent-Security-Policy: default-src *\\r\\nClear-Site-Data: \\"*\\"\\r\\n"
    status = "302 Found\\r\\nLocation: https://evil.example/" if path == "/away" else "200 OK"
    body = body.encode()
    writer.write(f"HTTP/1.1 {status}\\r\\nContent-Type: {kind}\\r\\nContent-Length: {len(body)}\\r\\n{extra}\\r\\n".encode() + (b"" if head.startswith("HEAD") else body))
    await writer.drain()
    writer.close()

async def serve():
    for number in range(3, 30):
        try:
            handed = socket.socket(fileno=number)
            if handed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                break
        except OSError:
            pass
    server = await asyncio.start_server(answer, sock=handed)
    await server.serve_forever()

asyncio.run(serve())
`,
};

let server;
let browser;
let token;

before(async () => {
  server = await start({ REENACT_IDLE_AFTER: "4s", REENACT_APP_SCRATCH: "64 MiB" });
  token = admin(server, "user", "add", "alice");
  admin(server, "user", "add", "bob");
  const port = new URL(server.url).port;
  const hostile = { ...HOSTILE, "app.py": HOSTILE["app.py"].replace("PORT", port).replace("HOST", server.url) };
  await push(server, token, "alice/greeter", GREETER);
  await push(server, token, "alice/counter", COUNTER, "private");
  await push(server, token, "alice/hostile", hostile);
  browser = await open();
  await Promise.all(["greeter", "counter", "hostile"].map((name) => begin(`alice/${name}`)));
});
// A page left open keeps its app from sleeping.
afterEach(() => Promise.all(browser.contexts().map((context) => context.close())));
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** A page with the patience that an app takes that is woken. */
async function visit(browser, server, options) {
  const page = await visitAny(browser, server, options);
  page.context().setDefaultTimeout(60_000);
  return page;
}

function ask(path, options = {}) {
  return fetch(server.url + path, { redirect: "manual", ...options, headers: { authorization: `Bearer ${token}`, ...options.headers } });
}

/** Starts an app and waits until it is there. */
async function begin(name) {
  const begun = await ask(`/api/v1/apps/${name}`, { method: "PUT" });
  assert.equal(begun.status, 202, await begun.text());
  const app = await until(async () => {
    const app = await (await ask(`/api/v1/apps/${name}`)).json();
    return ["pending", "building", "starting"].includes(app.state) ? null : app;
  }, 600_000);
  const log = await (await ask(`/api/v1/apps/${name}/logs`)).json();
  assert.ok(["ready", "idle"].includes(app.state), `${name} is ${app.state}: ${app.reason}\n${log.lines.join("\n")}`);
}

async function stateOf(name) {
  return (await (await ask(`/api/v1/apps/${name}`)).json()).state;
}

/** A page of alice's, or of somebody else's. */
async function signedIn(options, name = "alice") {
  const page = await visit(browser, server, options);
  await page.goto(`/sign-in${new URL(admin(server, "sign-in-link", name)).search}`);
  return page;
}

/** The address of an app's own pages, as the frame on its page has it. */
async function address(page, name) {
  await page.goto(`/${name}/app`);
  return page.locator("iframe.app").getAttribute("src");
}

test("a Gradio app of a public model is used by whoever opens its page", async () => {
  const page = await visit(browser, server);
  await page.goto("/alice/greeter/app");
  const frame = page.frameLocator("iframe.app");
  await frame.getByLabel("Name").fill("Ada");
  await frame.locator("input[type=file]").first().setInputFiles({ name: "dot.png", mimeType: "image/png", buffer: DOT });
  await frame.getByRole("button", { name: "Submit" }).click();
  await until(async () => /Good day, Ada! \(2 by 1\)/.test(await frame.getByLabel("Greeting").inputValue()));
  // What it gives back is a file, had from its own address.
  await frame.locator("img[src*='/app-of/']").last().waitFor();
  const own = page.frames().find((one) => one.url().includes("/app-of/"));
  assert.equal(await own.evaluate(() => self.origin), "null");
});

test("a Streamlit app of a private model counts for who may use it", async () => {
  const page = await signedIn();
  await page.goto("/alice/counter/app");
  const frame = page.frameLocator("iframe.app");
  await frame.getByText("Counted to 0").waitFor();
  await frame.getByRole("button", { name: "One more" }).click();
  await frame.getByText("Counted to 1").waitFor();
  await frame.locator("input[type=file]").setInputFiles({ name: "given.txt", mimeType: "text/plain", buffer: Buffer.from("twelve bytes") });
  await frame.getByText("12 bytes came").waitFor();
  const log = await (await ask("/api/v1/apps/alice/counter/logs")).json();
  assert.ok(log.lines.includes("counted to 1"), log.lines.join("\n"));
});

test("an app is nobody's who may not know of its model", async () => {
  const stranger = await signedIn({}, "bob");
  assert.equal((await stranger.goto("/alice/counter/app")).status(), 404);
  const page = await signedIn();
  const own = await address(page, "alice/counter");
  assert.equal((await fetch(server.url + own)).status, 200);
  const other = await address(page, "alice/greeter");
  // The address of one app opens no other, and is no other's.
  const [, root, key] = own.split("/");
  const [repository, ...rest] = key.split("-");
  for (const made of [`${Number(repository) - 1}-${rest.join("-")}`, key.slice(0, -1), `${key}0`, other.split("/")[2].replace(/^\d+/, repository)]) {
    assert.equal((await fetch(`${server.url}/${root}/${made}/`)).status, 404, made);
  }
});

test("a hostile app gets out of its process nowhere", async () => {
  const page = await visit(browser, server);
  const own = await address(page, "alice/hostile");
  const tried = await (await fetch(`${server.url}${own}tried`)).json();
  assert.equal(Object.keys(tried).length, 9);
  for (const [what, came] of Object.entries(tried)) assert.notEqual(came, "done", `it ${what}`);
  assert.equal(tried["takes all memory"], "MemoryError");
});

test("a hostile page reaches nothing of ours from its frame", async () => {
  const page = await signedIn();
  await page.goto("/alice/hostile/app");
  const frame = page.frameLocator("iframe.app");
  const told = JSON.parse(await until(async () => {
    const text = await frame.locator("#told").textContent();
    return text.startsWith("{") ? text : null;
  }));
  assert.deepEqual(told, {
    origin: "null", cookie: "", parent: "SecurityError", top: "SecurityError", "our api": "TypeError", "our page": "TypeError",
    "a token of theirs": "TypeError", "the world": "TypeError", itself: "status 200", navigates: told.navigates,
  });
  assert.ok(page.url().endsWith("/alice/hostile/app"), page.url());
  // Its form signed nobody out, and nothing that it set in the browser stayed.
  await page.goto("/settings/tokens");
  assert.equal(await page.locator("h1").count(), 1);
  assert.ok(page.url().endsWith("/settings/tokens"), page.url());
  const cookies = await page.context().cookies();
  assert.ok(cookies.every(({ value }) => value !== "stolen"), JSON.stringify(cookies));
});

test("an app learns nothing of who visits, and answers through us alone", async () => {
  const page = await signedIn();
  const own = await address(page, "alice/hostile");
  const cookie = (await page.context().cookies()).map(({ name, value }) => `${name}=${value}`).join("; ");
  const headers = { cookie, authorization: `Bearer ${token}`, origin: "null", "x-forwarded-for": "10.1.2.3" };
  const answer = await fetch(`${server.url}${own}echo`, { method: "POST", headers, body: "{}" });
  const head = (await answer.json()).toLowerCase();
  for (const secret of ["cookie", "authorization", token.toLowerCase(), "10.1.2.3", "origin"]) assert.ok(!head.includes(secret), head);
  assert.equal(answer.headers.get("set-cookie"), null);
  assert.equal(answer.headers.get("clear-site-data"), null);
  assert.equal(answer.headers.get("access-control-allow-origin"), "null");
  const policy = answer.headers.get("content-security-policy");
  assert.match(policy, /^sandbox allow-scripts/);
  assert.ok(!policy.includes("allow-same-origin") && !policy.includes("default-src *"), policy);
  const away = await fetch(`${server.url}${own}away`, { redirect: "manual" });
  assert.equal(away.headers.get("location"), null);
  const large = await fetch(`${server.url}${own}echo`, { method: "POST", body: Buffer.alloc(33 * 1024 * 1024) }).catch((error) => error);
  assert.ok(large instanceof Error || large.status === 413, String(large.status));
});

/** What was answered to a new link, or to its refusal. */
async function share(name, wanted) {
  const made = await ask(`/api/v1/models/${name}/links`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(wanted) });
  return { status: made.status, ...(await made.json()) };
}

test("a link opens the app where it was made to, at its revision and as long as it works", async () => {
  const closed = await share("alice/counter", { files: true });
  assert.equal((await fetch(`${closed.url}/app`)).status, 404);
  const page = await visit(browser, server);
  await page.goto(closed.url);
  assert.equal(await page.getByRole("link", { name: "App", exact: true }).count(), 0);

  // What the app shows is not looked through: whoever shares without names is told so before.
  const { traces } = await share("alice/counter", { app: true, anonymous: true, dry_run: true, hide: ["Counter"] });
  const shown = traces.filter((trace) => trace.shown).map((trace) => trace.place);
  assert.ok(shown.includes("the app web/count.py: its pages are shown as they are"), JSON.stringify(traces));
  assert.ok(shown.some((place) => place.startsWith("web/count.py, line ")), JSON.stringify(traces));
  assert.equal((await share("alice/counter", { app: true, calls: 5 })).status, 400);
  assert.equal((await share("alice/counter", { app: true, round: 2 })).status, 400);

  const made = await share("alice/counter", { app: true, anonymous: true });
  await page.goto(made.url);
  await page.getByRole("link", { name: "App", exact: true }).click();
  const frame = page.frameLocator("iframe.app");
  await frame.getByText("Counted to 0").waitFor();
  await frame.getByRole("button", { name: "One more" }).click();
  await frame.getByText("Counted to 1").waitFor();
  assert.ok(!(await page.content()).toLowerCase().includes("alice"), "the page tells whose it is");
  const own = await page.locator("iframe.app").getAttribute("src");
  assert.equal((await fetch(server.url + own)).status, 200);
  // By its number, which the Hub's API tells, a repository could be found out.
  assert.ok(own.startsWith("/app-of/0-l"), own);
  assert.deepEqual([...(await faults(page)), ...(await barriers(page)), ...(await faint(page))], []);

  const { link } = made;
  const extended = await ask(`/api/v1/links/${link.id}`, { method: "PUT", headers: { "content-type": "application/json" }, body: '{"calls": 9}' });
  assert.equal(extended.status, 400);
  assert.equal((await ask(`/api/v1/links/${link.id}`, { method: "DELETE" })).status, 204);
  await until(async () => (await fetch(server.url + own)).status === 404);
  assert.equal((await fetch(`${made.url}/app`)).status, 410);
  // What was open ends too, within moments.
  await frame.getByText(/connection error|connecting/i).first().waitFor();
});

test("an app that falls is started again for the next visit", async () => {
  const page = await visit(browser, server);
  const own = await address(page, "alice/hostile");
  assert.equal((await fetch(`${server.url}${own}fall`)).status, 503);
  assert.equal((await fetch(`${server.url}${own}tried`)).status, 200);
});

test("an app sleeps when nobody visits it, and a visit wakes it", async () => {
  await until(async () => (await stateOf("alice/counter")) === "idle");
  const page = await signedIn();
  await page.goto("/alice/counter/app");
  await page.frameLocator("iframe.app").getByText("Counted to 0").waitFor();
  assert.equal(await stateOf("alice/counter"), "ready");
});

test("its page is started and stopped by who may write, and can be walked through", async () => {
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [320, 1280]) {
      const page = await signedIn({ colorScheme, viewport: { width, height: 800 } });
      await page.goto("/alice/hostile/app");
      assert.deepEqual(await faults(page), []);
      assert.deepEqual(await barriers(page), []);
      assert.deepEqual(await faint(page), []);
      await page.context().close();
    }
  }
  const page = await signedIn();
  await page.goto("/alice/hostile");
  await page.getByRole("link", { name: "Open the app" }).click();
  await page.getByRole("button", { name: "Stop the app" }).click();
  await page.getByText("Stopped.").waitFor();
  const reader = await visit(browser, server);
  assert.equal((await reader.goto("/alice/hostile/app")).status(), 404);
  await page.getByRole("button", { name: "Start the app" }).click();
  await page.locator("iframe.app").waitFor();
});

test("an app that cannot start says why, to who may write", async () => {
  const broken = { "reenact.toml": '[app]\nsdk = "gradio"\n', "requirements.txt": REQUIREMENTS, "app.py": "import nosuch\n" };
  await push(server, token, "alice/broken", broken);
  await ask("/api/v1/apps/alice/broken", { method: "PUT" });
  await until(async () => (await stateOf("alice/broken")) === "failed");
  const { reason } = await (await ask("/api/v1/apps/alice/broken")).json();
  assert.match(reason, /ModuleNotFoundError: No module named 'nosuch'/);
  const told = await (await fetch(`${server.url}/api/v1/apps/alice/broken`)).json();
  assert.ok(!told.reason.includes("nosuch"), told.reason);
});

test("a repository without an app says how to name one", async () => {
  await push(server, token, "alice/plain", { "README.md": "# Plain\n" });
  // Before its files were read nobody knows.
  await until(async () => (await (await ask("/api/v1/models/alice/plain")).json()).facts);
  const refused = await (await ask("/api/v1/apps/alice/plain", { method: "PUT" })).json();
  assert.match(refused.hint, /\[app\]/);
  assert.equal((await ask("/api/v1/apps/alice/plain")).status, 404);
});

test("the command starts an app, shows it and reads its log", async () => {
  const binary = process.env.REENACT_BINARY ?? join(import.meta.dirname, "../../target/debug/reenact");
  const run = (...words) => execFileSync(binary, ["app", ...words], { encoding: "utf8", env: { ...process.env, REENACT_URL: server.url, REENACT_TOKEN: token }, stdio: ["ignore", "pipe", "ignore"] });
  assert.equal(run("start", "alice/greeter", "--wait").trim(), `${server.url}/alice/greeter/app`);
  assert.match(run("show", "alice/greeter"), /kind +Gradio\n/);
  assert.match(run("logs", "alice/greeter"), /starting the app/);
  const link = execFileSync(binary, ["share", "alice/greeter", "--allow", "app", "--allow", "files"], { encoding: "utf8", env: { ...process.env, REENACT_URL: server.url, REENACT_TOKEN: token }, stdio: ["ignore", "pipe", "ignore"] }).trim();
  const other = await visit(browser, server);
  await other.goto(`${link}/app`);
  await other.frameLocator("iframe.app").getByLabel("Name").waitFor();
  run("stop", "alice/greeter");
  await other.reload();
  await other.getByText("Stopped.").waitFor();
  assert.equal(JSON.parse(run("show", "alice/greeter", "--json")).state, "stopped");
});

/** A picture of two pixels. */
const DOT = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAIAAAB7QOjdAAAADUlEQVR4nGP4zwAE/wEHAAH/4iOeWQAAAABJRU5ErkJggg==", "base64");
