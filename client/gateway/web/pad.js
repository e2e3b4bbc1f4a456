// The sheet: pointers and keys become strokes of a Drawing, which it shows at the screen's own resolution.
import {SHEET} from './drawing.js';
import {drawStrokes} from './ink.js';

const ARROWS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
const KEY_STEP = 4;
const FAST_KEY_STEP = 16;

// brush() is the width in sheet units. The rest are called when: changed(final) the strokes have; act(name) 'recognize',
// 'undo' or 'clear' was asked for by a key; pen(down) a key has put the pen down or lifted it.
export class Pad {
  #canvas;
  #drawing;
  #brush;
  #changed;
  #act;
  #pen;
  #pointer = null;  // pointerdown of the one that draws
  #penSeen = -Infinity;
  #keys = new Set();
  #cursor = null;  // {x, y, down} once keys move the pen
  #frame = 0;

  constructor(canvas, drawing, {brush, changed, act, pen}) {
    this.#canvas = canvas;
    this.#drawing = drawing;
    this.#brush = brush;
    this.#changed = changed;
    this.#act = act;
    this.#pen = pen;
    this.#listen();
    new ResizeObserver(() => this.#resize()).observe(canvas);
    this.#watchPixelRatio();
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.show());
  }

  // Ends the stroke that is under way, for something else is about to become of the drawing; the rest of it draws nothing.
  lift() {
    if (this.#pointer) this.#drawing.end();
    this.#pointer = null;
    this.#leave();
  }

  // Shows the drawing with the next frame.
  show() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#paint();
    });
  }

  #listen() {
    const canvas = this.#canvas;
    canvas.addEventListener('pointerdown', event => this.#down(event));
    canvas.addEventListener('pointermove', event => this.#move(event));
    canvas.addEventListener('pointerup', event => this.#up(event));
    canvas.addEventListener('lostpointercapture', event => this.#up(event));
    canvas.addEventListener('pointercancel', event => this.#cancel(event));
    canvas.addEventListener('contextmenu', event => event.preventDefault());  // a long touch
    canvas.addEventListener('keydown', event => this.#keyDown(event));
    canvas.addEventListener('keyup', event => this.#keys.delete(event.key));
    canvas.addEventListener('blur', () => this.#leave());
  }

  #watchPixelRatio() {
    matchMedia(`(resolution: ${devicePixelRatio}dppx)`).addEventListener('change', () => {
      this.#resize();
      this.#watchPixelRatio();
    }, {once: true});
  }

  #resize() {
    const side = Math.round(this.#canvas.clientWidth * devicePixelRatio);
    if (side === 0 || side === this.#canvas.width) return;
    this.#canvas.width = this.#canvas.height = side;
    this.#paint();
  }

  #down(event) {
    const {pointerType, isPrimary, timeStamp} = event;
    const before = this.#pointer?.pointerType;
    // A new first pointer takes over: the other's up was lost. No palm takes over from a pen.
    if (event.button !== 0 || (before && (!isPrimary || (before === 'pen' && pointerType === 'touch')))) return;
    if (pointerType === 'pen') this.#penSeen = timeStamp;
    if (pointerType === 'touch' && timeStamp - this.#penSeen < 1000) return;  // a palm beside the pen
    if (before === 'touch' && pointerType === 'pen') this.#drawing.abort();  // a palm that landed first
    this.lift();
    this.#cursor = null;
    this.#pointer = event;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#drawing.begin(this.#pointOf(event));
    this.#update(false);
  }

  #move(event) {
    if (event.pointerType === 'pen') this.#penSeen = event.timeStamp;
    if (event.pointerId !== this.#pointer?.pointerId) return;
    const events = event.getCoalescedEvents?.() ?? [];
    this.#drawing.extend((events.length > 0 ? events : [event]).map(e => this.#pointOf(e)));
    this.#update(false);
  }

  #up(event) {
    if (event.pointerId !== this.#pointer?.pointerId) return;
    this.#pointer = null;
    this.#drawing.end();
    this.#update(true);
  }

  // The browser took the pointer for something else.
  #cancel(event) {
    if (event.pointerId !== this.#pointer?.pointerId) return;
    this.#pointer = null;
    this.#drawing.abort();
    this.#update(true);
  }

  #pointOf(event) {
    const box = this.#canvas.getBoundingClientRect();
    // A mouse has no pressure and a finger's says little.
    const force = event.pointerType === 'pen' && event.pressure > 0 ? 0.55 + 0.9 * event.pressure : 1;
    return {
      x: ((event.clientX - box.left) / box.width) * SHEET,
      y: ((event.clientY - box.top) / box.height) * SHEET,
      width: this.#brush() * force,
    };
  }

  #keyDown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const action = {Enter: 'recognize', Backspace: 'undo', Delete: 'clear'}[event.key];
    if (event.key in ARROWS) this.#moveCursor(event);
    else if (event.key === ' ' && !event.repeat) this.#togglePen();
    else if (event.key === 'Escape' && this.#cursor?.down) this.#togglePen();
    else if (action) {
      this.#leave();
      this.#act(action);
    } else if (event.key !== ' ') return;
    event.preventDefault();
  }

  #moveCursor(event) {
    this.#keys.add(event.key);
    this.#cursor ??= {x: SHEET / 2, y: SHEET / 4, down: false};
    const cursor = this.#cursor;
    const step = event.shiftKey ? FAST_KEY_STEP : KEY_STEP;
    for (const key of this.#keys) {
      cursor.x = Math.min(Math.max(cursor.x + ARROWS[key][0] * step, 0), SHEET);
      cursor.y = Math.min(Math.max(cursor.y + ARROWS[key][1] * step, 0), SHEET);
    }
    if (cursor.down) this.#drawing.extend([this.#cursorPoint()]);
    if (cursor.down) this.#update(false);
    else this.show();
  }

  #togglePen() {
    this.#cursor ??= {x: SHEET / 2, y: SHEET / 4, down: false};
    if (this.#cursor.down) {
      this.#leave();
      return;
    }
    this.#cursor.down = true;
    this.#drawing.begin(this.#cursorPoint());
    this.#pen(true);
    this.#update(false);
  }

  #cursorPoint() {
    return {x: this.#cursor.x, y: this.#cursor.y, width: this.#brush()};
  }

  // Lifts a pen that keys have put down.
  #leave() {
    this.#keys.clear();
    if (!this.#cursor?.down) return;
    this.#cursor.down = false;
    this.#drawing.end();
    this.#pen(false);
    this.#update(true);
  }

  #update(final) {
    this.show();
    this.#changed(final);
  }

  #paint() {
    const context = this.#canvas.getContext('2d');
    const scale = this.#canvas.width / SHEET;
    const colours = getComputedStyle(this.#canvas);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    const bitmap = this.#drawing.picture?.bitmap;
    if (bitmap) {
      const shrink = Math.min(SHEET / bitmap.width, SHEET / bitmap.height);
      const [width, height] = [bitmap.width * shrink, bitmap.height * shrink];
      const box = [(SHEET - width) / 2, (SHEET - height) / 2, width, height];
      context.fillStyle = '#fff';  // black on nothing is seen by night, too
      context.fillRect(...box);
      context.drawImage(bitmap, ...box);
    }
    drawStrokes(context, this.#drawing.strokes, colours.color);
    if (this.#cursor) this.#paintCursor(context, colours.getPropertyValue('--accent'));
  }

  #paintCursor(context, colour) {
    const {x, y, down} = this.#cursor;
    context.beginPath();
    context.arc(x, y, this.#brush() / 2 + 2, 0, 2 * Math.PI);
    context.lineWidth = down ? 3 : 1.5;
    context.strokeStyle = colour;
    context.stroke();
  }
}
