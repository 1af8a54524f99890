// Many rows: CSV in, a table and CSV out. Knows RFC 4180 and the schema's columns.

import { body, infer } from "./request.js";
import { complain, duration, element, number, read, wait } from "./answer.js";

const SHOWN_ROWS = 100;

/** Reads CSV: a list of rows of texts. */
export function parse(text) {
  const rows = [[]];
  let field = "";
  let isQuoted = false;
  const source = text.replace(/^\ufeff/, "");
  const separator = source.slice(0, source.indexOf("\n") + 1 || undefined).includes(";") && !source.includes(",") ? ";" : ",";
  for (let i = 0; i < source.length; i++) {
    const c = source[i];
    if (isQuoted) {
      if (c !== '"') field += c;
      else if (source[i + 1] === '"') { field += '"'; i++; }
      else isQuoted = false;
    } else if (c === '"' && field === "") isQuoted = true;
    else if (c === separator || c === "\n") {
      rows.at(-1).push(field);
      field = "";
      if (c === "\n") rows.push([]);
    } else if (c !== "\r") field += c;
  }
  rows.at(-1).push(field);
  return rows.filter((row) => row.length > 1 || row[0].trim() !== "");
}

/** Writes CSV. A text that a spreadsheet would take for a formula is kept a text. */
export function format(rows) {
  const quote = (value) => {
    let text = String(value);
    if (typeof value === "string" && /^[=+\-@\t]/.test(text) && Number.isNaN(Number(text))) text = `'${text}`;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => row.map(quote).join(",")).join("\r\n") + "\r\n";
}

/** Rows in the order of the schema from rows with a first line of names. */
export function arrange(features, table) {
  if (table.length < 2) throw new Error("The CSV needs a first line of names and at least one row.");
  const names = table[0].map((name) => name.trim());
  const missing = features.filter((feature) => !names.includes(feature.name));
  if (missing.length) throw new Error(`The CSV has no column \`${missing[0].name}\`.\nIts first line names the columns; the model wants ${features.map((feature) => feature.name).join(", ")}.`);
  const order = features.map((feature) => names.indexOf(feature.name));
  return table.slice(1).map((row, i) => {
    if (row.length !== names.length) throw new Error(`Row ${i + 1} has ${row.length} values; the first line names ${names.length}.`);
    return order.map((at) => row[at]);
  });
}

/** Makes the panel work. `ask` is told of the first request, so that the page can repeat it. */
export function panel(data, onRequest) {
  const form = document.getElementById("csv-form");
  if (!form) return;
  const area = document.getElementById("csv");
  const place = document.getElementById("csv-answer");
  const file = document.getElementById("csv-file");
  document.getElementById("csv-file-label").hidden = false;
  file.addEventListener("change", async () => {
    if (file.files[0]) area.value = await file.files[0].text();
    file.value = "";
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const isDownload = event.submitter?.id === "csv-download";
    try {
      const answers = await predictAll(data, area.value, place, onRequest);
      showTable(place, answers);
      const part = answers.rows.length < answers.nAsked ? `-first-${answers.rows.length}-of-${answers.nAsked}` : "";
      if (isDownload) save(format([answers.columns, ...answers.rows]), `${data.model}-answers${part}.csv`);
      if (answers.complaint) {
        const notice = element("div");
        complain(notice, answers.complaint);
        place.prepend(notice);
      }
    } catch (error) {
      complain(place, error.message);
    }
  });
}

async function predictAll(data, text, place, onRequest) {
  const { schema } = data;
  const features = schema.input.features;
  const table = parse(text);
  const rows = arrange(features, table);
  const began = performance.now();
  const nAtATime = data.rows_at_a_time;
  const answers = [];
  let complaint = null;
  for (let at = 0; at < rows.length; at += nAtATime) {
    wait(place, rows.length > nAtATime ? `${at} of ${rows.length} rows answered` : `Asking for ${rows.length} rows`);
    const part = rows.slice(at, at + nAtATime);
    const request = body(schema, part);
    if (at === 0) onRequest(request);
    try {
      const { outputs } = await infer(data, request);
      answers.push(...read(schema, outputs, part.length));
    } catch (error) {
      // What came before was answered, and counted: it is shown.
      if (!answers.length) throw error;
      complaint = error.message;
      break;
    }
  }
  const columns = answerColumns(schema, answers[0]);
  return {
    columns: [...table[0], ...columns.names],
    rows: answers.map((answer, i) => [...table[i + 1], ...columns.of(answer)]),
    nShown: columns.names.length,
    nAsked: rows.length,
    complaint,
    took: performance.now() - began,
  };
}

function answerColumns(schema, first) {
  if (first.label !== undefined) {
    const classes = first.bars.map((bar) => bar.label).sort();
    const chance = (answer, label) => answer.bars.find((bar) => bar.label === label)?.probability ?? "";
    return { names: ["prediction", ...classes.map((label) => `probability of ${label}`)], of: (answer) => [answer.label, ...classes.map((label) => chance(answer, label))] };
  }
  if (first.number !== undefined) return { names: ["prediction"], of: (answer) => [answer.number] };
  return { names: first.values.map(([name]) => name), of: (answer) => answer.values.map(([, values]) => values.join(" ")) };
}

function showTable(place, answers) {
  const table = element("table");
  const head = element("tr");
  const places = [...answers.columns.keys()].slice(-answers.nShown).concat([...answers.columns.keys()].slice(0, -answers.nShown));
  head.append(...places.map((i) => { const cell = element("th", "", answers.columns[i]); cell.scope = "col"; return cell; }));
  const thead = element("thead");
  thead.append(head);
  const tbody = element("tbody");
  tbody.append(...answers.rows.slice(0, SHOWN_ROWS).map((row) => {
    const line = element("tr");
    line.append(...places.map((i) => element("td", "", number(row[i]))));
    return line;
  }));
  table.append(thead, tbody);
  const box = element("div", "table compact");
  box.tabIndex = 0;
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", "Answers");
  box.append(table);
  const n = answers.rows.length;
  const more = n > SHOWN_ROWS ? `; the first ${SHOWN_ROWS} are shown` : "";
  place.replaceChildren(element("p", "small muted", `${n}${n < answers.nAsked ? ` of ${answers.nAsked}` : ""} ${answers.nAsked === 1 ? "row" : "rows"} in ${duration(answers.took)}${more}`), box);
}

/** Gives the browser a CSV file to save. */
export function save(text, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
