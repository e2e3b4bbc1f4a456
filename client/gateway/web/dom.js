// Making elements by code: the page's Content-Security-Policy allows no inline style or script.
export const byId = id => document.getElementById(id);

// make('button', {class: 'main', onclick: f}, 'text', child...): attributes by name, handlers by on...; null is left out.
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== null && value !== false && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter(child => child !== null));
  return element;
}

// Draws 784 bytes in base64, 0 paper to 255 ink, white on black as the network sees them.
export function drawPixels(canvas, base64) {
  const bytes = Uint8Array.from(atob(base64), c => c.charCodeAt(0));
  const image = new ImageData(28, 28);
  bytes.forEach((ink, i) => image.data.set([ink, ink, ink, 255], 4 * i));
  canvas.getContext('2d').putImageData(image, 0, 0);
}
