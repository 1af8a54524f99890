// Parts of an answer: texts, files, tables, objects, and boxes and masks over the picture that went in.
// Makes elements; asks nobody. What is drawn stands beside it in words too.

import { bars, element, number } from "./answer.js";
import { chart } from "./chart.js";
import { format, save } from "./csv.js";
import { fileElement, fileOf } from "./media.js";

const SHOWN_ROWS = 100;
const SHOWN_ITEMS = 100;
const SHOWN_CHARACTERS = 20_000;
const COLORS = ["#e6194b", "#0082c8", "#3cb44b", "#f58231", "#911eb4", "#008080", "#b8860b", "#d6249f"];

/** The parts of an answer to one row. `picture` is the file over which boxes and masks are drawn. */
export function parts(view, outputs, picture) {
  return view.parts.filter((part) => outputs[part.name]).map((part) => {
    const output = outputs[part.name];
    const value = output.shape.length > 1 ? output.data : output.data[0];
    const box = element("div", "answer-part");
    const title = part.title || (view.parts.length > 1 || part.name !== "output" ? part.name : "");
    if (title) box.append(element("h3", "", title));
    box.append(...shown(part.kind, value, { title: title || "answer", picture }));
    return box;
  });
}

function shown(kind, value, context) {
  switch (kind) {
    case "image": case "audio": case "video": case "file": return media(kind, value, context);
    case "value": return [element("p", "answer-label", number(value))];
    case "label": return label(value);
    case "series": return value.length > 1 ? [chart(value, context.title)] : [element("p", "answer-label", number(value[0]))];
    case "table": return object(value, (read) => table(read, context));
    case "boxes": case "masks": return object(value, (read) => regions(kind, read, context));
    case "json": return object(value, (read) => [tree(read)]);
    default: return [element("p", "answer-text", String(value))];
  }
}

function media(kind, value, { title }) {
  if (!value) return [element("p", "muted", "The model gave none.")];
  const file = fileOf(value, kind, title);
  return [fileElement(kind, file, title)];
}

/** What a text of JSON makes; the text itself where it is none, or is not what it should be. */
function object(value, make) {
  try {
    return make(typeof value === "string" ? JSON.parse(value) : value);
  } catch {
    return [element("pre", "answer-json", String(value))];
  }
}

function label(value) {
  if (!String(value).startsWith("{")) return [element("p", "answer-label", String(value))];
  return object(value, (read) => {
    const list = Object.entries(read).map(([name, probability]) => ({ label: name, probability: Number(probability) }));
    list.sort((a, b) => b.probability - a.probability);
    return [element("p", "answer-label", list[0]?.label ?? ""), bars(list)];
  });
}

function table({ columns, data }, { title }) {
  const made = element("table");
  const head = element("tr");
  head.append(...columns.map((column) => { const cell = element("th", "", String(column)); cell.scope = "col"; return cell; }));
  const thead = element("thead");
  thead.append(head);
  const tbody = element("tbody");
  tbody.append(...data.slice(0, SHOWN_ROWS).map((row) => {
    const line = element("tr");
    line.append(...row.map((value) => element("td", "", value === null ? "" : number(value))));
    return line;
  }));
  made.append(thead, tbody);
  const box = element("div", "table compact");
  box.tabIndex = 0;
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", title);
  box.append(made);
  const button = element("button", "button little", "Save as CSV");
  button.type = "button";
  button.addEventListener("click", () => save(format([columns, ...data.map((row) => row.map((value) => value ?? ""))]), `${title}.csv`));
  const more = data.length > SHOWN_ROWS ? `; the first ${SHOWN_ROWS} are shown` : "";
  const line = element("div", "row spread");
  line.append(element("p", "small muted", `${data.length} ${data.length === 1 ? "row" : "rows"}${more}`), button);
  return [line, box];
}

