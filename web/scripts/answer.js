// An answer as people read it: a class with bars, a number, or values. Makes elements; asks nobody.

const SHOWN_VALUES = 64;

/** One entry for each row: `{label, bars}`, `{number}` or `{values}`. */
export function read(schema, outputs, nRows) {
  const view = schema.output;
  const rows = [];
  for (let row = 0; row < nRows; row++) {
    if (view.kind === "label" && outputs[view.label]) rows.push(readLabel(view, outputs, nRows, row));
    else if (view.kind === "number" && outputs[view.output]) rows.push({ number: outputs[view.output].data[row], title: view.title ?? "" });
    else rows.push({ values: Object.values(outputs).map((output) => [output.name, part(output, nRows, row)]) });
  }
  return rows;
}

function readLabel(view, outputs, nRows, row) {
  const label = nameOf(view, outputs[view.label].data[row]);
  const probabilities = view.probabilities && outputs[view.probabilities] ? part(outputs[view.probabilities], nRows, row) : [];
  const bars = probabilities.map((probability, i) => ({ label: view.labels?.[i] ?? view.classes[i] ?? String(i), probability }));
  bars.sort((a, b) => b.probability - a.probability);
  return { label, bars };
}

function nameOf(view, value) {
  const at = view.classes.indexOf(String(value));
  return view.labels?.[at] ?? String(value);
}

function part(output, nRows, row) {
  const width = output.data.length / nRows;
  return output.data.slice(row * width, (row + 1) * width);
}

/** Shows the answer to one row. */
export function show(place, answer, expected) {
  const parts = [];
  if (answer.label !== undefined) parts.push(element("p", "answer-label", answer.label));
  if (answer.number !== undefined) {
    parts.push(element("p", "answer-label", number(answer.number)));
    if (answer.title) parts.push(element("p", "muted", answer.title));
  }
  if (expected !== undefined && expected !== null) {
    const known = element("p", "small muted", "This example is known to be ");
    known.append(element("b", "", number(expected)), ".");
    parts.push(known);
  }
  if (answer.bars?.length) parts.push(bars(answer.bars));
  if (answer.values) parts.push(values(answer.values));
  if (answer.elements) parts.push(...answer.elements);
  place.replaceChildren(...parts);
  place.classList.remove("is-stale");
}

/** Classes with their probabilities, the likeliest first. */
export function bars(list) {
  const shown = element("ol", "bars");
  shown.setAttribute("aria-label", "Probabilities");
  shown.append(...list.slice(0, 10).map((bar, i) => {
    const percent = bar.probability * 100;
    const item = element("li", i === 0 ? "best" : "");
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("class", "bar");
    svg.setAttribute("aria-hidden", "true");
    const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    rect.setAttribute("width", `${percent.toFixed(2)}%`);
    rect.setAttribute("height", "100%");
    svg.append(rect);
    item.append(element("span", "bar-label", bar.label), svg, element("span", "bar-text", `${percent.toFixed(1)} %`));
    return item;
  }));
  if (list.length <= 10) return shown;
  const all = element("div", "");
  all.append(shown, element("p", "small muted", `and ${list.length - 10} more classes`));
  return all;
}

function values(list) {
  const shown = element("dl", "pairs start");
  for (const [name, data] of list) {
    const more = data.length > SHOWN_VALUES ? `, … (${data.length} values)` : "";
    shown.append(element("dt", "", name), element("dd", "mono", data.slice(0, SHOWN_VALUES).map(number).join(", ") + more));
  }
  return shown;
}

/** Says what went wrong; a hint may stand on the second line. */
export function complain(place, message) {
  const notice = element("div", "notice danger");
  notice.setAttribute("role", "alert");
  const [what, hint] = message.split("\n");
  notice.append(sentence("", what));
  if (hint) notice.append(sentence("small", hint));
  place.replaceChildren(notice);
  place.classList.remove("is-stale");
}

/** A message as a sentence, in which what stands between backticks is shown as code. */
function sentence(className, message) {
  const text = message.charAt(0).toUpperCase() + message.slice(1) + (/[.!?]$/.test(message) ? "" : ".");
  const shown = element("p", className);
  shown.append(...text.split("`").map((part, i) => (i % 2 ? element("code", "", part) : part)));
  return shown;
}

/** Says what is going on. */
export function wait(place, text) {
  const old = place.querySelector(".waiting p");
  if (old) { old.textContent = text; return; }
  const waiting = element("div", "waiting");
  waiting.append(element("p", "", text));
  place.replaceChildren(waiting);
  place.classList.remove("is-stale");
}

/** Six digits, and all of a whole number: no more are worth reading. */
export function number(value) {
  if (typeof value !== "number" || Number.isInteger(value)) return String(value);
  return String(Math.abs(value) < 1e5 ? Number(value.toPrecision(6)) : Math.round(value));
}

export function duration(ms) {
  return ms < 1000 ? `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

export function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}
