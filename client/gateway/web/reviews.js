// Corrections that wait for a review, in the admin tab.
import * as api from './api.js';
import {drawPixels, make} from './dom.js';
import {t} from './i18n.js';

export class Reviews {
  #list = make('ul', {class: 'reviews'});
  #more = make('button', {type: 'button', class: 'quiet', hidden: true, onclick: () => this.#load(this.#next)});
  #notice = make('p', {class: 'notice', role: 'status'});
  #items = [];
  #next = '';
  #loaded = false;

  refresh() {
    this.#items = [];
    return this.#load('');
  }

  async #load(pageToken) {
    try {
      const page = await api.listPendingFeedback('', pageToken);
      this.#items.push(...(page.feedback ?? []));
      this.#next = page.next_page_token;
      this.#loaded = true;
      this.#notice.textContent = '';
    } catch (problem) {
      this.#loaded = false;
      this.#notice.textContent = problem.message;
    }
    this.#show();
  }

  render() {
    this.#show();
    return make('section', {class: 'card', 'aria-labelledby': 'reviews-title'},
      make('h2', {id: 'reviews-title'}, t('reviews')), this.#list, this.#more, this.#notice);
  }

  #show() {
    this.#more.textContent = t('more');
    this.#more.hidden = !this.#next;
    const empty = this.#loaded && this.#items.length === 0;
    this.#list.replaceChildren(...(empty ? [make('li', {class: 'hint'}, t('noReviews'))] : this.#items.map(i => this.#view(i))));
  }

  #view(item) {
    const picture = make('canvas', {width: 28, height: 28, 'aria-hidden': 'true'});
    if (item.pixels) drawPixels(picture, item.pixels);
    const said = item.not_a_digit ? t('notADigit') : item.label;
    const answered = item.answered_not_a_digit ? t('notADigit') : item.answered_label;
    const words = [t('saidToBe', {label: said}), answered && t('answered', {label: answered})].filter(Boolean).join(' · ');
    const button = (key, state) => make('button', {type: 'button', 'aria-label': `${t(key)}: ${words}`,
      onclick: () => this.#review(item, state)}, t(key));
    return make('li', {}, picture, make('span', {class: 'facts'}, words),
      make('span', {class: 'row'}, button('accept', 'ACCEPTED'), button('reject', 'REJECTED')));
  }

  async #review(item, state) {
    try {
      await api.reviewFeedback([item.id], state);
      await this.refresh();  // a review settles what contradicts it, too
      this.#list.querySelector('button')?.focus();
    } catch (problem) {
      this.#notice.textContent = problem.message;
    }
  }
}
