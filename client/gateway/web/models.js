// The models of the server, the one that is asked, and the labels of every version that was seen.
import * as api from './api.js';

const key = (model, version) => `${model}\n${version}`;

export class Models {
  #list = [];
  #name = '';
  #labels = new Map();

  get list() {
    return this.#list;
  }

  // Of the one that is asked; empty: the server's default.
  get name() {
    return this.#name;
  }

  // One that is not there is the default.
  choose(name) {
    this.#name = this.has(name) ? name : '';
  }

  has(name) {
    return this.#list.some(m => m.name === name);
  }

  get chosen() {
    return this.#list.find(m => (this.#name ? m.name === this.#name : m.is_default)) ?? this.#list[0];
  }

  // The live version of the chosen one.
  get live() {
    return this.chosen?.versions.find(v => v.state === 'MODEL_STATE_LIVE');
  }

  // Throws Problem.
  async refresh() {
    this.#list = await api.listModels();
    for (const {name, versions} of this.#list) {
      for (const {version, labels} of versions) this.#labels.set(key(name, version), labels);
    }
    this.choose(this.#name);
  }

  // Whether the version that gave the answer is the one that the page takes for live.
  gave(answer) {
    return answer.model === this.chosen?.name && answer.version === this.live?.version;
  }

  // One label for each of the answer's probabilities; null: those of its version are not known, or another server's.
  labelsOf({model, version, label, probabilities}) {
    const labels = this.#labels.get(key(model, version)) ?? [];
    const likeliest = labels[probabilities.indexOf(Math.max(...probabilities))];
    return labels.length === probabilities.length && likeliest === label ? labels : null;
  }
}
