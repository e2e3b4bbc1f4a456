// The admin tab: token, models, trainings, corrections. Loaded when it is first opened.
import * as api from './api.js';
import {ask} from './ask.js';
import {make} from './dom.js';
import {locale, onLanguage, percent, t} from './i18n.js';
import {Notice, fromServer} from './notice.js';
import {Reviews} from './reviews.js';
import {Trainings} from './trainings.js';

const REFRESH_MS = 5000;
const TYPED_MS = 300;  // without a key: the token is whole

export class Admin {
  #root;
  #changed;
  #timer = 0;
  #visit = new AbortController();  // aborted when the tab is left
  #busy = new Set();  // names of the models with a call under way
  #models = [];
  #modelList = make('div', {class: 'models'});
  #modelNotice = new Notice();
  #trainings = new Trainings(() => this.#refresh());
  #reviews = new Reviews();
  #typed = 0;
  #token = make('input', {id: 'token', type: 'password', autocomplete: 'off', spellcheck: 'false',
    'aria-describedby': 'token-hint', oninput: () => this.#takeToken(TYPED_MS)});
  #tokenHint = make('p', {id: 'token-hint', class: 'hint', role: 'status'});

  // `changed` is called when what is live may have changed, also to nothing.
  constructor(root, changed) {
    this.#root = root;
    this.#changed = changed;
    onLanguage(() => this.#render());
    this.#visit.abort();
    document.addEventListener('visibilitychange', () => (document.hidden ? this.#trainings.leave() : this.#refresh()));
  }

  enter() {
    this.#visit = new AbortController();
    this.#refresh();
    this.#reviews.refresh();
    clearInterval(this.#timer);
    this.#timer = setInterval(() => !document.hidden && this.#refresh(), REFRESH_MS);
  }

  leave() {
    this.#visit.abort();
    clearInterval(this.#timer);
    this.#trainings.leave();
  }

  // With it all sections may say more than before.
  #takeToken(wait) {
    api.setToken(this.#token.value);
    this.#showToken();
    clearTimeout(this.#typed);
    this.#typed = setTimeout(() => {
      this.#refresh();
      this.#reviews.refresh();
      this.#modelNotice.say();
      this.#trainings.forget();
    }, wait);
  }

  #showToken() {
    const fits = api.tokenFits();
    this.#token.setAttribute('aria-invalid', !fits);
    this.#tokenHint.textContent = t(fits ? 'tokenHint' : 'badToken');
  }

  // One section's failure is not the others'.
  async #refresh() {
    const visit = this.#visit.signal;
    if (visit.aborted) return;
    this.#reviews.retry();
    try {
      this.#models = await api.listModels();
      this.#modelNotice.found();
      this.#renderModels();
    } catch (problem) {
      this.#modelNotice.lost(problem);
      if (problem.offline) this.#changed();  // the page's status should know
    }
    if (!visit.aborted) await this.#trainings.refresh(this.#models, visit);
  }

  #render() {
    this.#showToken();
    this.#root.replaceChildren(
      make('form', {class: 'card token', onsubmit: event => {
        event.preventDefault();
        this.#takeToken(0);
      }},
      make('label', {for: 'token'}, t('token')), this.#token, this.#tokenHint),
      make('section', {class: 'card', 'aria-labelledby': 'models-title'},
        make('h2', {id: 'models-title'}, t('models')), this.#modelList, this.#modelNotice.element),
      this.#trainings.render(),
      this.#reviews.render(),
    );
    this.#modelNotice.render();
    this.#renderModels();
  }

  // Touches only what has changed, so that what is selected or focused elsewhere stays so.
  #renderModels() {
    const focused = document.activeElement?.dataset?.action;
    const views = this.#models.map(model => this.#modelView(model));
    const old = [...this.#modelList.children];
    if (views.length !== old.length) this.#modelList.replaceChildren(...views);
    else for (const [i, view] of views.entries()) if (!view.isEqualNode(old[i])) old[i].replaceWith(view);
    if (focused) this.#focus(focused);
  }

  // The button with that action again, or when it is gone or has nothing to do, the first one of its model.
  #focus(action) {
    if (document.activeElement !== document.body) return;
    const find = wanted => this.#modelList.querySelector(`[data-action="${CSS.escape(wanted)}"]:enabled`);
    (find(action) ?? find(action.replace(/^\w+/, 'reload')))?.focus();
  }

  #modelView(model) {
    const kept = model.versions.find(v => v.state === 'MODEL_STATE_KEPT');
    const candidate = model.versions.find(v => v.state === 'MODEL_STATE_CANDIDATE');
    const button = (name, act, enabled = true) => make('button', {type: 'button', disabled: !enabled || this.#busy.has(model.name),
      'aria-label': `${t(name)} ${model.name}`, 'data-action': `${name} ${model.name}`, onclick: act}, t(name));
    return make('article', {},
      make('div', {class: 'title'},
        make('h3', {}, model.name, model.is_default ? make('span', {class: 'badge'}, t('default')) : null),
        make('div', {class: 'row'},
          button('reload', () => this.#reload(model)),
          button('rollback', () => this.#rollback(model, kept), !!kept),
          candidate ? button('promote', () => this.#promote(model, candidate)) : null)),
      make('ul', {class: 'versions'}, ...model.versions.map(version => versionView(version))));
  }

  #reload(model) {
    return this.#do(model, async () => {
      const answer = await api.reload(model.name);
      return () => (answer.changed ? [t('reloaded', {model: model.name, version: liveOf(answer)}), ...gate(answer)]
        : [t('unchanged')]);
    });
  }

  async #rollback(model, kept) {
    const agreed = await ask(t('rollbackAsk', {model: model.name, version: kept.version}), t('rollback'));
    this.#focus(`rollback ${model.name}`);
    if (!agreed) return;
    await this.#do(model, async () => {
      const version = liveOf(await api.rollback(model.name));
      return () => [t('rolledBack', {model: model.name, version})];
    });
  }

  #promote(model, candidate) {
    return this.#do(model, async () => {
      const answer = await api.promote(model.name, candidate.version);
      return () => [t('promoted', {model: model.name, version: candidate.version}), ...gate(answer)];
    });
  }

  // `act` answers how to say what came of it.
  async #do(model, act) {
    const focused = document.activeElement?.dataset?.action;
    const busy = is => {
      this.#busy[is ? 'add' : 'delete'](model.name);
      this.#renderModels();
    };
    this.#modelNotice.say(() => ['…']);
    busy(true);
    try {
      const words = await act().finally(() => busy(false));
      this.#changed();
      await this.#refresh();
      this.#modelNotice.say(words);
    } catch (problem) {
      await this.#refresh();
      this.#modelNotice.fail(problem);
    }
    if (focused) this.#focus(focused);
  }
}

const liveOf = answer => answer.model.versions.find(v => v.state === 'MODEL_STATE_LIVE').version;

const gate = answer => (answer.gate ? [' ', t('gate'), fromServer(answer.gate)] : []);

function versionView(version) {
  const facts = version.accuracy.map(a => `${percent(a.accuracy)} ${a.set}`);
  if (version.live_since) {
    const time = new Intl.DateTimeFormat(locale(), {dateStyle: 'medium', timeStyle: 'short'});
    facts.push(`${t('since')} ${time.format(new Date(version.live_since))}`);
  }
  if (version.engine) facts.push(`${t('engine')} ${version.engine}`);
  return make('li', {},
    make('code', {}, version.version),
    make('span', {class: 'badge', 'data-state': version.state}, t(version.state)),
    make('span', {class: 'facts'}, facts.join(' · ')),
    version.state_reason ? make('span', {class: 'facts', lang: 'en'}, version.state_reason) : null);
}
