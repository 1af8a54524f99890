// The web app in the browser: reads the form or the picture, asks the endpoint, shows the answer in place.

import { body, curl, infer, pieces } from "./request.js";
import { complain, duration, element, read, show, wait } from "./answer.js";
import { isBusy, state } from "./endpoint.js";
import { panel } from "./csv.js";
import { pad } from "./pad.js";
import { fromRow, ofFile, paint, toRow } from "./picture.js";

const data = JSON.parse(document.getElementById("data").textContent);
const { schema } = data;
const form = document.getElementById("form");
const place = document.getElementById("answer");
const predictButton = document.getElementById("predict");
/** The request under way, so that a newer one replaces it. */
let running = null;

const input = { table: tableInput, image: pictureInput, tensors: tensorInput }[schema?.input.kind ?? "tensors"]();

form.addEventListener("submit", (event) => {
  event.preventDefault();
  predict();
});
for (const link of document.querySelectorAll("[data-example]")) {
  link.addEventListener("click", (event) => {
    const row = data.examples.rows[link.dataset.example];
    if (!row) return;
    event.preventDefault();
    mark(link);
    input.put(row);
    predict({ expected: data.examples.expected[link.dataset.example] });
  });
}
panel(data, repeat);
follow();

/** Asks with what stands in the form. */
async function predict({ expected, isQuiet = false } = {}) {
  let request;
  try {
    request = input.request();
  } catch (error) {
    complain(place, error.message);
    return;
  }
  running?.abort();
  const mine = (running = new AbortController());
  const stop = isQuiet ? dim() : tell();
  try {
    if (data.stream) {
      await grow(request, mine.signal, stop);
      repeat(request);
      return;
    }
    const { outputs, took } = await infer(data, request, mine.signal);
    const nRows = request.inputs[0].shape[0] ?? 1;
    const [first] = schema ? read(schema, outputs, nRows) : [{ values: Object.values(outputs).map((o) => [o.name, o.data]) }];
    show(place, schema && nRows > 1 ? { values: Object.values(outputs).map((o) => [o.name, o.data]) } : first, expected);
    document.getElementById("took").textContent = duration(took);
    echo();
    // On a phone the answer stands below the form. Who changes a value keeps their place.
    if (!isQuiet) place.parentElement.scrollIntoView({ block: "nearest" });
    setState("ready");
    repeat(request);
  } catch (error) {
    if (error.name !== "AbortError") complain(place, error.message);
  } finally {
    stop();
    if (running === mine) running = null;
  }
}

/** Shows the answer as it comes, piece by piece. Whoever hears the page is told it once it is whole. */
async function grow(request, signal, onFirst) {
  const began = performance.now();
  const text = element("p", "answer-text");
  place.setAttribute("aria-busy", "true");
  try {
    await pieces(data, request, signal, (piece) => {
      if (!text.isConnected) { onFirst(); place.replaceChildren(text); }
      text.append(piece);
    });
    if (!text.isConnected) place.replaceChildren(text);
    document.getElementById("took").textContent = duration(performance.now() - began);
    setState("ready");
  } finally {
    place.removeAttribute("aria-busy");
  }
}

/** Says what is happening when an answer takes longer than a moment: a model may have to be loaded first. */
function tell() {
  const began = performance.now();
  predictButton.setAttribute("aria-busy", "true");
  let doing = "Asking the model";
  const timer = setInterval(async () => {
    const seconds = Math.round((performance.now() - began) / 1000);
    wait(place, seconds < 1 ? `${doing} …` : `${doing} … ${seconds} s`);
    const now = await state(data.repository);
    if (now) {
      setState(now.state);
      doing = { pending: "Waiting for its turn to start", starting: "Starting: loading the model", idle: "Waking the model up" }[now.state] ?? "Asking the model";
    }
  }, 500);
  return () => {
    clearInterval(timer);
    predictButton.removeAttribute("aria-busy");
  };
}

function dim() {
  const timer = setTimeout(() => place.classList.add("is-stale"), 150);
  return () => { clearTimeout(timer); place.classList.remove("is-stale"); };
}

/** Shows the command that repeats a request. */
function repeat(request) {
  document.getElementById("curl").textContent = curl(data, request);
  document.getElementById("again").hidden = false;
}

