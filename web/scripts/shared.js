// A shared answer: shows what went in and what came out as the web app does. What the server wrote stays where this
// browser cannot do better.

import { element, read, show } from "./answer.js";
import { chart } from "./chart.js";
import { fileElement, fileOf } from "./media.js";
import { parts } from "./outputs.js";

const { schema, input, output } = JSON.parse(document.getElementById("data").textContent);
const outputs = Object.fromEntries(output.outputs.map((each) => [each.name, each]));
const given = (schema.input.parts ?? []).map((part) => [part, input.inputs.find((each) => each.name === part.name)]).filter(([, tensor]) => tensor);
const picture = given.find(([part]) => part.kind === "image");

const place = document.getElementById("answer");
if (schema.output.kind === "parts") {
  place.replaceChildren(...parts(schema.output, outputs, picture ? fileOf(picture[1].data[0], "image", "picture") : null));
} else {
  show(place, read(schema, outputs, 1)[0]);
}
for (const [part, tensor] of given) {
  const place = document.querySelector(`[data-given="${CSS.escape(part.name)}"]`);
  if (!place) continue;
  if (["image", "audio", "video", "file"].includes(part.kind)) {
    place.replaceChildren(element("h3", "", part.name), fileElement(part.kind, fileOf(tensor.data[0], part.kind, part.name), part.name));
  } else if (part.kind === "series" && tensor.data.length > 1) {
    place.replaceChildren(element("h3", "", part.name), chart(tensor.data, part.name));
  }
}
