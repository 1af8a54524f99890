// Every kind of input and output in the web app: by file, drop, camera, microphone and text, and without scripts;
// what was tried before, and answers that are shared.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { crc32, deflateSync } from "node:zlib";

import { barriers, faint, faults, open, visit } from "./browser.mjs";
import { admin, deploy, push, start } from "./server.mjs";

// Finds the bright half of a picture by its header alone, so that it needs no package.
const LENS = `
import base64, json, struct, zlib
from typing import Annotated, Literal

def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

def half(width, height):
    line = b"\\0" + bytes(255 if x < width // 2 else 0 for x in range(width))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(line * height)) + chunk(b"IEND", b"")

def predict(
    photo: Annotated[bytes, "image/png"], options: dict, mode: Literal["fast", "good"], note: str
) -> tuple[Annotated[list, "boxes"], Annotated[list, "masks"], Annotated[dict, "label"], Annotated[bytes, "image"], dict]:
    if len(photo) < 33:
        raise ValueError("the picture is cut off")
    width, height = struct.unpack(">II", photo[16:24])
    boxes = [{"label": "left half", "score": 0.9, "box": [0, 0, width // 2, height]}]
    masks = [{"label": "left", "score": 0.8, "mask": base64.b64encode(half(width, height)).decode()}]
    return boxes, masks, {"wide": 0.75, "tall": 0.25}, photo, {"options": options, "mode": mode, "note": note, "size": [width, height]}
`;

const EAR = `
import io, wave
from typing import Annotated

def predict(voice: Annotated[bytes, "audio/wav"]) -> tuple[Annotated[bytes, "audio"], Annotated[list, "table"], float]:
    """Says how long it is."""
    with wave.open(io.BytesIO(voice)) as sound:
        seconds, rate = sound.getnframes() / sound.getframerate(), sound.getframerate()
    return voice, [{"name": "rate", "value": rate}, {"name": "=loud", "value": None}], seconds
`;

const PULSE = `
from typing import Annotated

def predict(beats: list[float], film: Annotated[bytes, "video"]) -> tuple[Annotated[list, "series"], str]:
    return [2 * beat for beat in beats], f"{len(film)} bytes"
`;

let server;
let browser;
let token;

