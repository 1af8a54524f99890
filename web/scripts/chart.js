// A small chart of a series of numbers.

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT] = [320, 80];
const MOST_POINTS = 1000;

/** A line through the numbers, with its ends in words. */
export function chart(numbers, name) {
  const step = Math.ceil(numbers.length / MOST_POINTS);
  const points = numbers.filter((_, i) => i % step === 0);
  const low = points.reduce((a, b) => Math.min(a, b));
  const high = points.reduce((a, b) => Math.max(a, b));
  const x = (i) => (i / Math.max(points.length - 1, 1)) * (WIDTH - 4) + 2;
  const y = (value) => HEIGHT - 3 - ((value - low) / (high - low || 1)) * (HEIGHT - 6);
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("class", "chart");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `${name}: ${numbers.length} numbers from ${low} to ${high}`);
  const line = document.createElementNS(SVG, "polyline");
  line.setAttribute("points", points.map((value, i) => `${x(i).toFixed(1)},${y(value).toFixed(1)}`).join(" "));
  svg.append(line);
  const box = document.createElement("div");
  const words = document.createElement("p");
  words.className = "small muted";
  words.textContent = `${numbers.length} numbers, from ${Number(low.toPrecision(5))} to ${Number(high.toPrecision(5))}`;
  box.append(svg, words);
  return box;
}
