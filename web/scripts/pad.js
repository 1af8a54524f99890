// The drawing pad: strokes by pen, finger or mouse on a large canvas, brought to the model's size by their mean.

import { habits, shrink } from "./picture.js";

/** Width of the pen: a part of the frame, and at least so many of the model's pixels. */
const PEN = 0.09;
const PEN_PIXELS = 1.4;
/** A dot is not made as large as a digit. */
const MOST_GROWTH = 4;

/** Makes the pad work; `onChange` gets the brightness of each pixel, or null when it is empty. */
export function pad(view, examples, onChange) {
  const canvas = document.getElementById("pad");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const { isDark, extent } = habits(view, examples);
  canvas.parentElement.classList.toggle("dark", isDark);
  const paper = { isDark, pen: canvas.width * Math.max(PEN, PEN_PIXELS / Math.min(view.width, view.height)) };
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
    draw(context, strokes, paper);
    document.getElementById("pad-hint").hidden = strokes.length > 0;
  }

  function change() {
    buttons.undo.disabled = buttons.clear.disabled = strokes.length === 0;
    onChange(strokes.length === 0 ? null : seen(strokes, view, { ...paper, extent, size: canvas.width }));
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

function draw(context, strokes, { isDark, pen }) {
  context.fillStyle = isDark ? "#000" : "#fff";
  context.fillRect(0, 0, context.canvas.width, context.canvas.height);
  context.strokeStyle = context.fillStyle = isDark ? "#fff" : "#000";
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = pen;
  for (const [first, ...rest] of strokes) {
    context.beginPath();
    if (rest.length === 0) {
      context.arc(first.x, first.y, pen / 2, 0, 2 * Math.PI);
      context.fill();
      continue;
    }
    context.moveTo(first.x, first.y);
    for (const { x, y } of rest) context.lineTo(x, y);
    context.stroke();
  }
}

function point(canvas, event) {
  const box = canvas.getBoundingClientRect();
  return { x: ((event.clientX - box.left) / box.width) * canvas.width, y: ((event.clientY - box.top) / box.height) * canvas.height };
}

/**
 * The drawing as the model sees it. Where the examples fill a certain part of their frame, as scanned digits do,
 * the strokes are brought to that size and to the middle first; the pen stays as wide as it is.
 */
function seen(strokes, view, { isDark, pen, extent, size }) {
  const points = strokes.flat();
  const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const side = Math.max(right - left, bottom - top, 1);
  const scale = extent ? Math.min(Math.max(extent * size - pen, pen) / side, MOST_GROWTH) : 1;
  const middle = extent ? { x: (left + right) / 2, y: (top + bottom) / 2 } : { x: size / 2, y: size / 2 };
  const move = ({ x, y }) => ({ x: (x - middle.x) * scale + size / 2, y: (y - middle.y) * scale + size / 2 });
  const frame = new OffscreenCanvas(size, size).getContext("2d");
  draw(frame, strokes.map((stroke) => stroke.map(move)), { isDark, pen });
  return shrink(frame.getImageData(0, 0, size, size).data, { width: size, height: size }, view);
}
