// "Wrong? It is a ...": says to the server what a picture really shows.
import * as api from './api.js';
import {byId, make} from './dom.js';
import {t} from './i18n.js';
import {toBase64} from './ink.js';
import {failure} from './notice.js';

export class Feedback {
  #answer = null;
  #picture = null;
  #truths = [];  // of the buttons
  #names = '';
  #said = new WeakMap();  // by answer: {truth, words() makes the children of the notice}

  // Offers `labels` for the answer to a picture; null: nothing to correct.
  offer(answer, picture, labels) {
    this.#answer = answer;
    this.#picture = picture;
    byId('correct').hidden = !answer;
    this.#setTruths([...labels.map(label => ({label})), {not_a_digit: true}]);
    this.#show();
  }

  // One button each; those that are there stay, with their focus.
  #setTruths(truths) {
    const texts = truths.map(({label}) => label ?? t('notADigit'));
    const names = truths.map(({label}) => (label === undefined ? t('itIsNoDigit') : t('itIsA', {label})));
    if (this.#names === names.join('\n')) return;
    this.#names = names.join('\n');
    this.#truths = truths;
    byId('labels').replaceChildren(...truths.map((truth, i) =>
      make('button', {type: 'button', 'aria-label': names[i], onclick: () => this.#send(truth)}, texts[i])));
  }

  // Marks what was answered and what was chosen, and says what came of it.
  #show() {
    const answer = this.#answer;
    const {truth, words} = (answer && this.#said.get(answer)) ?? {};
    this.#truths.forEach(({label}, i) => {
      const button = byId('labels').children[i];
      const given = answer?.verdict === 'not_a_digit' ? undefined : answer?.label;
      button.classList.toggle('given', !!answer && label === given);
      button.setAttribute('aria-pressed', !!truth && truth.label === label);
    });
    byId('correct-notice').replaceChildren(...(words?.() ?? []));
  }

  async #send(truth) {
    const answer = this.#answer;
    const tell = (chosen, words) => {
      this.#said.set(answer, {truth: chosen, words});
      if (answer === this.#answer) this.#show();
    };
    tell(truth, () => [t('sending')]);
    const answered = answer.verdict === 'not_a_digit' ? {answered_not_a_digit: true} : {answered_label: answer.label};
    try {
      const image = toBase64(this.#picture.bytes);
      const stored = await api.submitFeedback(answer.model, {image, version: answer.version, ...answered, ...truth});
      tell(truth, () => [t(stored.duplicate ? 'thanksAgain' : 'thanks', {id: stored.feedback.id})]);
    } catch (problem) {
      // Unlike what is drawn, a correction is not sent again by itself.
      tell(null, () => (problem.offline ? [t('failedBecause', {why: t('offlineLong')})] : failure(problem)));
    }
  }
}
