// The drawing pad: strokes by pen, finger or mouse on a large canvas, brought to the model's size by their mean.

import { habits, inkBox, shrink } from "./picture.js";

/** Width of the pen: a part of the pad, and at least so many of the model's pixels. */
const PEN = 0.09;
const PEN_PIXELS = 1.4;

/** Makes the pad work; `onChange` gets the brightness of each pixel, or null when it is empty. */
export function pad(view, examples, onChange) {
  const canvas = document.getElementById("pad");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const { isDark, extent } = habits(view, examples);
  canvas.parentElement.classList.toggle("dark", isDark);
  const pen = Math.max(PEN, PEN_PIXELS / Math.min(view.width, view.height));
  const strokes = [];
  let current = null;

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    current = [point(canvas, event)];
    strokes.push(current);
    redraw();
    event.preventDefault();
    canvas.focus({ preventScroll: true });
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!current) return;
    const events = event.getCoalescedEvents?.() ?? [];
    current.push(...(events.length ? events : [event]).map((each) => point(canvas, each)));
    redraw();
  });
  for (const name of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(name, () => {
      if (!current) return;
      current = null;
      change();
    });
  }
  canvas.addEventListener("keydown", (event) => {
    if (event.key === "Backspace" || event.key === "Delete") { clear(); event.preventDefault(); }
    if (event.key === "u" || (event.key === "z" && (event.ctrlKey || event.metaKey))) { undo(); event.preventDefault(); }
  });
  const buttons = { undo: document.getElementById("undo"), clear: document.getElementById("clear") };
  buttons.undo.addEventListener("click", undo);
  buttons.clear.addEventListener("click", clear);

  function undo() { strokes.pop(); redraw(); change(); }
  function clear() { strokes.length = 0; redraw(); change(); }

  function redraw() {
    const size = canvas.width;
    context.fillStyle = isDark ? "#000" : "#fff";
    context.fillRect(0, 0, size, canvas.height);
    context.strokeStyle = context.fillStyle = isDark ? "#fff" : "#000";
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = pen * size;
    for (const stroke of strokes) drawStroke(context, stroke);
    document.getElementById("pad-hint").hidden = strokes.length > 0;
  }

  function change() {
    buttons.undo.disabled = buttons.clear.disabled = strokes.length === 0;
    onChange(strokes.length === 0 ? null : seen(context, view, { isDark, extent }));
  }

  redraw();
  return {
    /** Empties the pad without telling anybody: something else is shown now. */
    reset() {
      strokes.length = 0;
      buttons.undo.disabled = buttons.clear.disabled = true;
      redraw();
    },
  };
}

function drawStroke(context, [first, ...rest]) {
  context.beginPath();
  if (rest.length === 0) {
    context.arc(first.x, first.y, context.lineWidth / 2, 0, 2 * Math.PI);
    context.fill();
    return;
  }
  context.moveTo(first.x, first.y);
  for (const { x, y } of rest) context.lineTo(x, y);
  context.stroke();
}

function point(canvas, event) {
  const box = canvas.getBoundingClientRect();
  return { x: ((event.clientX - box.left) / box.width) * canvas.width, y: ((event.clientY - box.top) / box.height) * canvas.height };
}

/**
 * The drawing as the model sees it. Where the examples fill a certain part of their frame, as scanned digits do,
 * the ink is brought to that size and to the middle first.
 */
function seen(context, view, { isDark, extent }) {
  const { canvas } = context;
  if (!extent) return shrink(context.getImageData(0, 0, canvas.width, canvas.height).data, canvas, view);
  const coarse = 64;
  const all = context.getImageData(0, 0, canvas.width, canvas.height).data;
  const small = shrink(all, canvas, { width: coarse, height: coarse, channels: 1 });
  const box = inkBox(small, coarse, coarse, isDark);
  if (!box) return shrink(all, canvas, view);
  const unit = canvas.width / coarse;
  const [width, height] = [(box.x1 - box.x0) * unit, (box.y1 - box.y0) * unit];
  const side = Math.max(width, height) / extent;
  const [left, top] = [box.x0 * unit + width / 2 - side / 2, box.y0 * unit + height / 2 - side / 2];
  const frame = new OffscreenCanvas(canvas.width, canvas.height);
  const target = frame.getContext("2d");
  target.fillStyle = isDark ? "#000" : "#fff";
  target.fillRect(0, 0, frame.width, frame.height);
  target.imageSmoothingQuality = "high";
  target.drawImage(canvas, left, top, side, side, 0, 0, frame.width, frame.height);
  return shrink(target.getImageData(0, 0, frame.width, frame.height).data, frame, view);
}
