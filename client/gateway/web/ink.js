// Strokes on a canvas, and as a PNG file to send.
import {SHEET} from './drawing.js';

// Draws with the context's transformation, which maps sheet units.
export function drawStrokes(context, strokes, colour) {
  context.strokeStyle = context.fillStyle = colour;
  context.lineCap = context.lineJoin = 'round';
  for (const points of strokes) {
    const [first] = points;
    context.beginPath();
    context.arc(first.x, first.y, first.width / 2, 0, 2 * Math.PI);
    context.fill();
    // Curves through the middles of the segments; each its own path, as the width follows the pressure.
    let from = first;
    for (let i = 1; i < points.length; ++i) {
      const at = points[i];
      const next = points[i + 1];
      const to = next ? {x: (at.x + next.x) / 2, y: (at.y + next.y) / 2} : at;
      context.beginPath();
      context.lineWidth = at.width;
      context.moveTo(from.x, from.y);
      context.quadraticCurveTo(at.x, at.y, to.x, to.y);
      context.stroke();
      from = to;
    }
  }
}

let file;

// Black on white, whatever the page's colours are; SHEET pixels a side.
export function strokesToPicture(strokes) {
  file ??= Object.assign(document.createElement('canvas'), {width: SHEET, height: SHEET});
  const context = file.getContext('2d', {willReadFrequently: true, alpha: false});
  context.fillStyle = '#fff';
  context.fillRect(0, 0, SHEET, SHEET);
  drawStrokes(context, strokes, '#000');
  return {bytes: fileOf(file, 'image/png'), type: 'image/png', name: null};
}

// What is on the canvas as the bytes of a file, at once: toBlob waits for the browser to be idle.
export function fileOf(canvas, type, quality) {
  const base64 = canvas.toDataURL(type, quality).split(',')[1];
  return Uint8Array.from(atob(base64), c => c.charCodeAt(0));
}

export function toBase64(bytes) {
  let text = '';
  for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  return btoa(text);
}
