// Pictures as the model wants them: from pixels to values and back. Pure but for canvases it makes itself.

/** Mean darkness, 0 to 1, of each cell when `width` x `height` pixels are laid over the picture. */
export function shrink(pixels, from, to) {
  const { width, height, channels } = to;
  const out = new Float64Array(width * height * channels);
  const [sx, sy] = [from.width / width, from.height / height];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const mean = area(pixels, from.width, [x * sx, y * sy, Math.min((x + 1) * sx, from.width), Math.min((y + 1) * sy, from.height)]);
      const at = (y * width + x) * channels;
      // Rec. 601: how bright people see a colour.
      if (channels === 1) out[at] = (0.299 * mean[0] + 0.587 * mean[1] + 0.114 * mean[2]) / 255;
      else for (let c = 0; c < channels; c++) out[at + c] = mean[c] / 255;
    }
  }
  return out;
}

/** Mean colour of a rectangle whose edges may cut pixels; what is clear is white. */
function area(pixels, stride, [x0, y0, x1, y1]) {
  const sum = [0, 0, 0];
  let weight = 0;
  for (let y = Math.floor(y0); y < Math.ceil(y1); y++) {
    const wy = Math.min(y + 1, y1) - Math.max(y, y0);
    for (let x = Math.floor(x0); x < Math.ceil(x1); x++) {
      const w = wy * (Math.min(x + 1, x1) - Math.max(x, x0));
      const at = (y * stride + x) * 4;
      const alpha = pixels[at + 3] / 255;
      for (let c = 0; c < 3; c++) sum[c] += w * (pixels[at + c] * alpha + 255 * (1 - alpha));
      weight += w;
    }
  }
  return sum.map((value) => value / weight);
}

/** Brightness, 0 to 1, row by row, as the row of values that the model takes. */
export function toRow(view, brightness) {
  const { black, white, channels, width, height, layout } = view;
  const value = (i) => round(black + brightness[i] * (white - black));
  if (layout !== "nchw" || channels === 1) return Array.from(brightness, (_, i) => value(i));
  const n = width * height;
  return Array.from({ length: n * channels }, (_, i) => value((i % n) * channels + Math.floor(i / n)));
}

/** The opposite of `toRow`. */
export function fromRow(view, row) {
  const { black, white, channels, width, height, layout } = view;
  const n = width * height;
  const place = (i) => (layout !== "nchw" || channels === 1 ? i : (i % channels) * n + Math.floor(i / channels));
  return Float64Array.from({ length: n * channels }, (_, i) => (row[place(i)] - black) / (white - black));
}

/** Draws brightness into a canvas of the model's own size. */
export function paint(canvas, view, brightness) {
  const { width, height, channels } = view;
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) image.data[i * 4 + c] = 255 * brightness[i * channels + (channels === 1 ? 0 : c)];
    image.data[i * 4 + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

/** What the examples tell of how pictures lie in their frame: the ground's brightness and the ink's extent. */
export function habits(view, rows) {
  if (view.channels !== 1 || rows.length === 0) return { isDark: false, extent: null };
  const pictures = rows.map((row) => fromRow(view, row));
  const edge = pictures.flatMap((picture) => corners(view, picture)).sort((a, b) => a - b);
  const isDark = edge[Math.floor(edge.length / 2)] < 0.5;
  const boxes = pictures.map((picture) => inkBox(picture, view.width, view.height, isDark)).filter(Boolean);
  if (boxes.length === 0) return { isDark, extent: null };
  const sides = boxes.map((box) => Math.max((box.x1 - box.x0) / view.width, (box.y1 - box.y0) / view.height)).sort((a, b) => a - b);
  return { isDark, extent: sides[Math.floor(sides.length / 2)] };
}

function corners({ width, height }, picture) {
  return [0, width - 1, (height - 1) * width, height * width - 1].map((i) => picture[i]);
}

/** The rectangle that holds all ink, in pixels; none without ink. */
export function inkBox(brightness, width, height, isDark) {
  let box = null;
  for (let i = 0; i < width * height; i++) {
    const ink = isDark ? brightness[i] : 1 - brightness[i];
    if (ink < 0.1) continue;
    const [x, y] = [i % width, Math.floor(i / width)];
    box ??= { x0: x, y0: y, x1: x + 1, y1: y + 1 };
    box = { x0: Math.min(box.x0, x), y0: Math.min(box.y0, y), x1: Math.max(box.x1, x + 1), y1: Math.max(box.y1, y + 1) };
  }
  return box;
}

/** A file's picture, fitted into the middle of the model's frame. */
export async function ofFile(file, view) {
  const bitmap = await createImageBitmap(file).catch(() => { throw new Error(`\`${file.name || "what was pasted"}\` is no picture that this browser can read.`); });
  const { width, height } = view;
  // Not larger than it is read: eight steps a pixel are enough for a mean.
  const scale = Math.min(1, Math.max((width * 8) / bitmap.width, (height * 8) / bitmap.height));
  const canvas = new OffscreenCanvas(Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale)));
  const context = canvas.getContext("2d");
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  const side = Math.min(canvas.width / width, canvas.height / height);
  const [cropWidth, cropHeight] = [Math.max(1, Math.round(width * side)), Math.max(1, Math.round(height * side))];
  const [x, y] = [Math.floor((canvas.width - cropWidth) / 2), Math.floor((canvas.height - cropHeight) / 2)];
  const pixels = context.getImageData(x, y, cropWidth, cropHeight).data;
  return shrink(pixels, { width: cropWidth, height: cropHeight }, view);
}

function round(value) {
  return Number(value.toPrecision(7));
}
