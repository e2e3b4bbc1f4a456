// The last drawings and pictures with their answers; click one to have it back. In memory only.
import {byId, drawPixels, make} from './dom.js';
import {percent, t} from './i18n.js';

const KEPT = 24;

export class History {
  #entries = [];
  #restore;

  // restore(entry) shows an entry again: {id, content, answer}.
  constructor(restore) {
    this.#restore = restore;
    byId('forget').addEventListener('click', () => {
      this.#entries = [];
      this.render();
      byId('sheet').focus();  // the button is gone
    });
  }

  // `id` is the drawing's; more strokes of the same one replace what it had.
  add(id, content, answer) {
    this.#entries = this.#entries.filter(entry => entry.id !== id);
    this.#entries.unshift({id, content, answer});
    this.#entries.length = Math.min(this.#entries.length, KEPT);
    this.render();
  }

  render() {
    byId('past').hidden = this.#entries.length === 0;
    const focused = [...byId('history').children].findIndex(item => item.contains(document.activeElement));
    byId('history').replaceChildren(...this.#entries.map(entry => {
      const {answer} = entry;
      const shown = answer.verdict === 'not_a_digit' ? '?' : answer.label;
      const name = t('restore', {label: shown, confidence: percent(answer.confidence)});
      const picture = make('canvas', {width: 28, height: 28, 'aria-hidden': 'true'});
      if (answer.pixels) drawPixels(picture, answer.pixels);
      return make('li', {}, make('button', {type: 'button', class: 'thumb', 'aria-label': name, title: name,
        onclick: () => this.#restore(entry)}, picture, make('span', {}, shown)));
    }));
    byId('history').children[focused]?.firstElementChild.focus();
  }
}
