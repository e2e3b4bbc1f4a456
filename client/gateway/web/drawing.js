// What is on the sheet: strokes, or a picture from outside. Values only; pad.js shows them.

// Side of the sheet in its own units, as in the tutorial.
export const SHEET = 200;

const UNDO_STEPS = 100;
const EMPTY = {strokes: [], picture: null};

// A stroke is an array of points {x, y, width} in sheet units. A picture is {bytes, type, name, bitmap}, bitmap null when
// the browser cannot show it. `id` changes when something new is begun: after a clear, or with a picture. `turn` changes
// with every change, and is changed by who begins what takes a while: it is out of date when `turn` has gone on.
export class Drawing {
  #content = EMPTY;
  #undo = [];
  #stroke = null;
  id = 0;
  turn = 0;

  get strokes() {
    return this.#content.strokes;
  }

  get picture() {
    return this.#content.picture;
  }

  get content() {
    return this.#content;
  }

  get blank() {
    return this.strokes.length === 0 && !this.picture;
  }

  get canUndo() {
    return this.#undo.length > 0;
  }

  // Drawing on a picture puts the picture away.
  begin(point) {
    if (this.picture) ++this.id;
    this.#stroke = [point];
    this.#change({strokes: [...this.strokes, this.#stroke], picture: null});
  }

  extend(points) {
    this.#stroke?.push(...points);
  }

  end() {
    this.#stroke = null;
  }

  // Takes back a stroke that is under way.
  abort() {
    if (!this.#stroke) return;
    this.#stroke = null;
    this.undo();
  }

  undo() {
    ++this.turn;
    if (!this.canUndo) return;
    const before = this.#undo.pop();
    if (before.picture !== this.picture) ++this.id;
    this.#content = before;
  }

  clear() {
    ++this.turn;
    if (!this.blank) this.#change(EMPTY);
    ++this.id;
  }

  // Shows something whole: a picture, or what the history has kept.
  replace(content) {
    this.#change(content);
    ++this.id;
  }

  #change(content) {
    ++this.turn;
    this.#undo.push(this.#content);
    if (this.#undo.length > UNDO_STEPS) this.#undo.shift();
    this.#content = content;
  }
}