/** Regions in words, and drawn over the picture where there is one. */
function regions(kind, list, { picture, title }) {
  const items = list.slice(0, SHOWN_ITEMS);
  const found = [];
  if (picture && items.length) found.push(overlay(kind, items, picture, title));
  if (!items.length) return [element("p", "muted", "Nothing was found.")];
  const words = element("ul", "regions");
  words.append(...items.map((item, i) => {
    const line = element("li");
    const mark = element("span", "region-mark");
    mark.style.background = COLORS[i % COLORS.length];
    mark.setAttribute("aria-hidden", "true");
    const score = typeof item.score === "number" ? `${(item.score * 100).toFixed(1)} %` : "";
    const { xmin, ymin, xmax, ymax } = item.box ?? {};
    const where = item.box ? `from ${number(xmin)}, ${number(ymin)} to ${number(xmax)}, ${number(ymax)}` : "";
    line.append(mark, [item.label ?? "region", score, where].filter(Boolean).join(", "));
    return line;
  }));
  found.push(words);
  return found;
}

function overlay(kind, items, picture, title) {
  const canvas = element("canvas", "answer-media");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${title}, drawn over the picture; the list below says the same`);
  draw(canvas, kind, items, picture).catch(() => canvas.remove());
  return canvas;
}

async function draw(canvas, kind, items, picture) {
  const image = await createImageBitmap(picture);
  Object.assign(canvas, { width: image.width, height: image.height });
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  for (const [i, item] of items.entries()) {
    const color = COLORS[i % COLORS.length];
    if (kind === "masks") await cover(context, item, color);
    else frame(context, item, color);
  }
  canvas.dataset.drawn = items.length;
}

function frame(context, { box, label: name, score }, color) {
  const { width } = context.canvas;
  const line = Math.max(2, width / 200);
  const [x, y, w, h] = [box.xmin, box.ymin, box.xmax - box.xmin, box.ymax - box.ymin];
  Object.assign(context, { strokeStyle: color, lineWidth: line });
  context.strokeRect(x, y, w, h);
  const text = [name, typeof score === "number" ? `${Math.round(score * 100)} %` : ""].filter(Boolean).join(" ");
  if (!text) return;
  const size = Math.max(11, width / 32);
  context.font = `600 ${size}px system-ui, sans-serif`;
  const wide = context.measureText(text).width + size / 2;
  const top = y - size * 1.3 >= 0 ? y - size * 1.3 : y;
  context.fillStyle = color;
  context.fillRect(x - line / 2, top, wide, size * 1.3);
  context.fillStyle = "#fff";
  context.fillText(text, x + size / 4 - line / 2, top + size);
}

/** Lays a colour over the picture where the mask is white. */
async function cover(context, { mask }, color) {
  const shape = await createImageBitmap(fileOf(mask, "image", "mask"));
  const { width, height } = context.canvas;
  const layer = new OffscreenCanvas(width, height);
  const ink = layer.getContext("2d");
  ink.imageSmoothingEnabled = false;
  ink.drawImage(shape, 0, 0, width, height);
  const pixels = ink.getImageData(0, 0, width, height);
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
  for (let at = 0; at < pixels.data.length; at += 4) {
    const covered = (pixels.data[at] * pixels.data[at + 3]) / 255;
    pixels.data.set([r, g, b, covered * 0.5], at);
  }
  ink.putImageData(pixels, 0, 0);
  context.drawImage(layer, 0, 0);
}

/** An object as a tree that opens and closes. */
function tree(value, depth = 0) {
  if (value === null || typeof value !== "object") return element("code", "", JSON.stringify(value).slice(0, SHOWN_CHARACTERS));
  const entries = Object.entries(value);
  const isList = Array.isArray(value);
  const short = JSON.stringify(value);
  if (short.length <= 60) return element("code", "", short);
  const details = element("details", "tree");
  details.open = depth < 2;
  details.append(element("summary", "", isList ? `${entries.length} items` : `${entries.length} ${entries.length === 1 ? "entry" : "entries"}`));
  const list = element("ul");
  list.append(...entries.slice(0, SHOWN_ITEMS).map(([name, item]) => {
    const line = element("li");
    line.append(element("span", "tree-name", `${name}: `), tree(item, depth + 1));
    return line;
  }));
  if (entries.length > SHOWN_ITEMS) list.append(element("li", "muted", `and ${entries.length - SHOWN_ITEMS} more`));
  details.append(list);
  return details;
}
