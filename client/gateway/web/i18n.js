// The language of the page: chosen by the browser, switched by the reader, remembered.
import {byId} from './dom.js';
import {words} from './words.js';

const KEY = 'digitd.language';
const listeners = new Set();
const notices = new Map();  // by the element's id: says it again
let language = remembered() ?? (navigator.languages.find(l => /^(zh|en)\b/i.test(l)) ?? 'en').slice(0, 2).toLowerCase();

function remembered() {
  try {
    const kept = localStorage.getItem(KEY);
    return kept in words ? kept : null;
  } catch {
    return null;  // storage is forbidden
  }
}

// The words of `key`, with {name} replaced by values[name].
export function t(key, values = {}) {
  return words[language][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

export const hasWords = key => key in words[language];

export const locale = () => (language === 'zh' ? 'zh-CN' : 'en');

// "99.8%"; what is below 1 but would round to it is ">99.9%".
export function percent(share) {
  const digits = {style: 'percent', minimumFractionDigits: 1, maximumFractionDigits: 1};
  const nearly = share < 1 && share >= 0.9995;
  return (nearly ? '>' : '') + new Intl.NumberFormat(locale(), digits).format(nearly ? 0.999 : share);
}

// Says words in the element of that id, and again in the other language after a switch; null: nothing.
export function say(id, key, values) {
  const speak = () => (byId(id).textContent = key ? t(key, values) : '');
  notices.set(id, speak);
  speak();
}

// Calls `listener` now and after each switch.
export function onLanguage(listener) {
  listeners.add(listener);
  listener();
}

export function switchLanguage() {
  language = language === 'zh' ? 'en' : 'zh';
  try {
    localStorage.setItem(KEY, language);
  } catch {
    // Not remembered, then.
  }
  for (const listener of [...listeners, ...notices.values()]) listener();
}

// Fills what data-t (text) and data-t-label (accessible name) ask for below `root`.
export function translate(root) {
  for (const e of root.querySelectorAll('[data-t]')) e.textContent = t(e.dataset.t);
  for (const e of root.querySelectorAll('[data-t-label]')) e.setAttribute('aria-label', t(e.dataset.tLabel));
}
