// Sequence logos drawn from matrices (per mille of A, C, G, T, a column a word): letters as high as
// their probability times the column's information in bits (Schneider & Stephens 1990).
const glyphs = {
  A: "M69.3 81.8L30.8 81.8L24.7 100L0 100L35.3 0L64.7 0L100 100L75.3 100zM36.9 63.2L63.1 63.2L50 23.4z",
  C: "M100 92.8Q91.6 96.4 82.6 98.2Q73.5 100 63.7 100Q34.3 100 17.2 86.5Q0 73.1 0 50Q0 26.9 17.2 13.5Q34.3 0 63.7 0Q73.5 0 82.6 1.8Q91.6 3.6 100 7.2L100 27.1Q91.6 22.4 83.4 20.2Q75.2 18 66.1 18Q49.9 18 40.6 26.5Q31.3 35.1 31.3 50Q31.3 64.9 40.6 73.5Q49.9 82 66.1 82Q75.2 82 83.4 79.8Q91.6 77.6 100 72.9z",
  G: "M100 91Q89.9 95.5 79.1 97.7Q68.2 100 56.7 100Q30.5 100 15.3 86.5Q0 73.1 0 50Q0 26.7 15.5 13.4Q31.1 0 58.1 0Q68.6 0 78.1 1.8Q87.7 3.6 96.1 7.2L96.1 27.1Q87.4 22.5 78.8 20.3Q70.1 18 61.4 18Q45.3 18 36.6 26.3Q27.9 34.6 27.9 50Q27.9 65.3 36.3 73.7Q44.7 82 60.2 82Q64.4 82 68 81.5Q71.6 81 74.5 80L74.5 61.3L58 61.3L58 44.6L100 44.6z",
  T: "M0 0L100 0L100 19.5L64 19.5L64 100L36 100L36 19.5L0 19.5z",
  U: "M0 0L29.9 0L29.9 58.8Q29.9 70.9 34.6 76.2Q39.3 81.4 50 81.4Q60.7 81.4 65.4 76.2Q70.1 70.9 70.1 58.8L70.1 0L100 0L100 58.8Q100 79.6 87.6 89.8Q75.3 100 50 100Q24.7 100 12.3 89.8Q0 79.6 0 58.8z",
};
const colours = { A: "#009E73", C: "#0072B2", G: "#F0A500", T: "#C8391B", U: "#C8391B" };
document.getElementById("glyphs").innerHTML = Object.entries(glyphs)
  .map(([letter, path]) => `<path id="glyph-${letter}" d="${path}" fill="${colours[letter]}" fill-rule="evenodd"/>`)
  .join("");

const WIDE = 20; // of a column
const HIGH = 60; // of two bits
const LEAST = 0.6; // lower letters are not seen

const matrixOf = (text, reversed) => {
  const columns = text.split(" ").map((column) => column.split(",").map((share) => Number(share) / 1000));
  return reversed ? columns.reverse().map((column) => column.reverse()) : columns;
};

const stack = (column, x, bottom, letters) => {
  const information = 2 + column.reduce((sum, p) => sum + (p > 0 ? p * Math.log2(p) : 0), 0);
  let y = bottom;
  return column
    .map((p, row) => [Math.max(0, (p * information * HIGH) / 2), letters[row]])
    .sort(([a], [b]) => a - b)
    .map(([height, letter]) => {
      y -= height;
      if (height < LEAST) return "";
      const place = `translate(${x + 0.5} ${y.toFixed(1)}) scale(${(WIDE - 1) / 100} ${(height / 100).toFixed(4)})`;
      return `<use href="#glyph-${letter}" transform="${place}"/>`;
    })
    .join("");
};

const lettersAt = (columns, first, bottom, letters) =>
  columns.map((column, i) => stack(column, (first + i) * WIDE, bottom, letters)).join("");

const fill = (svg, wide, high, content) => {
  svg.setAttribute("viewBox", `0 0 ${wide} ${high}`);
  svg.innerHTML = content;
};

const drawLogo = (svg) => {
  const columns = matrixOf(svg.dataset.logo, false);
  fill(svg, columns.length * WIDE, HIGH, lettersAt(columns, 0, HIGH, svg.dataset.letters));
};