function mark(current) {
  for (const link of document.querySelectorAll("[data-example]")) {
    if (link === current) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

const SENTENCES = {
  ready: "Live and answering.",
  idle: "Asleep to save memory. The next request wakes it, which takes a moment.",
  pending: "About to start.",
  starting: "Loading the model.",
};

function setState(name) {
  const shown = document.querySelector("#status .state");
  if (!shown || shown.dataset.state === name) return;
  shown.dataset.state = shown.textContent = name;
  document.getElementById("status-text").textContent = SENTENCES[name] ?? "";
}

/** While it starts, says so; then the page may ask. */
async function follow() {
  let name = document.getElementById("status")?.dataset.state;
  for (let seconds = 1; isBusy(name); seconds++) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const now = await state(data.repository);
    if (!now) continue;
    name = now.state;
    if (!isBusy(name) && name !== "ready" && name !== "idle") { location.reload(); return; }
    setState(name);
    if (isBusy(name)) document.getElementById("status-text").textContent = `${SENTENCES[name]} ${seconds} s`;
  }
}

function tableInput() {
  const fields = schema.input.features.map((_, i) => form.elements[`f${i}`]);
  for (const slider of document.querySelectorAll("[data-slider]")) {
    const field = document.getElementById(slider.dataset.slider);
    slider.hidden = false;
    slider.value = field.value;
    slider.addEventListener("input", () => { field.value = slider.value; changed(); });
    field.addEventListener("input", () => { slider.value = field.value; });
  }
  const label = document.getElementById("follow-label");
  label.hidden = false;
  form.addEventListener("input", (event) => { if (event.target.type !== "range") changed(); });
  let timer;
  function changed() {
    mark(null);
    if (!document.getElementById("follow").checked) return;
    clearTimeout(timer);
    timer = setTimeout(() => { if (form.checkValidity()) predict({ isQuiet: true }); }, 120);
  }
  return {
    put(row) {
      fields.forEach((field, i) => {
        field.value = row[i];
        const slider = document.querySelector(`[data-slider="f${i}"]`);
        if (slider) slider.value = row[i];
      });
    },
    request: () => body(schema, [fields.map((field) => field.value)]),
  };
}

function pictureInput() {
  const view = schema.input;
  document.getElementById("picture").hidden = false;
  let brightness = null;
  const drawing = document.getElementById("pad")
    ? pad(view, data.examples.rows, (drawn) => { take(drawn); mark(null); if (drawn) predict({ isQuiet: true }); else forget(); })
    : null;
  function take(picture) {
    brightness = picture;
    document.getElementById("seen").hidden = !picture;
    if (picture) paint(document.getElementById("seen-canvas"), view, picture);
  }
  async function open(file) {
    try {
      take(await ofFile(file, view));
      drawing?.reset();
      mark(null);
      predict();
    } catch (error) {
      complain(place, error.message);
    }
  }
  listenForFiles(open);
  const chosen = document.querySelector('[data-example][aria-current="true"]');
  if (chosen && data.examples.rows[chosen.dataset.example]) take(fromRow(view, data.examples.rows[chosen.dataset.example]));
  return {
    put(row) {
      drawing?.reset();
      take(fromRow(view, row));
    },
    request() {
      if (!brightness) throw new Error(drawing ? "Draw something first, or choose a picture." : "Choose a picture first.");
      return body(schema, [toRow(view, brightness)]);
    },
  };
}

/** Repeats the answer in brief beside what the model sees, where the eyes are while one draws on a phone. */
function echo() {
  const brief = document.getElementById("seen-answer");
  if (!brief) return;
  const texts = [".answer-label", ".best .bar-text"].map((part) => place.querySelector(part)?.textContent);
  brief.textContent = texts.filter(Boolean).join(" · ");
}

/** Nothing is asked any more, so nothing is answered. */
function forget() {
  running?.abort();
  place.replaceChildren(element("p", "muted answer-none", "The answer appears here."));
  document.getElementById("took").textContent = "";
  echo();
}

/** A picture by file, by drop and by paste. */
function listenForFiles(open) {
  const file = document.getElementById("file");
  const target = document.getElementById("drop") ?? document.querySelector(".app-input");
  file.addEventListener("change", () => { if (file.files[0]) open(file.files[0]); file.value = ""; });
  addEventListener("paste", (event) => {
    const pasted = [...(event.clipboardData?.files ?? [])].find((each) => each.type.startsWith("image/"));
    if (pasted) { event.preventDefault(); open(pasted); }
  });
  // Anywhere on the page: a browser that is left a file goes to it, and what was drawn is lost.
  addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    target.classList.add("is-over");
  });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) target.classList.remove("is-over"); });
  addEventListener("drop", (event) => {
    target.classList.remove("is-over");
    if (!event.dataTransfer.files[0]) return;
    event.preventDefault();
    open(event.dataTransfer.files[0]);
  });
}

function tensorInput() {
  const area = document.getElementById("tensors");
  return {
    put(row) { if (schema?.inputs.length === 1) area.value = JSON.stringify(body(schema, [row]), null, 1); },
    request() {
      if (!area) throw new Error("The inputs of this model are not known yet. Load the page again in a moment.");
      try {
        return JSON.parse(area.value);
      } catch (error) {
        throw new Error(`That is not JSON: ${error.message}`, { cause: error });
      }
    },
  };
}
