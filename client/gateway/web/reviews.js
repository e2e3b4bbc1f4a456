// Corrections that wait for a review, in the admin tab.
import * as api from './api.js';
import {drawPixels, make} from './dom.js';
import {t} from './i18n.js';
import {Notice} from './notice.js';

export class Reviews {
  #list = make('ul', {class: 'reviews'});
  #more = make('button', {type: 'button', class: 'quiet', hidden: true, onclick: () => this.#loading ?? this.#load(this.#next)});
  #notice = new Notice();
  #title = make('h2', {id: 'reviews-title', tabindex: -1});  // takes the focus when nothing is left to review
  #items = [];
  #next = '';
  #loading = null;  // the newest load; what an older one brings is out of date
  #reviewed = new Set();  // ids whose review is under way
  #loaded = false;
  #offline = false;

  refresh() {
    return this.#load('');
  }

  // Whether the server is back, if it was away.
  retry() {
    if (this.#offline) this.refresh();
  }

  async #load(pageToken) {
    const loading = this.#loading = api.listPendingFeedback('', pageToken);
    try {
      const page = await loading;
      if (loading !== this.#loading) return;
      this.#items = [...(pageToken ? this.#items : []), ...(page.feedback ?? [])];
      this.#next = page.next_page_token;
      this.#loaded = true;
      this.#offline = false;
      this.#notice.say();
    } catch (problem) {
      if (loading !== this.#loading) return;
      this.#loaded = false;
      if (!pageToken) this.#items = [];
      this.#offline = problem.offline;
      this.#notice.lost(problem);
    }
    this.#loading = null;
    this.#show();
  }

  render() {
    this.#show();
    this.#notice.render();
    this.#title.textContent = t('reviews');
    return make('section', {class: 'card', 'aria-labelledby': 'reviews-title'},
      this.#title, this.#list, this.#more, this.#notice.element);
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
      onclick: event => event.detail < 2 && this.#review(item, state)}, t(key));  // a double click is one
    return make('li', {}, picture, make('span', {class: 'facts'}, words),
      make('span', {class: 'row'}, button('accept', 'ACCEPTED'), button('reject', 'REJECTED')));
  }

  async #review(item, state) {
    if (this.#reviewed.has(item.id)) return;
    this.#reviewed.add(item.id);
    try {
      await api.reviewFeedback([item.id], state);
      await this.refresh();  // a review settles what contradicts it, too
      (this.#list.querySelector('button') ?? this.#title).focus();
    } catch (problem) {
      this.#notice.fail(problem);
    }
    this.#reviewed.delete(item.id);
  }
}
