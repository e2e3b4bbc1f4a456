// A line chart of accuracy by epoch, as SVG.
import {percent, t} from './i18n.js';

const WIDTH = 320;
const HEIGHT = 140;
const LEFT = 46;
const RIGHT = 12;
const TOP = 10;
const BOTTOM = 22;

function shape(name, attributes, text) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

// The largest of 0.5, 0.8, 0.9, 0.95, 0.98, 0.99 ... that is below all values: where the axis begins.
function floorOf(values) {
  const lowest = Math.min(...values);
  return [0.99, 0.98, 0.95, 0.9, 0.8, 0.5].find(floor => floor < lowest) ?? 0;
}

// points: [{epoch, accuracy}], at least one, by epoch; epochs: how many there will be.
export function accuracyChart(points, epochs) {
  const values = points.map(point => point.accuracy);
  const floor = floorOf(values);
  const last = Math.max(epochs, points.at(-1).epoch, 2);
  const x = epoch => LEFT + ((epoch - 1) / (last - 1)) * (WIDTH - LEFT - RIGHT);
  const y = accuracy => TOP + ((1 - accuracy) / (1 - floor)) * (HEIGHT - TOP - BOTTOM);
  const spoken = points.map(point => `${point.epoch}: ${percent(point.accuracy)}`).join(', ');
  const svg = shape('svg', {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', class: 'chart',
    'aria-label': t('chartText', {values: spoken})});
  for (const line of [floor, (1 + floor) / 2, 1]) {
    svg.append(shape('line', {x1: LEFT, x2: WIDTH - RIGHT, y1: y(line), y2: y(line), class: 'grid'}),
      shape('text', {x: LEFT - 6, y: y(line) + 3, 'text-anchor': 'end'}, percent(line)));
  }
  const every = Math.ceil(last / 10);
  for (let epoch = 1; epoch <= last; epoch += every)
    svg.append(shape('text', {x: x(epoch), y: HEIGHT - 6, 'text-anchor': 'middle'}, epoch));
  svg.append(shape('polyline', {points: points.map(p => `${x(p.epoch)},${y(p.accuracy)}`).join(' '), class: 'line'}));
  for (const point of points) {
    const dot = shape('circle', {cx: x(point.epoch), cy: y(point.accuracy), r: 3.5, class: 'point'});
    dot.append(shape('title', {}, `${point.epoch}: ${percent(point.accuracy)}`));
    svg.append(dot);
  }
  return svg;
}
