// Draw on the time axis, as SVG: score curves, thresholds, gaps, ticks. No state.

const SVG = "http://www.w3.org/2000/svg";
const TICK_STEPS = [
  0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 36000,
];

function svg(name, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

/** Format seconds as `1:02:03.4`, with or without tenths. */
function clock(seconds, tenths = true) {
  const unit = tenths ? 10 : 1;
  let rest = Math.round(seconds * unit);
  const fraction = tenths ? `.${rest % 10}` : "";
  rest = Math.floor(rest / unit);
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(rest / 3600), Math.floor(rest / 60) % 60];
  const head = hours ? `${hours}:${two(minutes)}` : `${minutes}`;
  return `${head}:${two(rest % 60)}${fraction}`;
}

/** Format a duration: `2.4 s`, `3 min 20 s`, `1 h 5 min`. */
function length(seconds) {
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Find the largest score in each of `width` equal parts of [from, to) seconds; -1 where none is valid. */
function envelope(track, values, from, to, width) {
  const out = new Float32Array(width).fill(-1);
  const perPixel = (to - from) / width;
  for (let x = 0; x < width; x++) {
    const left = (from + x * perPixel - track.start) / track.step;
    const first = Math.max(0, Math.floor(left));
    const stop = Math.min(values.length, Math.max(first + 1, left + perPixel / track.step));
    for (let i = first; i < stop; i++) if (track.valid[i] && values[i] > out[x]) out[x] = values[i];
  }
  return out;
}

/** Draw the area under a score curve, in pixels; empty where no clip covers the video. */
function curve(heights, height) {
  const y = (score) => (height * (1 - score)).toFixed(1);
  let path = "";
  let open = false;
  heights.forEach((score, x) => {
    if (score < 0) {
      if (open) path += `V${height}Z`;
      open = false;
      return;
    }
    path += open ? `L${x + 0.5} ${y(score)}` : `M${x} ${height}L${x + 0.5} ${y(score)}`;
    if (x === heights.length - 1) path += `L${x + 1} ${y(score)}`;
    open = true;
  });
  if (open) path += `V${height}Z`;
  return svg("path", { class: "curve", d: path });
}

/** Draw dashed lines at the thresholds. */
function thresholdLines(options, width, height) {
  return ["onset", "offset"].map((name) => {
    const y = (height * (1 - options[name])).toFixed(1);
    return svg("line", { class: name, x1: 0, x2: width, y1: y, y2: y });
  });
}

/** Draw hatched boxes over parts of the axis, at least two pixels wide to stay visible. */
function boxes(parts, name, scale, width, height) {
  return parts
    .map(([start, end]) => [scale(start), scale(end)])
    .filter(([left, right]) => right >= 0 && left <= width)
    .map(([left, right]) => {
      const x = Math.max(-1, left);
      return svg("rect", {
        class: name,
        x: x.toFixed(1),
        y: 0,
        width: Math.max(2, Math.min(right, width + 1) - x).toFixed(1),
        height,
        fill: `url(#hatch-${name})`,
      });
    });
}

/** Draw tick marks with times, far enough apart not to overlap. */
function ticks(from, to, width) {
  const wanted = ((to - from) * 76) / width;
  const step = TICK_STEPS.find((one) => one >= wanted) || Math.ceil(wanted / 3600) * 3600;
  const marks = [];
  for (let i = Math.ceil(from / step - 1e-9); i * step <= to + 1e-9; i++) {
    const x = ((i * step - from) / (to - from)) * width;
    const anchor = x < 18 ? "start" : x > width - 22 ? "end" : "middle";
    const text = svg("text", { x: x.toFixed(1), y: 18, "text-anchor": anchor });
    text.append(clock(i * step, step < 1));
    marks.push(svg("line", { x1: x.toFixed(1), x2: x.toFixed(1), y1: 0, y2: 5 }), text);
  }
  return marks;
}
