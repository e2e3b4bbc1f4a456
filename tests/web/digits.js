// Digits as pen strokes in a box of 100 by 100: those of the stroke generator, and skeletons of MNIST's test digits.
import {readFileSync} from 'node:fs';

const ROOT = new URL('../../', import.meta.url);

// The C++ table of model/dataset/glyphs.cc as arrays, so that there is one table: [digit][style][stroke][knot x, y, corner].
function readGlyphs() {
  const source = readFileSync(new URL('model/dataset/glyphs.cc', ROOT), 'utf8');
  const table = name => {
    const body = source.slice(source.indexOf(`Styles Make${name}`) < 0 ? source.indexOf(`Make${name}()`)
      : source.indexOf(`Styles Make${name}`));
    const json = body.slice(body.indexOf('return {') + 'return '.length, body.indexOf('};\n}') + 1)
      .replace(/\/\/.*/g, '').replace(/\bc\b/g, '1').replaceAll('{', '[').replaceAll('}', ']').replace(/,(\s*\])/g, '$1');
    return JSON.parse(json);
  };
  return {digits: table('Digits')[0], others: table('Others')};
}

const {digits, others} = readGlyphs();

// A smooth (Catmull-Rom) line through the knots, sharp at corners, as model/dataset/strokes.cc draws it.
function smooth(knots) {
  const points = [knots[0].slice(0, 2)];
  for (let i = 0; i + 1 < knots.length; ++i) {
    const [from, to] = [knots[i], knots[i + 1]];
    const before = from[2] || i === 0 ? from : knots[i - 1];
    const after = to[2] || i + 2 === knots.length ? to : knots[i + 2];
    for (let step = 1; step <= 8; ++step) {
      const u = step / 8;
      points.push([0, 1].map(axis => 0.5 * (2 * from[axis] + (to[axis] - before[axis]) * u +
        (2 * before[axis] - 5 * from[axis] + 4 * to[axis] - after[axis]) * u * u +
        (3 * from[axis] - before[axis] - 3 * to[axis] + after[axis]) * u * u * u)));
    }
  }
  return points;
}

// Strokes of `digit` in one of the generator's ways to write it.
export function generated(digit, style) {
  const styles = digits[digit];
  return styles[style % styles.length].map(smooth);
}

// A sign that is no digit: the star.
export const star = () => others[17].map(smooth);

const SIDE = 28;

// The first test digit of each class as its skeleton.
export function traced(digit) {
  const labels = readFileSync(new URL('data/mnist/t10k-labels-idx1-ubyte', ROOT)).subarray(8);
  const images = readFileSync(new URL('data/mnist/t10k-images-idx3-ubyte', ROOT)).subarray(16);
  const at = labels.indexOf(digit) * SIDE * SIDE;
  const ink = Array.from(images.subarray(at, at + SIDE * SIDE), grey => grey > 110);
  thin(ink);
  return paths(ink).map(path => path.map(i => [((i % SIDE) - 4) * 5, (Math.floor(i / SIDE) - 4) * 5]));
}

const AROUND = [-SIDE, -SIDE + 1, 1, SIDE + 1, SIDE, SIDE - 1, -1, -SIDE - 1];  // clockwise from above

// Zhang and Suen's thinning, in place. MNIST leaves a margin, so no edge is met.
function thin(ink) {
  for (let changed = true; changed;) {
    changed = false;
    for (const [first, second] of [[[0, 2, 4], [2, 4, 6]], [[0, 2, 6], [0, 4, 6]]]) {
      const gone = [];
      ink.forEach((set, i) => {
        if (!set) return;
        const near = AROUND.map(step => ink[i + step]);
        const count = near.filter(Boolean).length;
        const rises = near.filter((set, k) => !set && near[(k + 1) % 8]).length;
        if (count >= 2 && count <= 6 && rises === 1 && !first.every(k => near[k]) && !second.every(k => near[k])) gone.push(i);
      });
      for (const i of gone) ink[i] = false;
      changed ||= gone.length > 0;
    }
  }
}

// Walks the skeleton from its ends on; each step is drawn once.
function paths(ink) {
  const neighbours = i => AROUND.map(step => i + step).filter(j => ink[j]);
  const drawn = new Set();
  const key = (a, b) => (a < b ? `${a} ${b}` : `${b} ${a}`);
  const starts = ink.flatMap((set, i) => (set ? [i] : []))
    .sort((a, b) => (neighbours(a).length === 1 ? 0 : 1) - (neighbours(b).length === 1 ? 0 : 1));
  const found = [];
  for (const start of starts) {
    const path = [start];
    for (let at = start, next; ; at = next) {
      next = neighbours(at).find(j => !drawn.has(key(at, j)));
      if (next === undefined) break;
      drawn.add(key(at, next));
      path.push(next);
    }
    if (path.length > 2 || (found.length === 0 && start === starts.at(-1))) found.push(path);
  }
  return found;
}
