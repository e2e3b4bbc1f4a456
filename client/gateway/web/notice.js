// What the page says of how things went: in its own words, then, where there is more to know, in the server's, which are
// English.
import {hasToken} from './api.js';
import {make} from './dom.js';
import {t} from './i18n.js';

const BY_STATUS = {404: 'notFound', 500: 'serverFailed', 504: 'tooSlow'};

export const verdictOn = problem => t(problem.overload ? 'overload' : BY_STATUS[problem.status] ?? 'failed');
export const fromServer = text => make('span', {lang: 'en'}, text);

// Why a call has failed, as children for an element.
export function failure(problem) {
  if (problem.offline) return [t('offlineFor')];
  if (problem.reason === 'token') return [t('badToken')];
  if (problem.status === 401) return [t(hasToken() ? 'wrongToken' : 'wantsToken')];
  if (problem.status === 403) return [t('noAdminToken')];
  return [`${verdictOn(problem)}${t('colon')}`, fromServer(problem.message)];
}

// The line of a section for that.
export class Notice {
  element = make('p', {class: 'notice', role: 'status'});
  #words = () => [];
  #passing = false;  // over as soon as a refresh works

  // `words` makes the children, again after a switch of the language; without, there is nothing to say.
  say(words = () => [], passing = false) {
    this.#passing = passing;
    this.#words = words;
    this.render();
  }

  // Something that was asked for has failed. `words`: as for say(), where they are not failure()'s.
  fail(problem, words = () => failure(problem)) {
    this.say(words, problem.offline);
  }

  // A refresh has failed: says so once, however often it fails the same way.
  lost(problem) {
    const news = failure(problem).map(part => part.textContent ?? part).join('');
    if (news === this.element.textContent) this.#passing = true;
    else this.say(() => failure(problem), true);
  }

  // A refresh has worked.
  found() {
    if (this.#passing) this.say();
  }

  render() {
    this.element.replaceChildren(...this.#words());
  }
}
