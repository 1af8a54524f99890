// The form of parts: texts, files, series, objects and values, each as an element of a request.
// Knows the form's fields and how each kind is given; asks nobody.

import { element } from "./answer.js";
import { parse } from "./csv.js";
import { chart } from "./chart.js";
import { fault } from "./json.js";
import { bytesOf, fileElement, fromBase64, isOfKind, toBase64 } from "./media.js";
import { recorders } from "./record.js";

/** Makes the parts of the form work. `changed` is told when a file has come or a text was edited. */
export function partsInput(data, { changed, complain }) {
  const { schema } = data;
  const context = { changed, complain, limit: data.limit_bytes };
  const parts = schema.input.parts.map((part, i) => {
    const place = document.querySelector(`[data-part="p${i}"]`);
    const spec = schema.inputs.find((input) => input.name === part.name);
    const kind = { image: filePart, audio: filePart, video: filePart, file: filePart, series: seriesPart, json: jsonPart, table: tablePart }[part.kind] ?? textPart;
    return { spec, ...kind({ part, place, field: document.getElementById(`p${i}`) }, context) };
  });
  listenForFiles(parts.filter((part) => part.take));
  return {
    parts,
    put(row) { parts.forEach((part, i) => part.put(row[i])); },
    /** Fills the form with what a request once asked. */
    restore(request) { for (const part of parts) part.put(elementOf(part, request)); },
    async request() {
      const inputs = [];
      for (const part of parts) {
        const values = await part.values();
        const shape = part.spec.shape.length > 1 ? [1, values.length] : [1];
        inputs.push({ name: part.spec.name, shape, datatype: part.spec.datatype, data: values });
      }
      return { inputs };
    },
    /** The file of the first picture, over which boxes and masks are drawn. */
    picture: () => parts.find((part) => part.kind === "image")?.file() ?? null,
  };
}

function elementOf(part, request) {
  const input = request.inputs.find((each) => each.name === part.spec.name);
  if (!input) return "";
  if (part.take) return { b64: input.data[0] };
  return part.spec.shape.length > 1 && part.kind === "series" ? input.data : input.data[0];
}

/** What a field of a simple kind says, in the type that its tensor wants. */
function textPart({ part, field, place }, { changed }) {
  field.addEventListener("input", () => changed());
  const slider = place.querySelector("[data-slider]");
  if (slider) {
    slider.hidden = false;
    slider.addEventListener("input", () => { field.value = slider.value; });
    field.addEventListener("input", () => { slider.value = field.value; });
  }
  return {
    kind: part.kind,
    put(value) { field.value = value ?? ""; },
    values() {
      const text = field.value;
      if (part.kind !== "value" || part.categories?.length) return [text];
      if (/^(true|false)$/.test(text)) return [text === "true"];
      return [text.trim() === "" || Number.isNaN(Number(text)) ? text : Number(text)];
    },
  };
}

function filePart({ part, place, field }, { changed, complain, limit }) {
  let file = null;
  const seen = place.querySelector(".part-seen");
  field.classList.add("spoken");
  place.querySelector(".with-scripts-only").hidden = false;
  async function take(given, name = given.name) {
    try {
      await check(given, part, limit, name);
    } catch (error) {
      complain(error.message);
      return;
    }
    file = given;
    await show();
    changed();
  }
  async function show() {
    seen.hidden = !file;
    if (!file) { seen.replaceChildren(); return; }
    const name = element("span", "small muted", `${file.name || "recorded"}, ${sizeOf(file.size)}`);
    const drop = element("button", "button little", "Remove");
    drop.type = "button";
    drop.addEventListener("click", () => { file = null; show(); field.focus(); });
    const line = element("div", "row");
    line.append(name, drop);
    seen.replaceChildren(fileElement(part.kind, file, part.name), line);
  }
  field.addEventListener("change", () => { if (field.files[0]) take(field.files[0]); field.value = ""; });
  recorders({ part, ways: place.querySelector(".part-ways"), seen, take, complain });
  return {
    kind: part.kind,
    place,
    take,
    takes: (given) => part.kind === "file" || given.type === "" || isOfKind(given.type, part),
    file: () => file,
    put(value) {
      const text = typeof value === "object" ? value?.b64 : null;
      file = text ? new File([fromBase64(text)], "example") : null;
      show();
    },
    async values() {
      if (!file) throw new Error(`\`${part.name}\` is missing.\nChoose ${part.kind === "file" ? "a file" : `a file of ${part.kind}`} for it.`);
      return [toBase64(await bytesOf(file))];
    },
  };
}

