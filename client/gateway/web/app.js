// Starts the page and joins its parts.
import * as api from './api.js';
import {offerCamera} from './camera.js';
import {Connection} from './connection.js';
import {byId} from './dom.js';
import {Drawing} from './drawing.js';
import {Feedback} from './feedback.js';
import {History} from './history.js';
import {locale, onLanguage, switchLanguage, t, translate} from './i18n.js';
import {strokesToPicture} from './ink.js';
import {Pad} from './pad.js';
import {acceptPictures, readPicture} from './pictures.js';
import {Recognizer} from './recognizer.js';
import {Result} from './result.js';
import {offerSnippets} from './snippets.js';
import {startTabs} from './tabs.js';

let models = [];
let model = '';  // the one that is asked; empty: the server's default
let shown = null;  // {answer, picture} while an answer is shown
let admin = null;

const drawing = new Drawing();
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
  changed: offer,
  act: name => actions[name](),
  pen: down => (byId('live').textContent = t(down ? 'penDown' : 'penUp')),
});
const past = new History(({id, content, answer}) => {
  drawing.replace(content);
  drawing.id = id;
  recognizer.drop();
  refresh();
  showAnswer({answer, picture: pictureOf(content)});
});

const actions = {
  recognize: () => (drawing.blank ? showBlank() : offer(true)),
  undo() {
    drawing.undo();
    offer(true);
  },
  clear() {
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
  else recognizer.offer({final, id: drawing.id, content: drawing.content});
}

async function recognize(job) {
  job.picture = pictureOf(job.content);
  try {
    const answer = await api.recognize(job.picture, model);
    connection.found();
    return answer;
  } catch (problem) {
    if (problem.offline) connection.lost();
    else connection.found();
    throw problem;
  }
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
  result.show('answer', next, spoken);
  offerMore();
}

// What can be done with an answer.
function offerMore() {
  feedback.offer(shown?.answer ?? null, shown?.picture, result.labels);
  byId('snippets').hidden = !shown;
  byId('copy-notice').textContent = '';
}

// The sheet and its buttons.
function refresh() {
  pad.show();
  byId('undo').disabled = !drawing.canUndo;
  byId('clear').disabled = drawing.blank;
  const {picture} = drawing;
  byId('sheet-note').textContent = drawing.blank ? t('sheetEmpty') : picture && !picture.bitmap ? picture.name : '';
}

async function loadModels() {
  try {
    models = await api.listModels();
  } catch {
    connection.lost();
    return;
  }
  if (!models.some(m => m.name === model)) model = '';
  const choice = byId('model');
  choice.replaceChildren(...models.map(m => new Option(m.name, m.name, m.is_default, m.name === chosen()?.name)));
  byId('model-choice').hidden = models.length < 2;
  result.setLabels(liveVersion(chosen())?.labels ?? []);
  if (drawing.blank) result.show(liveVersion(chosen()) ? 'blank' : 'noModel', {}, false);
  showStatus();
}

const chosen = () => models.find(m => (model ? m.name === model : m.is_default)) ?? models[0];
const liveVersion = m => m?.versions.find(v => v.state === 'MODEL_STATE_LIVE');

function showStatus() {
  const live = liveVersion(chosen());
  const {online} = connection;
  byId('status').dataset.state = online === null ? 'loading' : online ? 'online' : 'offline';
  byId('status-text').textContent = online === false ? t('offline')
    : models.length === 0 ? t('connecting') : live ? `${chosen().name} ${live.version}` : t('noModel');
  if (online === false && drawing.blank) result.show('offline');
}

async function openTab(name) {
  if (name !== 'admin') {
    admin?.then(view => view.leave());
    return;
  }
  admin ??= import('./admin.js').then(module => new module.Admin(byId('admin'), loadModels));
  (await admin).enter();
}

async function takePicture(file, name) {
  drawing.replace({strokes: [], picture: await readPicture(file, name)});
  offer(true);
}

for (const name of Object.keys(actions)) byId(name).addEventListener('click', actions[name]);
document.addEventListener('keydown', event => {
  if (event.key !== 'z' || !(event.ctrlKey || event.metaKey) || event.shiftKey || byId('draw').hidden) return;
  event.preventDefault();
  actions.undo();
});
byId('model').addEventListener('change', event => {
  model = event.target.value;
  result.setLabels(liveVersion(chosen())?.labels ?? []);
  showStatus();
  offer(true);
});
acceptPictures({take: takePicture, say: text => (byId('notice').textContent = text)});
offerCamera(blob => takePicture(blob, 'camera.jpg'));
offerSnippets(() => ({picture: shown.picture, model}));
byId('language').addEventListener('click', switchLanguage);
onLanguage(() => {
  document.documentElement.lang = locale();
  document.title = t('title');
  const other = byId('language');
  [other.textContent, other.lang] = locale() === 'en' ? ['中文', 'zh-CN'] : ['English', 'en'];
  translate(document);
  refresh();
  result.render();
  past.render();
  showStatus();
  offerMore();
});
startTabs(openTab);
connection.ask();
