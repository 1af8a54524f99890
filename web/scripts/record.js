// Recording in the page: a picture by the camera, a sound by the microphone, which becomes a WAV file here.
// Nothing is recorded before a button is pressed, and the device is let go as soon as it is not needed.

import { element } from "./answer.js";

const LONGEST_S = 120;

/** Offers what this browser can record for this part. */
export function recorders({ part, ways, seen, take, complain }) {
  // A page within another page may use neither.
  if (!navigator.mediaDevices?.getUserMedia || document.body.classList.contains("embedded")) return;
  const fits = (type) => !part.media_types?.length || part.media_types.includes(type);
  if (part.kind === "image" && fits("image/png")) offer(ways, "Camera", (button) => photograph({ button, seen, take, complain }));
  if (part.kind === "audio" && fits("audio/wav")) offer(ways, "Record", recorder({ take, complain }));
}

function offer(ways, label, start) {
  const button = element("button", "button little", label);
  button.type = "button";
  button.addEventListener("click", () => start(button));
  ways.append(button);
  ways.hidden = false;
}

async function open(wanted, complain) {
  try {
    return await navigator.mediaDevices.getUserMedia(wanted);
  } catch (error) {
    const what = wanted.video ? "camera" : "microphone";
    complain(error.name === "NotAllowedError" ? `This page may not use the ${what}.\nAllow it in the browser, or choose a file.` : `There is no ${what} to use.\nChoose a file instead.`);
    return null;
  }
}

function release(stream) {
  for (const track of stream.getTracks()) track.stop();
}

async function photograph({ button, seen, take, complain }) {
  const stream = await open({ video: true }, complain);
  if (!stream) return;
  const video = element("video", "answer-media");
  Object.assign(video, { autoplay: true, muted: true, playsInline: true, srcObject: stream });
  video.setAttribute("aria-label", "What the camera sees");
  const shoot = element("button", "button primary little", "Take the picture");
  const cancel = element("button", "button little", "Cancel");
  const line = element("div", "row");
  shoot.type = cancel.type = "button";
  line.append(shoot, cancel);
  const before = [...seen.childNodes];
  const wasHidden = seen.hidden;
  seen.replaceChildren(video, line);
  seen.hidden = false;
  button.disabled = true;
  const end = () => { release(stream); button.disabled = false; };
  cancel.addEventListener("click", () => { end(); seen.replaceChildren(...before); seen.hidden = wasHidden; button.focus(); });
  await video.play().catch(() => {});
  shoot.focus();
  shoot.addEventListener("click", async () => {
    const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
    canvas.getContext("2d").drawImage(video, 0, 0);
    end();
    await take(new File([await canvas.convertToBlob({ type: "image/png" })], "camera.png", { type: "image/png" }));
    button.focus();
  }, { once: true });
}

function recorder({ take, complain }) {
  let stop = null;
  return async (button) => {
    if (stop) { stop(); return; }
    const stream = await open({ audio: true }, complain);
    if (!stream) return;
    const context = new AudioContext();
    await context.audioWorklet.addModule(new URL("./samples.js", import.meta.url));
    const node = new AudioWorkletNode(context, "samples", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
    const parts = [];
    node.port.onmessage = ({ data }) => parts.push(data);
    context.createMediaStreamSource(stream).connect(node);
    const began = performance.now();
    const tick = () => {
      const seconds = (performance.now() - began) / 1000;
      button.textContent = `Stop · ${Math.floor(seconds)} s`;
      if (seconds >= LONGEST_S) stop?.();
    };
    const timer = setInterval(tick, 250);
    tick();
    button.setAttribute("aria-pressed", "true");
    stop = async () => {
      stop = null;
      clearInterval(timer);
      release(stream);
      const rate = context.sampleRate;
      await context.close();
      button.textContent = "Record";
      button.removeAttribute("aria-pressed");
      await take(new File([wav(parts, rate)], "recorded.wav", { type: "audio/wav" }));
    };
  };
}

/** Samples between -1 and 1 as a WAV file: one channel, 16 bits. */
export function wav(parts, rate) {
  const n = parts.reduce((sum, part) => sum + part.length, 0);
  const view = new DataView(new ArrayBuffer(44 + n * 2));
  const text = (at, word) => [...word].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + n * 2, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, n * 2, true);
  let at = 44;
  for (const part of parts) for (const sample of part) { view.setInt16(at, Math.max(-1, Math.min(1, sample)) * 0x7fff, true); at += 2; }
  return view.buffer;
}
