// Starts the page and joins its parts.
import * as api from './api.js';
import {offerCamera} from './camera.js';
import {Connection} from './connection.js';
import {byId, make} from './dom.js';
import {Drawing} from './drawing.js';
import {Feedback} from './feedback.js';
import {History} from './history.js';
import {locale, onLanguage, say, switchLanguage, t, translate} from './i18n.js';
import {strokesToPicture} from './ink.js';
import {Models} from './models.js';
import {verdictOn} from './notice.js';
import {Pad} from './pad.js';
import {acceptPictures, readPicture} from './pictures.js';
import {Recognizer} from './recognizer.js';
import {Result} from './result.js';
import {offerSnippets} from './snippets.js';
import {startTabs} from './tabs.js';

let shown = null;  // {answer, picture} while an answer is shown
let admin = null;
let trouble = null;  // why there is no list of models, other than that nobody answers
let listing = 0;  // timer

const LIST_RETRY_MS = 5000;

const drawing = new Drawing();
const models = new Models();
const result = new Result();
const feedback = new Feedback();
const connection = new Connection(online => {
  showStatus();
  if (!online) return;
  loadModels();
  recognizer.resume();
});
const recognizer = new Recognizer({send: recognize, show: showOutcome});
const pad = new Pad(byId('sheet'), drawing, {
  brush: () => Number(byId('brush').value),
  changed(final) {
    say('notice', null);
    offer(final);
  },
  act: name => actions[name](),
  pen: down => (byId('live').textContent = t(down ? 'penDown' : 'penUp')),
});
const past = new History(({id, content, answer}) => {
  pad.lift();
  drawing.replace(content);
  drawing.id = id;
  recognizer.drop();
  if (models.has(answer.model)) models.choose(answer.model);
  showModels();
  refresh();
  showAnswer({answer, picture: pictureOf(content)});
});

const actions = {
  recognize() {
    recognizer.release();
    offer(true);
  },
  undo() {
    say('notice', null);
    pad.lift();
    drawing.undo();
    offer(true);
  },
  clear() {
    say('notice', null);
    pad.lift();
    drawing.clear();
    offer(true);
  },
};

const pictureOf = content => content.picture ?? strokesToPicture(content.strokes);

// What is on the sheet has changed; final: not in the middle of a stroke.
function offer(final) {
  refresh();
  if (drawing.blank) showBlank();
  else if (drawing.picture?.tooLarge) showOutcome('error', {problem: {reason: 'too_large'}});
  else {
    if (result.state === 'blank') result.show('begun', {}, false);
    recognizer.offer({final, id: drawing.id, content: drawing.content});
  }
}

async function recognize(job, signal) {
  job.picture = pictureOf(job.content);
  try {
    const answer = await answerTo(job.picture, signal);
    connection.found();
    return answer;
  } catch (problem) {
    if (signal.aborted) throw problem;
    if (problem.offline) connection.lost();
    else if (problem.status === 503) connection.ask();  // whether it is busy or ill
    else connection.found();
    throw problem;
  }
}

// An answer with the labels of the version that gave it. When that is a new one the list is asked for it; should it be
// gone from there already, so is the picture's answer, and the next one is asked.
async function answerTo(picture, signal, again = true) {
  let answer;
  try {
    answer = await api.recognize(picture, models.name, signal);
  } catch (problem) {
    if (problem.status !== 404 || !again) throw problem;
    await refreshModels();  // the chosen model is gone
    return answerTo(picture, signal, false);
  }
  if (!models.labelsOf(answer)) await refreshModels();
  else if (!models.gave(answer)) loadModels();
  answer.labels = models.labelsOf(answer);
  return answer.labels || !again ? answer : answerTo(picture, signal, false);
}

function showBlank() {
  recognizer.drop();
  shown = null;
  showOutcome('blank');
}

function showOutcome(state, details = {}) {
  if (state === 'answer') {
    const {answer, job, milliseconds} = details;
    showAnswer({answer, picture: job.picture, milliseconds}, job.final);
    if (job.final) past.add(job.id, job.content, answer);
    return;
  }
  if (state !== 'working') {
    shown = null;
    offerMore();
  }
  const {reason} = details.problem ?? {};
  const known = ['no_digit', 'undecodable', 'too_large'].includes(reason);
  result.show(known ? reason : state, details, details.job?.final ?? true);
}

