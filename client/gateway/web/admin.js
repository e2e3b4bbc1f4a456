// The admin tab: token, models, trainings, corrections. Loaded when it is first opened.
import * as api from './api.js';
import {make} from './dom.js';
import {locale, onLanguage, percent, t} from './i18n.js';
import {Reviews} from './reviews.js';
import {Trainings} from './trainings.js';

const REFRESH_MS = 5000;

export class Admin {
  #root;
  #changed;
  #timer = 0;
  #models = [];
  #modelList = make('div', {class: 'models'});
  #modelNotice = make('p', {class: 'notice', role: 'status'});
  #trainings = new Trainings(() => this.#refresh());
  #reviews = new Reviews();
  #token = make('input', {id: 'token', type: 'password', autocomplete: 'off', spellcheck: 'false',
    'aria-describedby': 'token-hint', oninput: event => api.setToken(event.target.value)});

  // `changed` is called when what is live may have changed.
  constructor(root, changed) {
    this.#root = root;
    this.#changed = changed;
    onLanguage(() => this.#render());
  }

  enter() {
    this.#refresh();
    this.#reviews.refresh();
    clearInterval(this.#timer);
    this.#timer = setInterval(() => !document.hidden && this.#refresh(), REFRESH_MS);
  }

  leave() {
    clearInterval(this.#timer);
    this.#trainings.leave();
  }

  async #refresh() {
    try {
      this.#models = await api.listModels();
      this.#renderModels();
      await this.#trainings.refresh(this.#models);
    } catch (problem) {
      this.#modelNotice.textContent = problem.offline ? t('offlineLong') : problem.message;
    }
  }

  #render() {
    this.#root.replaceChildren(
      make('form', {class: 'card token', onsubmit: event => event.preventDefault()},
        make('label', {for: 'token'}, t('token')), this.#token, make('p', {id: 'token-hint', class: 'hint'}, t('tokenHint'))),
      make('section', {class: 'card', 'aria-labelledby': 'models-title'},
        make('h2', {id: 'models-title'}, t('models')), this.#modelList, this.#modelNotice),
      this.#trainings.render(),
      this.#reviews.render(),
    );
    this.#renderModels();
  }

  #renderModels() {
    const focused = document.activeElement?.dataset?.action;  // buttons are made anew
    this.#modelList.replaceChildren(...this.#models.map(model => this.#modelView(model)));
    if (focused) this.#modelList.querySelector(`[data-action="${CSS.escape(focused)}"]`)?.focus();
  }

  #modelView(model) {
    const kept = model.versions.find(v => v.state === 'MODEL_STATE_KEPT');
    const candidate = model.versions.find(v => v.state === 'MODEL_STATE_CANDIDATE');
    const button = (name, act, enabled = true) => make('button', {type: 'button', disabled: !enabled,
      'data-action': `${name} ${model.name}`, onclick: act}, t(name));
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
    return this.#do(async () => {
      const answer = await api.reload(model.name);
      const live = answer.model.versions.find(v => v.state === 'MODEL_STATE_LIVE');
      return answer.changed ? t('reloaded', {model: model.name, version: live.version}) + gate(answer) : t('unchanged');
    });
  }

  async #rollback(model, kept) {
    if (!(await ask(t('rollbackAsk', {model: model.name, version: kept.version}), t('rollback')))) return;
    await this.#do(async () => {
      await api.rollback(model.name);
      return t('rolledBack', {model: model.name, version: kept.version});
    });
  }

  #promote(model, candidate) {
    return this.#do(async () => {
      const answer = await api.promote(model.name, candidate.version);
      return t('promoted', {model: model.name, version: candidate.version}) + gate(answer);
    });
  }

  async #do(act) {
    this.#modelNotice.textContent = '…';
    let words;
    try {
      words = await act();
      this.#changed();
    } catch (problem) {
      words = t('failedBecause', {why: problem.message});
    }
    await this.#refresh();
    this.#modelNotice.textContent = words;
  }
}

const gate = answer => (answer.gate ? ` ${answer.gate}` : '');

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
    version.state_reason ? make('span', {class: 'facts'}, version.state_reason) : null);
}

// Whether the reader agrees, in a dialog.
function ask(question, yes) {
  return new Promise(done => {
    const dialog = make('dialog', {'aria-labelledby': 'ask-words', onclose: () => {
      done(dialog.returnValue === 'yes');
      dialog.remove();
    }},
    make('p', {id: 'ask-words'}, question),
    make('div', {class: 'row'},
      make('button', {type: 'button', class: 'main', onclick: () => dialog.close('yes')}, yes),
      make('button', {type: 'button', onclick: () => dialog.close('no')}, t('cancel'))));
    document.body.append(dialog);
    dialog.showModal();
  });
}
