// Unpack the scores embedded in the page; the counterpart of vswin_cli/report/tracks.py.

/** Unpack a track, or null if the browser is too old to inflate. */
async function unpackTrack(packed) {
  if (!packed || typeof DecompressionStream === "undefined") return null;
  const [valid, margins, entropies, columns] = await Promise.all([
    unpackFlags(packed.valid, packed.num_cells),
    unpackLevels(packed.margins, packed.num_cells),
    unpackLevels(packed.entropies, packed.num_cells),
    unpackColumns(packed),
  ]);
  return {
    start: packed.start_seconds,
    step: packed.step_seconds,
    labels: packed.labels,
    sections: packed.sections,
    boundaries: packed.boundaries,
    columns,
    valid,
    margins,
    entropies,
    gated: new Uint8Array(packed.num_cells),
  };
}

/**
 * Gate the cells with a margin below `minMargin` or an entropy above `maxEntropy`. Both must be
 * levels of the `saved` options, see gateLevels.
 */
function setGate(track, { min_margin: minMargin, max_entropy: maxEntropy }, saved) {
  const key = `${minMargin} ${maxEntropy}`;
  if (track.gate === key || !track.margins) return;
  const off = minMargin <= 0 && maxEntropy >= 1;
  const least = gateLevels(saved.min_margin).indexOf(minMargin);
  const most = gateLevels(saved.max_entropy).indexOf(maxEntropy);
  for (let i = 0; i < track.gated.length; i++) {
    track.gated[i] = !off && (track.margins[i] < least || track.entropies[i] > most) ? 1 : 0;
  }
  track.gate = key;
  track.largest = track.smoothed = undefined; // caches of the previous gate
}

/** List the thresholds that the levels of a track index; see gate_levels in tracks.py. */
function gateLevels(chosen) {
  const grid = Array.from({ length: 101 }, (_, i) => i / 100);
  return [...new Set([...grid, chosen])].sort((a, b) => a - b);
}

async function unpackLevels(text, count) {
  if (!text) return null;
  const plain = Float32Array.from({ length: 256 }, (_, code) => code);
  return Uint8Array.from(undoSteps(await inflate(bytesOf(text)), count, 8, plain));
}

async function unpackColumns(packed) {
  const bytes = bytesOf(packed.scores);
  const view = new DataView(bytes.buffer);
  const values = packed.bits === 16 ? halfPrecisionValues() : steppedValues();
  const parts = [];
  for (let at = 0; at < bytes.length; ) {
    const length = view.getUint32(at, true);
    parts.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  const columns = [];
  for (const part of parts) {
    columns.push(undoSteps(await inflate(part), packed.num_cells, packed.bits, values));
  }
  return columns;
}

/** Undo the packing of a column: differences along time, all high bytes before all low ones. */
function undoSteps(planes, count, bits, values) {
  const out = new Float32Array(count);
  let code = 0;
  for (let i = 0; i < count; i++) {
    const step = bits === 16 ? (planes[i] << 8) | planes[count + i] : planes[i];
    code = (code + step) & (bits === 16 ? 0xffff : 0xff);
    out[i] = values[code];
  }
  return out;
}

/** Table of half-precision values by bit pattern; scores have no sign and no infinities. */
function halfPrecisionValues() {
  return Float32Array.from({ length: 0x7c00 }, (_, code) => {
    const [exponent, fraction] = [code >> 10, code & 0x3ff];
    return exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction;
  });
}

function steppedValues() {
  return Float32Array.from({ length: 256 }, (_, code) => code / 256);
}

async function unpackFlags(text, count) {
  const bytes = await inflate(bytesOf(text));
  return Uint8Array.from({ length: count }, (_, i) => (bytes[i >> 3] >> (i & 7)) & 1);
}

function bytesOf(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
