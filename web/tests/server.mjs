// A real server in a folder of its own, with models pushed by the Hub's protocol, for the tests of the pages.

import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = join(HERE, "../..");
const BINARY = process.env.REENACT_BINARY ?? join(ROOT, "target/debug/reenact");
const START_MS = 60_000;

/** Starts a server on a free port with these settings; `stop` ends it and deletes its folder. */
export async function start(settings = {}) {
  const folder = mkdtempSync(join(tmpdir(), "reenact-pages-"));
  const child = spawn(BINARY, ["serve", "--data", folder, "--listen", "127.0.0.1:0"], { env: { ...process.env, ...settings }, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let log = "";
  child.stderr.on("data", (part) => { log += part; });
  const ready = new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`the server did not start: ${output}${log}`)), START_MS);
    child.on("exit", (code) => { clearTimeout(late); reject(new Error(`the server ended with ${code}: ${log}`)); });
    child.stdout.on("data", (part) => {
      output += part;
      const [, url] = output.match(/listening on (http:\S+)\s/) ?? [];
      const [, link] = output.match(/(http:\S+\/sign-in\?link=\S+)\s/) ?? [];
      if (url && link) { clearTimeout(late); resolve({ url, adminLink: link }); }
    });
  });
  const stop = async () => {
    const ended = new Promise((resolve) => child.on("exit", resolve));
    child.kill("SIGTERM");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    return { ...(await ready), folder, stop, log: () => log };
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
}

/** Does what only the operator may; returns what is printed. */
export function admin(server, ...args) {
  return execFileSync(BINARY, ["admin", ...args, "--data", server.folder], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
}

/** Adds these files to a repository, which is made if it is not there: texts or buffers by path. */
export async function push(server, token, name, files, visibility = "public") {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const send = async (path, body, type) => {
    const response = await fetch(server.url + path, { method: "POST", headers: { ...headers, "content-type": type }, body });
    const isThere = response.status === 409 && path === "/api/repos/create";
    if (!response.ok && !isThere) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  };
  await send("/api/repos/create", JSON.stringify({ name, type: "model", visibility }), "application/json");
  const lines = [{ key: "header", value: { summary: `Add ${Object.keys(files).length} files`, description: "" } }];
  for (const [path, content] of Object.entries(files)) {
    lines.push({ key: "file", value: { path, encoding: "base64", content: Buffer.from(content).toString("base64") } });
  }
  await send(`/api/models/${name}/commit/main`, lines.map((line) => JSON.stringify(line)).join("\n"), "application/x-ndjson");
}

/** Puts a model live and waits until it answers. */
export async function deploy(server, token, name) {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const put = await fetch(`${server.url}/api/v1/endpoints`, { method: "POST", headers, body: JSON.stringify({ repository: name }) });
  if (!put.ok) throw new Error(`deploy ${name}: ${put.status} ${await put.text()}`);
  const state = await until(async () => {
    const endpoint = await (await fetch(`${server.url}/api/v1/endpoints/${name}`, { headers })).json();
    return ["pending", "building", "starting"].includes(endpoint.state) ? null : endpoint;
  });
  if (state.state !== "ready") throw new Error(`${name} is ${state.state}: ${state.reason}`);
}

/** Waits until `check` gives something, and gives that. */
export async function until(check, limitMs = 60_000) {
  const end = Date.now() + limitMs;
  for (;;) {
    const found = await check();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited ${limitMs} ms in vain for ${check}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function fixture(path) {
  return readFileSync(join(ROOT, path));
}

const IRIS = `description = "Tells three kinds of iris apart by four measurements."
task = "tabular-classification"
license = "apache-2.0"
model = "model.onnx"
examples = "examples.json"
[schema.input]
kind = "table"
features = [
  { name = "sepal length", datatype = "FP32", minimum = 4.3, maximum = 7.9, description = "in cm" },
  { name = "sepal width", datatype = "FP32", minimum = 2.0, maximum = 4.4, description = "in cm" },
  { name = "petal length", datatype = "FP32", minimum = 1.0, maximum = 6.9, description = "in cm" },
  { name = "petal width", datatype = "FP32", minimum = 0.1, maximum = 2.5, description = "in cm" },
]
[schema.output]
kind = "label"
label = "label"
probabilities = "probabilities"
classes = ["0", "1", "2"]
labels = ["setosa", "versicolor", "virginica"]
`;

const DIGITS = `description = "Recognises digits of 8 by 8 pixels."
task = "image-classification"
model = "digits.onnx"
examples = "examples.json"
[schema.input]
kind = "image"
width = 8
height = 8
channels = 1
black = 16.0
white = 0.0
layout = "flat"
[schema.output]
kind = "label"
label = "label"
probabilities = "probabilities"
classes = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
`;

const CARD = `---
license: apache-2.0
pipeline_tag: tabular-classification
library_name: sklearn
tags: [flowers]
---
# Iris

Tells **three kinds** of iris apart. <script>window.ran = true</script><img src="x" onerror="window.ran = true">

[Its manifest](reenact.toml) and [elsewhere](javascript:window.ran=true).

<h1 id="data">Not a heading of ours</h1>

| metric | value |
|---|---|
| accuracy | 0.97 |

- [x] measured
- [ ] reviewed

    ${"print(model.predict(rows)); ".repeat(12)}
`;

export const IRIS_FILES = {
  "README.md": CARD,
  "reenact.toml": IRIS,
  "model.onnx": fixture("crates/runtime/tests/fixtures/logistic.onnx"),
  "examples.json": JSON.stringify({ rows: [[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]], expected: ["setosa", "virginica"] }),
};

export const DIGITS_FILES = {
  "reenact.toml": DIGITS,
  "digits.onnx": fixture("web/tests/fixtures/digits.onnx"),
  "examples.json": fixture("web/tests/fixtures/digits.json"),
};

export const NUMBER_FILES = { "model.onnx": fixture("crates/runtime/tests/fixtures/boosting.onnx") };

/** A pickle that would run a command if somebody loaded it. */
export const DANGEROUS_FILES = { "README.md": "# Do not load\n", "model.pkl": "cposix\nsystem\n(S'touch /tmp/reenact-was-fooled'\ntR." };

/** What all tests of the pages look at: three public models of alice's, one private, one that is dangerous. */
export async function furnish(server) {
  const token = admin(server, "user", "add", "alice");
  await push(server, token, "alice/iris", IRIS_FILES);
  await push(server, token, "alice/digits", DIGITS_FILES);
  await push(server, token, "alice/number", NUMBER_FILES);
  await push(server, token, "alice/danger", DANGEROUS_FILES);
  await push(server, token, "alice/secret", IRIS_FILES, "private");
  for (const name of ["alice/iris", "alice/digits", "alice/number"]) await deploy(server, token, name);
  await discuss(server, token, "alice/iris");
  return token;
}

/** Offers a change of a model, which is its first discussion. */
async function discuss(server, token, name) {
  const lines = [
    { key: "header", value: { summary: "Say where the data is from", description: "It is *not* said yet." } },
    { key: "file", value: { path: "SOURCE.txt", encoding: "base64", content: Buffer.from("Fisher, 1936").toString("base64") } },
  ];
  const response = await fetch(`${server.url}/api/models/${name}/commit/main?create_pr=1`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}` },
    body: lines.map((line) => `${JSON.stringify(line)}\n`).join(""),
  });
  if (!response.ok) throw new Error(`the change was not taken: ${await response.text()}`);
}