before(async () => {
  server = await start();
  token = admin(server, "user", "add", "alice");
  admin(server, "user", "add", "bob");
  const example = { rows: [[{ b64: png(8, 4).toString("base64") }, '{"a": 1}', "good", "an example"]] };
  await push(server, token, "alice/lens", { "predict.py": LENS, "examples.json": JSON.stringify(example) });
  await push(server, token, "alice/ear", { "predict.py": EAR });
  await push(server, token, "alice/pulse", { "predict.py": PULSE });
  for (const name of ["alice/lens", "alice/ear", "alice/pulse"]) await deploy(server, token, name);
  browser = await open();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** A picture, bright on its left. */
function png(width, height) {
  const chunk = (name, data) => {
    const body = Buffer.concat([Buffer.from(name, "latin1"), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const head = Buffer.from([0, 0, 0, width, 0, 0, 0, height, 8, 0, 0, 0, 0]);
  const line = Buffer.from([0, ...Array.from({ length: width }, (_, x) => (x < width / 2 ? 230 : 40))]);
  const lines = Buffer.concat(Array.from({ length: height }, () => line));
  return Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), chunk("IHDR", head), chunk("IDAT", deflateSync(lines)), chunk("IEND", Buffer.alloc(0))]);
}

function wav(seconds, rate = 8000) {
  const n = Math.round(seconds * rate);
  const bytes = Buffer.alloc(44 + n * 2);
  bytes.write("RIFF", 0); bytes.writeUInt32LE(36 + n * 2, 4); bytes.write("WAVEfmt ", 8); bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20); bytes.writeUInt16LE(1, 22); bytes.writeUInt32LE(rate, 24); bytes.writeUInt32LE(rate * 2, 28);
  bytes.writeUInt16LE(2, 32); bytes.writeUInt16LE(16, 34); bytes.write("data", 36); bytes.writeUInt32LE(n * 2, 40);
  for (let i = 0; i < n; i++) bytes.writeInt16LE(Math.round(Math.sin(i / 3) * 9000), 44 + i * 2);
  return bytes;
}

const PICTURE = { name: "half.png", mimeType: "image/png", buffer: png(60, 40) };
const predict = (page) => page.getByRole("button", { name: "Predict", exact: true }).click();
const answer = (page) => page.locator("#answer");

async function signIn(page, name = "alice") {
  await page.goto(`/sign-in${new URL(admin(server, "sign-in-link", name)).search}`);
}

async function fillLens(page) {
  await page.goto("/alice/lens/try");
  await page.locator("#p0").setInputFiles(PICTURE);
  await page.getByLabel("options").fill('{"deep": {"x": [1, 2]}}');
  await page.getByLabel("mode", { exact: true }).selectOption("fast");
  await page.getByLabel("note").fill("two\nlines");
}

test("a picture with an object, a choice and a text is answered by boxes, masks, bars, a picture and an object", async () => {
  const page = await visit(browser, server);
  await fillLens(page);
  await page.locator("[data-part=p0] img").waitFor();
  await predict(page);
  await answer(page).getByText("left half, 90.0 %, from 0, 0 to 30, 40").waitFor();
  await answer(page).getByText("left, 80.0 %").waitFor();
  await page.waitForFunction(() => document.querySelectorAll("#answer canvas[data-drawn='1']").length === 2);
  const colors = await page.evaluate(() => [...document.querySelectorAll("#answer canvas")].map((canvas) => {
    const at = (x) => [...canvas.getContext("2d").getImageData(x, 30, 1, 1).data];
    return [canvas.width, canvas.height, at(15), at(50)];
  }));
  const [[width, height, inBox, outside], [, , masked, bare]] = colors;
  assert.deepEqual([width, height, inBox, outside], [60, 40, [230, 230, 230, 255], [40, 40, 40, 255]]);
  assert.ok(masked[0] > masked[1] + 40 && bare.join() === "40,40,40,255", `${masked} ${bare}`);
  assert.match(await answer(page).locator(".bars li").first().textContent(), /^wide\s*75\.0 %$/);
  assert.equal(await answer(page).locator("img.answer-media").evaluate((image) => image.decode().then(() => image.naturalWidth)), 60);
  await answer(page).getByText('"two\\nlines"').waitFor();
  await answer(page).getByText("[60,40]").waitFor();
  assert.deepEqual(page.problems, []);
});

test("the command of a file repeats what was done", async () => {
  const page = await visit(browser, server);
  await fillLens(page);
  await predict(page);
  await page.locator("#again").waitFor();
  const said = JSON.parse(execFileSync("sh", ["-c", await page.locator("#curl").textContent()], { encoding: "utf8" }));
  assert.equal(said.outputs[3].data[0], PICTURE.buffer.toString("base64"));
});

test("an example with a file is one click away", async () => {
  const page = await visit(browser, server);
  await page.goto("/alice/lens/try");
  await page.getByRole("link", { name: "Example 1" }).click();
  await answer(page).getByText("[8,4]").waitFor();
  assert.equal(await page.getByLabel("note").inputValue(), "an example");
});

test("what is wrong is said where it stands: no file, an empty one, a broken one, one of another kind, no JSON", async () => {
  const page = await visit(browser, server);
  await page.goto("/alice/lens/try");
  await page.getByLabel("options").fill('{"a":\n [}');
  await page.locator(".part-fault").getByText(/line 2,? column 3/).waitFor();
  await predict(page);
  await answer(page).getByRole("alert").getByText("photo is missing").waitFor();
  const give = (name, buffer, mimeType = "image/png") => page.locator("#p0").setInputFiles({ name, mimeType, buffer });
  await give("empty.png", Buffer.alloc(0));
  await answer(page).getByText("empty.png is empty").waitFor();
  await give("broken.png", PICTURE.buffer.subarray(0, 20));
  await answer(page).getByText("no picture that this browser can read").waitFor();
  const large = join(mkdtempSync(join(tmpdir(), "reenact-large-")), "large.png");
  writeFileSync(large, Buffer.alloc(33_000_000));
  await page.locator("#p0").setInputFiles(large);
  await answer(page).getByText("large.png is too large").waitFor();
  await give("half.png", PICTURE.buffer);
  await predict(page);
  await answer(page).getByText("options is no JSON").waitFor();
  await page.getByLabel("options").fill("{}");
  const gif = await page.evaluate(() => { const c = document.createElement("canvas"); c.width = c.height = 4; return c.toDataURL("image/webp").split(",")[1]; });
  await give("other.webp", Buffer.from(gif, "base64"), "image/webp");
  await predict(page);
  await answer(page).getByRole("alert").getByText("image/webp came, image/png is wanted").waitFor();
});

test("a picture comes by drop and by camera", async () => {
  const page = await visit(browser, server, { permissions: ["camera"] });
  await page.goto("/alice/lens/try");
  await page.getByLabel("options").fill("{}");
  await page.evaluate((base64) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], "dropped.png", { type: "image/png" }));
    const send = (name) => document.querySelector("footer").dispatchEvent(new DragEvent(name, { dataTransfer, bubbles: true, cancelable: true }));
    send("dragover");
    send("drop");
  }, PICTURE.buffer.toString("base64"));
  await page.getByText("dropped.png, ").waitFor();
  await predict(page);
  await answer(page).getByText("[60,40]").waitFor();
  await page.getByRole("button", { name: "Camera" }).click();
  await page.waitForFunction(() => document.querySelector("video")?.videoWidth > 0);
  await page.getByRole("button", { name: "Take the picture" }).click();
  await page.getByText("camera.png, ").waitFor();
  await predict(page);
  await answer(page).getByText("[640,480]").waitFor();
  assert.deepEqual(page.problems, []);
});

