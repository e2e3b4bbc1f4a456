// Trainings in the admin tab: starting one, following the one that runs as the server tells of it (Server-Sent Events), and
// the rest as the list has it. Only one, as a browser has six connections to a server, for all of its tabs.
import * as api from './api.js';
import {ask} from './ask.js';
import {accuracyChart} from './chart.js';
import {make} from './dom.js';
import {hasWords, locale, percent, t} from './i18n.js';
import {Notice, fromServer} from './notice.js';

const SHOWN = 6;  // of those that have ended; all others are
const PROMOTIONS = {PROMOTE_IF_BETTER: 'goLiveIfBetter', PROMOTE_NEVER: 'goLiveNever', PROMOTE_ALWAYS: 'goLiveAlways'};
const ENDED = ['TRAINING_STATE_DONE', 'TRAINING_STATE_FAILED', 'TRAINING_STATE_CANCELLED'];

const ended = training => ENDED.includes(training.state);
const waits = training => training.state === 'TRAINING_STATE_QUEUED';

export class Trainings {
  #ended;
  #views = new Map();  // by id
  #list = make('div', {class: 'trainings'});
  #notice = new Notice();
  #loaded = false;
  #source = null;  // tells of the training with the id #followed
  #followed = '';
  // The form's inputs outlive a switch of the language, with what was chosen.
  #model = make('select', {id: 'train-model'});
  #modelField = null;
  #data = make('input', {id: 'train-data', value: 'mnist', 'aria-describedby': 'train-data-hint', autocomplete: 'off',
    spellcheck: 'false'});
  #epochs = make('input', {id: 'train-epochs', type: 'number', min: 0, max: 1000, value: 0,
    'aria-describedby': 'train-epochs-hint'});
  #fineTune = make('input', {type: 'checkbox', id: 'train-fine-tune'});
  #corrections = make('input', {type: 'checkbox', id: 'train-corrections'});
  #promote = make('select', {id: 'train-promote'}, ...Object.keys(PROMOTIONS).map(value => new Option('', value)));

  // `somethingEnded` is called when a training has ended: there may be a new version.
  constructor(somethingEnded) {
    this.#ended = somethingEnded;
  }

  // Stops following.
  leave() {
    this.#source?.close();
    this.#source = null;
    this.#followed = '';
  }

  // What a start has answered is out of date.
  forget() {
    this.#notice.say();
  }

  // `visit` is aborted once the tab is left; the answer is no longer taken then.
  async refresh(models, visit) {
    this.#offer(models.map(model => model.name));
    try {
      const trainings = await api.listTrainings();
      if (visit.aborted) return;
      this.#take(trainings.filter((training, i) => i < SHOWN || !ended(training)));
      this.#notice.found();
    } catch (problem) {
      this.#notice.lost(problem);
    }
  }

  // To be trained.
  #offer(names) {
    const before = [...this.#model.options].map(option => option.value);
    if (names.join('\n') !== before.join('\n')) {
      const chosen = this.#model.value;
      this.#model.replaceChildren(...names.map(name => new Option(name, name, false, name === chosen)));
    }
    if (this.#modelField) this.#modelField.hidden = names.length < 2;
  }

  #take(trainings) {
    const first = !this.#loaded;
    this.#loaded = true;
    const views = new Map(trainings.map(training => [training.id, this.#views.get(training.id) ?? this.#add(training.id)]));
    const changed = [...views.keys()].join() !== [...this.#views.keys()].join();
    this.#views = views;
    if (changed || first) this.#showList();
    const unfinished = trainings.filter(training => !ended(training));
    this.#follow(unfinished.find(training => !waits(training)) ?? unfinished.at(-1));  // the newest is first
    for (const training of trainings) if (training.id !== this.#followed || ended(training)) views.get(training.id).show(training);
  }

  // From now on shows of that one what the server tells, until it has ended.
  #follow(training) {
    const id = training?.id ?? '';
    if (id === this.#followed) return;
    this.leave();
    if (!training || document.hidden) return;
    const view = this.#views.get(id);
    view.show(training);
    const source = new EventSource(api.trainingPath(id));
    [this.#source, this.#followed] = [source, id];
    source.addEventListener('training', event => {
      const news = JSON.parse(event.data);
      if (ended(news)) this.leave();
      view.show(news);
    });
    source.addEventListener('error', () => {
      // The browser tries again by itself, unless the answer was no stream: then the next refresh does.
      if (source.readyState === EventSource.CLOSED && source === this.#source) this.leave();
    });
  }

  render() {
    const section = make('section', {class: 'card', 'aria-labelledby': 'trainings-title'},
      make('h2', {id: 'trainings-title'}, t('trainings')), this.#form(), this.#notice.element, this.#list);
    this.#notice.render();
    for (const view of this.#views.values()) view.render();
    this.#showList();
    return section;
  }

  #showList() {
    const views = [...this.#views.values()].map(view => view.element);
    const none = this.#loaded && views.length === 0;
    this.#list.replaceChildren(...(none ? [make('p', {class: 'hint'}, t('noTrainings'))] : views));
  }

  #add(id) {
    return new TrainingView(id, () => this.#ended());
  }

  #form() {
    for (const option of this.#promote.options) option.text = t(PROMOTIONS[option.value]);
    const field = (input, key, hint = null) => make('div', {class: 'field'},
      make('label', {for: input.id}, t(key)), input,
      hint ? make('p', {id: `${input.id}-hint`, class: 'hint'}, t(hint)) : null);
    const check = (input, key) => make('label', {class: 'check'}, input, t(key));
    this.#modelField = field(this.#model, 'model');
    this.#modelField.hidden = this.#model.options.length < 2;
    const start = event => {
      event.preventDefault();
      this.#start({data_set: this.#data.value.trim(), epochs: Number(this.#epochs.value) || 0,
        fine_tune: this.#fineTune.checked, corrections: this.#corrections.checked, promote: this.#promote.value});
    };
    return make('form', {class: 'train', onsubmit: start},
      this.#modelField, field(this.#data, 'dataSet', 'dataSetHint'), field(this.#epochs, 'epochs', 'epochsHint'),
      field(this.#promote, 'goLive'),
      make('div', {class: 'checks'}, check(this.#fineTune, 'fineTune'), check(this.#corrections, 'corrections')),
      make('div', {class: 'row'}, make('button', {class: 'main', id: 'train'}, t('train'))));
  }

  async #start(request) {
    this.#notice.say(() => ['…']);
    try {
      await api.train(this.#model.value || '-', request);
      this.#notice.say();
    } catch (problem) {
      const noSet = problem.status === 404 && problem.message.startsWith('data_set');
      this.#notice.fail(problem, noSet ? () => [t('noDataSet', {name: request.data_set})] : undefined);
    }
    this.#ended();
  }
}

// One training.
class TrainingView {
  element = make('article', {class: 'training'});
  #id;
  #ended;
  #training = null;
  #seen = '';  // of what is shown
  #state = make('span', {class: 'badge'});
  #bar = make('progress', {max: 1});
  #facts = make('p', {class: 'facts'});
  #outcome = make('p', {class: 'facts'});
  #notice = new Notice();
  #title = make('h3', {tabindex: -1});  // takes the focus from the button that goes
  #cancel = make('button', {type: 'button', class: 'quiet', onclick: () => this.#stop()});
  #chart = make('div', {class: 'chart-box'});

  constructor(id, hasEnded) {
    this.#id = id;
    this.#ended = hasEnded;
    this.#title.append(make('code', {}, id), this.#state);
    this.element.append(make('div', {class: 'title'}, this.#title, this.#cancel),
      this.#bar, this.#facts, this.#chart, this.#outcome, this.#notice.element);
  }

  // What is older than its end is out of date.
  show(training) {
    const seen = JSON.stringify(training);
    if (seen === this.#seen || (this.#training && ended(this.#training) && !ended(training))) return;
    this.#seen = seen;
    const news = this.#training && !ended(this.#training) && ended(training);
    this.#training = training;
    this.render();
    if (news) this.#ended();
  }

  render() {
    const training = this.#training;
    if (!training) return;
    const {progress} = training;
    this.#state.textContent = hasWords(training.state) ? t(training.state) : training.state;
    this.#state.dataset.state = training.state;
    this.#cancel.textContent = t('cancel');
    this.#cancel.setAttribute('aria-label', t('cancelIt', {id: this.#id}));
    if (ended(training) && this.#cancel === document.activeElement) this.#title.focus();
    this.#cancel.hidden = ended(training);
    this.#bar.hidden = ended(training);
    this.#bar.setAttribute('aria-label', `${t('trainings')} ${this.#id}`);
    if (progress?.steps) this.#bar.value = (progress.epoch - 1 + progress.step / progress.steps) / progress.epochs;
    else this.#bar.removeAttribute('value');
    this.#facts.textContent = factsOf(training).join(' · ');
    const outcome = [training.version && [t('cameOut', {version: training.version})],
      training.gate && [t('gate'), fromServer(training.gate)], training.error && [fromServer(training.error)]].filter(Boolean);
    this.#outcome.replaceChildren(...outcome.flatMap((part, i) => (i ? [' · ', ...part] : part)));
    this.#notice.render();
    this.#chart.replaceChildren(...(training.epochs?.length > 0
      ? [make('p', {class: 'hint'}, t('chart')), accuracyChart(training.epochs, progress?.epochs ?? 0)] : []));
  }

  async #stop() {
    if (!(await ask(t('cancelAsk', {id: this.#id}), t('cancelIt', {id: this.#id})))) return;
    try {
      await api.cancelTraining(this.#id);
      this.#notice.say();
    } catch (problem) {
      this.#notice.fail(problem);
    }
  }
}

function factsOf(training) {
  const number = new Intl.NumberFormat(locale(), {maximumSignificantDigits: 3});
  const facts = [training.request.model, training.request.data_set].filter(Boolean);
  const last = training.epochs?.at(-1);
  if (last) facts.push(`${t('accuracy')} ${percent(last.accuracy)}`);
  const {progress} = training;
  if (training.state === 'TRAINING_STATE_QUEUED') facts.push(training.position > 0 ? t('waits', {n: training.position}) : t('waitsNext'));
  if (training.state !== 'TRAINING_STATE_RUNNING' || !progress) return facts;
  facts.push(t('epochOf', progress), t('loss', {n: number.format(progress.loss)}));
  if (progress.images_per_second > 0) facts.push(t('speed', {n: number.format(progress.images_per_second)}));
  if (progress.time_left) facts.push(t('timeLeft', {time: duration(Number.parseFloat(progress.time_left))}));
  return facts;
}

function duration(seconds) {
  const unit = (value, name) => new Intl.NumberFormat(locale(), {style: 'unit', unit: name, unitDisplay: 'short',
    maximumFractionDigits: 0}).format(value);
  return seconds < 90 ? unit(seconds, 'second') : unit(seconds / 60, 'minute');
}
