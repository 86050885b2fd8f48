// Colours of labels, by the rule of vswin_cli/timeline/palette.py.

const palette = JSON.parse(document.getElementById("palette").textContent);
const colourOfLabel = new Map();

function labelColour(label) {
  if (!colourOfLabel.has(label)) {
    let code = palette.start;
    for (const byte of new TextEncoder().encode(label)) code = Math.imul(code ^ byte, 16777619);
    code = (code ^ (code >>> 15)) >>> 0;
    colourOfLabel.set(label, palette.colours[code % palette.colours.length]);
  }
  return colourOfLabel.get(label);
}
