// "Wrong? It is a ...": says to the server what a picture really shows.
import * as api from './api.js';
import {byId, make} from './dom.js';
import {t} from './i18n.js';
import {toBase64} from './ink.js';

export class Feedback {
  #answer = null;
  #picture = null;
  #truths = '';

  // Offers `labels` for the answer to a picture; null: nothing to correct.
  offer(answer, picture, labels) {
    if (answer !== this.#answer) byId('correct-notice').textContent = '';
    this.#answer = answer;
    this.#picture = picture;
    byId('correct').hidden = !answer;
    this.#setTruths([...labels.map(label => [label, {label}]), [t('notADigit'), {not_a_digit: true}]]);
    const given = !answer ? -1 : answer.verdict === 'not_a_digit' ? labels.length : labels.indexOf(answer.label);
    [...byId('labels').children].forEach((button, i) => button.classList.toggle('given', i === given));
  }

  // One button each; those that are there stay, with their focus.
  #setTruths(truths) {
    const key = JSON.stringify(truths);
    if (key === this.#truths) return;
    this.#truths = key;
    byId('labels').replaceChildren(...truths.map(([text, truth]) =>
      make('button', {type: 'button', onclick: () => this.#send(truth)}, text)));
  }

  async #send(truth) {
    const answer = this.#answer;
    const notice = byId('correct-notice');
    notice.textContent = '…';
    const answered = answer.verdict === 'not_a_digit' ? {answered_not_a_digit: true} : {answered_label: answer.label};
    let words;
    try {
      const image = await toBase64(this.#picture.bytes);
      const stored = await api.submitFeedback(answer.model, {image, version: answer.version, ...answered, ...truth});
      words = t(stored.duplicate ? 'thanksAgain' : 'thanks', {id: stored.feedback.id});
    } catch (problem) {
      words = t('failedBecause', {why: problem.message});
    }
    if (answer === this.#answer) notice.textContent = words;
  }
}
