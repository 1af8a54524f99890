// A request to the endpoint, by the Open Inference Protocol: rows to tensors, the call, the command that
// repeats it. Knows the schema and no element of the page.

/** Tensors of the model's inputs from rows: one list of values a row, in the order of the schema. */
export function body(schema, rows) {
  const { inputs, input: view } = schema;
  if (inputs.length > 1) {
    const columns = view.features.map((feature) => inputs.find((input) => input.name === feature.name));
    return {
      inputs: columns.map((input, i) => tensor(input, input.shape.length > 1 ? [rows.length, 1] : [rows.length], rows.map((row) => row[i]))),
    };
  }
  const [input] = inputs;
  return { inputs: [tensor(input, [rows.length, ...rowShape(input, view, rows[0].length)], rows.flat())] };
}

function tensor(input, shape, values) {
  return { name: input.name, shape, datatype: input.datatype, data: values.map((value) => typed(value, input.datatype)) };
}

/** A picture's layout says what the model's own shape leaves open. */
function rowShape(input, view, nValues) {
  const rest = input.shape.slice(1);
  if (rest.every((length) => length > 0)) return rest;
  if (view.kind === "image") {
    const { width, height, channels, layout } = view;
    if (layout === "nchw") return [channels, height, width];
    if (layout === "nhwc") return rest.length === 2 ? [height, width] : [height, width, channels];
  }
  return [nValues];
}

function typed(value, datatype) {
  if (datatype === "BYTES") return String(value);
  if (datatype === "BOOL") return value === true || /^(true|1|yes)$/i.test(String(value).trim());
  if (typeof value === "number") return value;
  const text = String(value).trim();
  const number = text === "" ? NaN : Number(text);
  // The server says which input it was and what is wanted.
  return Number.isFinite(number) ? number : text;
}

/** Asks; returns outputs by name and how long it took, in milliseconds. Throws an `Error` for people. */
export async function infer(data, request, signal) {
  const began = performance.now();
  let response;
  try {
    response = await fetch(data.infer, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(request),
      signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer.", { cause: error });
  }
  const took = performance.now() - began;
  const text = await response.text();
  if (!response.ok) throw new Error(complaint(text, response.status));
  const answer = JSON.parse(text);
  return { outputs: Object.fromEntries(answer.outputs.map((output) => [output.name, output])), took };
}

/** Asks for the answer to the only row piece by piece; calls `onPiece` with each. Throws an `Error` for people. */
export async function pieces(data, request, signal, onPiece) {
  const row = Object.fromEntries(request.inputs.map((input) => [input.name, input.data[0]]));
  let response;
  try {
    response = await fetch(data.stream, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(row),
      signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer.", { cause: error });
  }
  if (!response.ok) throw new Error(complaint(await response.text(), response.status));
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let read = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (read + value).split("\n");
    read = lines.pop();
    for (const line of lines.filter((each) => each.startsWith("data:"))) {
      const event = JSON.parse(line.slice(5));
      if (event.error) throw new Error(event.error.replace("; hint: ", "\n"));
      onPiece(event.text_output);
    }
  }
}

function complaint(text, status) {
  try {
    const { error, message, hint } = JSON.parse(text);
    return message && hint ? `${message}\n${hint}` : (error ?? message);
  } catch {
    return `The server answered ${status}.`;
  }
}

/** A command for a terminal that sends the same. */
export function curl(data, request) {
  const lines = [`curl -sS ${quote(data.url + data.infer)}`];
  if (data.is_private) lines.push('-H "authorization: Bearer $REENACT_TOKEN"');
  lines.push("-H 'content-type: application/json'", `-d ${quote(JSON.stringify(request))}`);
  return lines.join(" \\\n  ");
}

/** A text as one word of a POSIX shell. */
function quote(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