async function check(file, part, limit, name) {
  const what = `\`${name || "what was pasted"}\``;
  if (file.size === 0) throw new Error(`${what} is empty.`);
  // In a request it takes a third more.
  if (file.size * 4 > limit * 3) throw new Error(`${what} is too large: ${sizeOf(file.size)}.\nAt most ${sizeOf(Math.floor(limit * 0.75))} can be sent.`);
  if (part.kind !== "image") return;
  const bitmap = await createImageBitmap(file).catch(() => { throw new Error(`${what} is no picture that this browser can read.`); });
  bitmap.close();
}

function seriesPart({ part, field, place }, { changed }) {
  const seen = place.querySelector(".part-seen");
  const said = place.querySelector(".part-fault");
  const numbers = () => {
    const rows = parse(field.value.trim().replace(/[\t ;]+/g, ","));
    const words = rows.filter((row, i) => i > 0 || row.some((word) => word.trim() !== "" && !Number.isNaN(Number(word)))).flat().map((word) => word.trim()).filter(Boolean);
    const wrong = words.find((word) => !Number.isFinite(Number(word)));
    if (wrong !== undefined) throw new Error(`\`${part.name}\`: \`${wrong.slice(0, 40)}\` is no number.`);
    if (words.length === 0) throw new Error(`\`${part.name}\` has no numbers.`);
    return words.map(Number);
  };
  function draw() {
    let found = [];
    try {
      found = numbers();
      said.hidden = true;
    } catch (error) {
      said.textContent = error.message.replaceAll("`", "");
      said.hidden = field.value.trim() === "";
    }
    seen.hidden = found.length < 2;
    if (found.length > 1) seen.replaceChildren(chart(found, part.name));
  }
  field.addEventListener("input", () => { draw(); changed(); });
  openTextFile(place, field, ".csv,.txt,text/csv,text/plain");
  draw();
  return {
    kind: part.kind,
    put(value) { field.value = Array.isArray(value) ? value.join("\n") : (value ?? ""); draw(); },
    values: numbers,
  };
}

function jsonPart({ part, field, place }, { changed }) {
  const said = place.querySelector(".part-fault");
  function look() {
    const message = field.value.trim() ? fault(field.value) : "";
    said.hidden = message === "";
    said.textContent = message;
    field.setAttribute("aria-invalid", String(message !== ""));
    return message;
  }
  field.addEventListener("input", () => { look(); changed(); });
  openTextFile(place, field, ".json,application/json");
  look();
  return {
    kind: part.kind,
    put(value) { field.value = typeof value === "string" ? value : JSON.stringify(value ?? null, null, 1); look(); },
    values() {
      const message = field.value.trim() ? look() : "it is empty";
      if (message) { field.focus(); throw new Error(`\`${part.name}\` is no JSON: ${message}`); }
      return [field.value];
    },
  };
}

function tablePart({ part, field, place }, { changed }) {
  field.addEventListener("input", () => changed());
  openTextFile(place, field, ".csv,text/csv");
  return {
    kind: part.kind,
    put(value) { field.value = value ?? ""; },
    values() {
      if (!field.value.trim()) throw new Error(`\`${part.name}\` is empty.`);
      return [field.value];
    },
  };
}

function openTextFile(place, field, accept) {
  const ways = place.querySelector(".part-ways");
  const label = element("label", "button little file-button", "Open a file");
  const file = element("input", "spoken");
  Object.assign(file, { type: "file", accept });
  file.addEventListener("change", async () => {
    if (file.files[0]) { field.value = await file.files[0].text(); field.dispatchEvent(new Event("input", { bubbles: true })); }
    file.value = "";
  });
  label.append(file);
  ways.append(label);
  ways.hidden = false;
}

/** Files that are dropped or pasted anywhere go to the first part that takes them; on a part's own field, to it. */
function listenForFiles(parts) {
  if (parts.length === 0) return;
  const aim = (event, file) => parts.find((part) => part.place.contains(event.target)) ?? parts.find((part) => part.takes(file)) ?? parts[0];
  addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])][0];
    if (!file) return;
    event.preventDefault();
    aim(event, file).take(file);
  });
  // Anywhere on the page: a browser that is left a file goes to it, and what was filled in is lost.
  addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    document.querySelector(".app-input").classList.add("is-over");
  });
  const leave = () => document.querySelector(".app-input").classList.remove("is-over");
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) leave(); });
  addEventListener("drop", (event) => {
    leave();
    const file = event.dataTransfer.files[0];
    if (!file) return;
    event.preventDefault();
    aim(event, file).take(file);
  });
}

export function sizeOf(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