// The motif above, the database matrix below it as it lies: turned to its strand, with its column
// `offset` under the motif's first.
const drawPair = (svg) => {
  const own = matrixOf(svg.dataset.logo, false);
  const other = matrixOf(svg.dataset.match, svg.dataset.strand === "-");
  const begin = -Number(svg.dataset.offset);
  const left = Math.min(0, begin);
  const wide = (Math.max(own.length, begin + other.length) - left) * WIDE;
  const line = HIGH + 18;
  fill(svg, wide, 2 * line, lettersAt(own, -left, line, svg.dataset.letters)
    + lettersAt(other, begin - left, 2 * line, svg.dataset.letters)
    + '<text x="0" y="12"></text>' + `<text x="0" y="${line + 13}"></text>`);
  const names = [svg.dataset.name, `${svg.dataset.other} (${svg.dataset.strand})`];
  svg.querySelectorAll("text").forEach((text, i) => { text.textContent = names[i]; });
};

// A sequence with the worth of its bases above, the change by every substitution in the middle and
// contributions below (after Alipanahi et al. 2015, Fig. 4).
const SIDE = 9; // of a cell
const TALL = 44; // of the letters above, and of those below
const LEFT = 34;

const letterAt = (letter, x, top, height) => (letter in glyphs && height >= LEAST
  ? `<use href="#glyph-${letter}" transform="translate(${x} ${top.toFixed(1)}) scale(${SIDE / 105} ${(height / 100).toFixed(4)})"/>`
  : "");

const drawAttribution = (svg, { letters, first, changes, contributions, method }) => {
  const bases = [...letters];
  const n = bases.length;
  const change = (row, i) => changes[row * n + i];
  const rows = [..."ACG", letters.includes("U") ? "U" : "T"];
  const worth = bases.map((_, i) => Math.max(0, ...rows.map((_, row) => -change(row, i))));
  const most = Math.max(1, ...worth);
  const map = TALL + 6;
  const above = Math.max(0, ...contributions);
  const unit = TALL / Math.max(1, above - Math.min(0, ...contributions));
  const line = map + 4 * SIDE + 8 + above * unit;
  const parts = bases.map((letter, i) => {
    const x = LEFT + i * SIDE;
    const height = (TALL * worth[i]) / most;
    const below = Math.abs(contributions[i]) * unit;
    const cells = rows.map((base, row) => {
      const value = change(row, i);
      if (base === letter) return `<circle cx="${x + SIDE / 2}" cy="${map + (row + 0.5) * SIDE}" r="1.2" fill="#888"/>`;
      return value ? `<rect x="${x}" y="${map + row * SIDE}" width="${SIDE - 0.5}" height="${SIDE - 0.5}" fill="${value < 0 ? "#B2182B" : "#2166AC"}" fill-opacity="${Math.abs(value) / 100}"/>` : "";
    }).join("");
    const number = (first + i) % 10 ? "" : `<text x="${x + SIDE / 2}" y="${map + 4 * SIDE + TALL + 19}" text-anchor="middle">${first + i}</text>`;
    return letterAt(letter, x, TALL - height, height) + cells + number
      + letterAt(letter, x, contributions[i] > 0 ? line - below : line, below);
  });
  const names = rows.map((base, row) => `<text x="${LEFT - 6}" y="${map + (row + 0.8) * SIDE}" text-anchor="end">${base}</text>`);
  const end = LEFT + n * SIDE;
  const axis = (y) => `<line x1="${LEFT}" x2="${end}" y1="${y}" y2="${y}" stroke="#888" stroke-width="0.5"/>`;
  svg.setAttribute("viewBox", `0 0 ${end + 2} ${map + 4 * SIDE + TALL + 22}`);
  svg.innerHTML = parts.join("") + names.join("") + axis(TALL) + axis(line)
    + `<text x="0" y="10">loss</text><text x="0" y="${line}"></text>`;
  svg.lastElementChild.textContent = method === "DeepLIFT" ? "DeepLIFT" : "gradient";
};

const seen = new IntersectionObserver((found) => {
  for (const { isIntersecting, target } of found) {
    if (!isIntersecting) continue;
    seen.unobserve(target);
    (target.dataset.match ? drawPair : drawLogo)(target);
  }
}, { rootMargin: "300px" });

const drawWhenSeen = (within) =>
  within.querySelectorAll("svg[data-logo]:empty").forEach((svg) => seen.observe(svg));