test("a sound is recorded in the page and becomes a WAV file, or comes as one", async () => {
  const page = await visit(browser, server, { permissions: ["microphone"] });
  await page.goto("/alice/ear/try");
  await page.getByRole("button", { name: "Record" }).click();
  await page.getByRole("button", { name: "Stop · 1 s" }).waitFor();
  await page.getByRole("button", { name: /^Stop/ }).click();
  await page.getByText("recorded.wav, ").waitFor();
  await predict(page);
  await answer(page).locator("audio").waitFor();
  const seconds = Number(await answer(page).locator(".answer-label").textContent());
  assert.ok(seconds > 0.5 && seconds < 10, `${seconds} s`);
  await page.locator("#p0").setInputFiles({ name: "beep.wav", mimeType: "audio/wav", buffer: wav(0.5) });
  await page.getByText("beep.wav, ").waitFor();
  await predict(page);
  await answer(page).getByText("0.5", { exact: true }).waitFor();
  const played = await answer(page).locator("audio").evaluate((audio) => new Promise((resolve) => { audio.onended = () => resolve(audio.duration); audio.play(); }));
  assert.ok(Math.abs(played - 0.5) < 0.05, `${played} s were played`);
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save as CSV" }).click()]);
  assert.equal(readFileSync(await download.path(), "utf8"), "name,value\r\nrate,8000\r\n'=loud,\r\n");
  assert.deepEqual(page.problems, []);
});

test("who does not allow the microphone is told what to do", async () => {
  const page = await visit(browser, server);
  await page.goto("/alice/ear/try");
  await page.getByRole("button", { name: "Record" }).click();
  await answer(page).getByText("may not use the microphone").waitFor();
});

test("a series is drawn while it is typed, and a film is previewed", async () => {
  const page = await visit(browser, server);
  await page.goto("/alice/pulse/try");
  await page.locator("#p0").fill("beat\n1\n2.5\n-4");
  await page.locator("[data-part=p0] svg").waitFor();
  assert.equal(await page.locator("[data-part=p0] svg").getAttribute("aria-label"), "beats: 3 numbers from -4 to 2.5");
  await page.locator("#p0").fill("1\ntwo");
  await page.locator(".part-fault").getByText("two is no number").waitFor();
  await page.locator("#p0").fill("1, 2.5, -4");
  const film = Buffer.from("\x1aE\xdf\xa3 no film, but begins like one", "latin1");
  await page.locator("#p1").setInputFiles({ name: "film.webm", mimeType: "video/webm", buffer: film });
  await page.locator("[data-part=p1] video").waitFor();
  await predict(page);
  await answer(page).getByText(`${film.length} bytes`).waitFor();
  assert.match(await answer(page).locator("svg.chart").getAttribute("aria-label"), /3 numbers from -8 to 5/);
});

test("what was tried before is kept in the browser, shown again and cleared", async () => {
  const page = await visit(browser, server);
  await fillLens(page);
  await predict(page);
  await page.locator(".history-entry").waitFor();
  await page.getByLabel("note").fill("another");
  await predict(page);
  await page.locator(".history-entry").nth(1).waitFor();
  await page.reload();
  await page.locator(".history-entry").nth(1).click();
  assert.equal(await page.getByLabel("note").inputValue(), "two\nlines");
  await page.waitForFunction(() => document.querySelectorAll("#answer canvas[data-drawn='1']").length === 2);
  await page.locator("[data-part=p0] img").waitFor();
  await page.getByRole("button", { name: "Clear" }).click();
  await page.locator("#history").waitFor({ state: "hidden" });
  await page.reload();
  assert.equal(await page.locator(".history-entry").count(), 0);
});