function showAnswer(next, spoken = true) {
  shown = next;
  say('copy-notice', null);
  result.show('answer', next, spoken);
  offerMore();
}

// What can be done with an answer.
function offerMore() {
  feedback.offer(shown?.answer ?? null, shown?.picture, result.labels);
  byId('snippets').hidden = !shown;
}

// The sheet and its buttons.
function refresh() {
  pad.show();
  const {activeElement} = document;
  byId('undo').disabled = !drawing.canUndo;
  byId('clear').disabled = drawing.blank;
  if (activeElement?.disabled) byId('sheet').focus();
  const {picture} = drawing;
  byId('sheet-note').textContent = drawing.blank ? t('sheetEmpty') : picture && !picture.bitmap ? picture.name : '';
}

async function loadModels() {
  clearTimeout(listing);
  try {
    await refreshModels();
  } catch (problem) {
    if (problem.offline) return connection.lost();
    listing = setTimeout(loadModels, LIST_RETRY_MS);
    if (models.list.length > 0) return;
    trouble = problem;
    showStatus();
    if (drawing.blank) result.show('error', {problem});
  }
}

async function refreshModels() {
  await models.refresh();
  trouble = null;
  showModels();
  if (drawing.blank) result.show(models.live ? 'blank' : 'noModel', {}, false);
}

function showModels() {
  const {chosen, list, live} = models;
  byId('model').replaceChildren(...list.map(m => new Option(m.name, m.name, m.is_default, m === chosen)));
  byId('model-choice').hidden = list.length < 2;
  result.setLabels(live?.labels ?? []);
  showStatus();
}

function showStatus() {
  const {chosen, list, live} = models;
  const {online} = connection;
  byId('status').dataset.state = online === null ? 'loading' : online ? 'online' : 'offline';
  byId('status-text').textContent = online === false ? t('offline')
    : trouble ? verdictOn(trouble) : list.length === 0 ? t('connecting') : live ? `${chosen.name} ${live.version}` : t('noModel');
  if (online === false && drawing.blank) result.show('offline');
}

async function openTab(name) {
  if (name !== 'admin') {
    admin?.then(view => view?.leave());
    return;
  }
  admin ??= import('./admin.js').then(module => new module.Admin(byId('admin'), loadModels)).catch(() => {
    admin = null;  // the next time it is tried again
    byId('admin').replaceChildren(make('p', {class: 'notice', role: 'status', 'data-t': 'notLoaded'}, t('notLoaded')));
  });
  (await admin)?.enter();
}

// What is drawn or taken while the file is read is newer, and stays.
async function takePicture(file, about) {
  const turn = ++drawing.turn;
  const picture = await readPicture(file, about).catch(() => null);
  if (turn !== drawing.turn) return picture?.bitmap?.close();
  if (!picture) return say('notice', 'unreadable');
  pad.lift();
  drawing.replace({strokes: [], picture});
  offer(true);
}

for (const name of Object.keys(actions)) byId(name).addEventListener('click', actions[name]);
document.addEventListener('keydown', event => {
  if (event.key?.toLowerCase() !== 'z' || !(event.ctrlKey || event.metaKey) || event.shiftKey || byId('draw').hidden) return;
  event.preventDefault();
  actions.undo();
});
byId('model').addEventListener('change', event => {
  models.choose(event.target.value);
  recognizer.drop();
  shown = null;  // the other model's answer
  result.show('begun', {}, false);
  offerMore();
  showModels();
  offer(true);
});
acceptPictures(takePicture);
offerCamera(blob => {
  say('notice', null);
  takePicture(blob, {name: 'camera.jpg'});
});
offerSnippets(() => ({picture: shown.picture, model: shown.answer.model}));
byId('language').addEventListener('click', switchLanguage);
onLanguage(() => {
  document.documentElement.lang = locale();
  document.title = t('title');
  const other = byId('language');
  [other.textContent, other.lang] = locale() === 'en' ? ['中文', 'zh-CN'] : ['English', 'en'];
  byId('copy-digitctl').title = t('copyDigitctlHint');
  translate(document);
  refresh();
  result.render();
  past.render();
  showStatus();
  offerMore();
});
startTabs(openTab);
connection.ask();