test("an answer is shared by whoever is signed in, seen by all who may see the model, and deleted by who shared it", async () => {
  const page = await visit(browser, server);
  await fillLens(page);
  await predict(page);
  await answer(page).getByText("left half").first().waitFor();
  assert.equal(await page.locator("#share").count(), 0, "nobody shares");
  await signIn(page, "bob");
  await fillLens(page);
  await predict(page);
  await page.getByRole("button", { name: "Share this answer" }).click();
  await page.waitForURL("**/a/*");
  await page.waitForFunction(() => document.querySelectorAll("#answer canvas[data-drawn='1']").length === 2);
  const stranger = await visit(browser, server);
  await stranger.goto(page.url());
  await stranger.waitForFunction(() => document.querySelectorAll("#answer canvas[data-drawn='1']").length === 2);
  assert.equal(await stranger.getByRole("button", { name: "Delete this answer" }).count(), 0);
  assert.deepEqual([...(await faults(stranger)), ...(await barriers(stranger)), ...(await faint(stranger))], []);
  const plain = await visit(browser, server, { javaScriptEnabled: false });
  await plain.goto(page.url());
  await plain.locator("#answer").getByText("left half, 90.0 %, from 0, 0 to 30, 40").waitFor();
  assert.equal(await plain.locator("[data-given=note] .answer-text").textContent(), "two\nlines");
  await page.getByRole("button", { name: "Delete this answer" }).click();
  await page.waitForURL("**/alice/lens/try");
  assert.equal((await stranger.reload()).status(), 404);
  assert.deepEqual(page.problems, []);
});

test("through a link an answer is shared below the link alone, and deleted by the browser that shared it", async () => {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const made = await fetch(`${server.url}/api/v1/models/alice/ear/links`, { method: "POST", headers, body: JSON.stringify({ anonymous: true }) });
  const { url } = await made.json();
  const page = await visit(browser, server);
  await page.goto(`${url}/try`);
  await page.locator("#p0").setInputFiles({ name: "beep.wav", mimeType: "audio/wav", buffer: wav(0.25) });
  await page.getByText("beep.wav, ").waitFor();
  await predict(page);
  await page.getByRole("button", { name: "Share this answer" }).click();
  await page.waitForURL("**/r/*/a/*");
  await answer(page).getByText("0.25", { exact: true }).waitFor();
  assert.doesNotMatch(await page.content(), /alice/, "the answer tells whose the model is");
  const other = await visit(browser, server);
  await other.goto(page.url());
  await answer(other).getByText("0.25", { exact: true }).waitFor();
  assert.equal(await other.getByRole("button", { name: "Delete this answer" }).count(), 0);
  assert.equal((await other.goto(`/a/${page.url().split("/").pop()}`)).status(), 404);
  const address = page.url();
  await page.getByRole("button", { name: "Delete this answer" }).click();
  await page.waitForURL("**/try");
  assert.equal((await other.goto(address)).status(), 404);
});

test("without scripts files go with the form, and the answer is a page", async () => {
  const page = await visit(browser, server, { javaScriptEnabled: false });
  await fillLens(page);
  await predict(page);
  await answer(page).getByText("left half, 90.0 %, from 0, 0 to 30, 40").waitFor();
  assert.equal(await page.getByLabel("note").inputValue(), "two\nlines");
  await answer(page).locator("img").waitFor();
  await page.goto("/alice/lens/try?example=0");
  await predict(page);
  await answer(page).getByText('"an example"').waitFor();
  await page.goto("/alice/ear/try");
  await predict(page);
  await answer(page).getByRole("alert").getByText("the file is empty").waitFor();
  await signIn(page);
  await page.goto("/alice/ear/try");
  await page.locator("#p0").setInputFiles({ name: "beep.wav", mimeType: "audio/wav", buffer: wav(0.5) });
  await page.getByRole("button", { name: "Predict and share" }).click();
  await page.waitForURL("**/a/*");
  await answer(page).locator("audio").waitFor();
});

test("the web app of every kind is fit for all: light and dark, wide and narrow", async () => {
  const shots = process.env.REENACT_SHOTS ?? mkdtempSync(join(tmpdir(), "reenact-shots-"));
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1280, 320]) {
      const page = await visit(browser, server, { colorScheme, viewport: { width, height: 900 } });
      await fillLens(page);
      await predict(page);
      await page.waitForFunction(() => document.querySelectorAll("#answer canvas[data-drawn='1']").length === 2);
      await page.locator(".history-entry").waitFor();
      const found = [...(await faults(page)), ...(await barriers(page)), ...(await faint(page))];
      assert.deepEqual(found, [], `${colorScheme} ${width}`);
      writeFileSync(join(shots, `lens-${colorScheme}-${width}.png`), await page.screenshot({ fullPage: true }));
      for (const name of ["ear", "pulse"]) {
        await page.goto(`/alice/${name}/try`);
        assert.deepEqual([...(await faults(page)), ...(await barriers(page)), ...(await faint(page))], [], `${name} ${colorScheme} ${width}`);
        writeFileSync(join(shots, `${name}-${colorScheme}-${width}.png`), await page.screenshot({ fullPage: true }));
      }
    }
  }
});
