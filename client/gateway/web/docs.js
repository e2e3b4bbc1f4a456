// The documentation: the language, this gateway's address in the commands, and every path, from openapi.json.
import {chinese} from './docs_zh.js';

const KEY = 'digitd.language';  // shared with the page
const EXAMPLE_ORIGIN = 'http://localhost:8080';
const WORDS = {
  en: {parameters: 'Parameters', body: 'Body', answers: 'Answers', objects: 'Objects', listOf: ['list of ', ''], or: ' or ', other: 'other'},
  zh: {parameters: '参数', body: '请求体', answers: '回答', objects: '对象', listOf: ['', ' 的列表'], or: ' 或 ', other: '其他'},
};

let language = remembered() ?? (navigator.languages.find(l => /^(zh|en)\b/i.test(l)) ?? 'en').slice(0, 2).toLowerCase();

function remembered() {
  try {
    const kept = localStorage.getItem(KEY);
    return kept in WORDS ? kept : null;
  } catch {
    return null;  // storage is forbidden
  }
}

const word = key => WORDS[language][key];

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.flat().filter(child => child != null));
  return element;
}

// A text of openapi.json in the reader's language; what stands in backquotes becomes code.
function say(text) {
  const translated = language === 'zh' ? chinese[text] ?? text : text;
  return translated.split('`').map((part, i) => (i % 2 ? make('code', {}, part) : part));
}

const here = text => text.replaceAll(EXAMPLE_ORIGIN, location.origin);
const code = text => make('pre', {tabindex: '0'}, make('code', {}, text));

function table(rows) {
  return make('table', {}, make('tbody', {}, rows.map(([name, ...cells]) =>
    make('tr', {}, make('th', {scope: 'row'}, name), cells.map(cell => make('td', {}, cell))))));
}

// What a value looks like: the name of an object, which is a link, or its type.
function kindOf(schema) {
  if (schema.$ref) {
    const name = schema.$ref.split('/').pop();
    return [make('a', {href: `#${name}`}, name)];
  }
  if (schema.oneOf) return schema.oneOf.flatMap((choice, i) => [i ? word('or') : null, ...kindOf(choice)]);
  if (schema.enum) return schema.enum.flatMap((value, i) => [i ? ', ' : null, make('code', {}, JSON.stringify(value))]);
  if ('const' in schema) return [make('code', {}, JSON.stringify(schema.const))];
  if (schema.items) return [word('listOf')[0], ...kindOf(schema.items), word('listOf')[1]];
  if (schema.contentEncoding) return [schema.contentEncoding];
  if (schema.properties) return Object.entries(schema.properties).flatMap(([name, s]) => [make('code', {}, name), ': ', ...kindOf(s)]);
  return [[schema.format ?? schema.type].flat().join(word('or'))];
}

function resolve(api, thing) {
  while (thing.$ref) thing = thing.$ref.slice(2).split('/').reduce((inside, key) => inside[key], api);
  return thing;
}

// JSON over lines, but lists of plain values on one.
const spread = value => JSON.stringify(value, null, 2).replace(/\[\s+([^[\]{}]*?)\s+\]/g, (_, items) => `[${items.replace(/\s+/g, ' ')}]`);

// Bodies by content type, each with its kind and examples.
function bodies(content) {
  return Object.entries(content ?? {}).flatMap(([type, media]) => {
    const kind = media.schema && (media['x-event-data'] ?? media.schema);
    const examples = media.examples ? Object.values(media.examples).map(e => e.value) : 'example' in media ? [media.example] : [];
    return [make('p', {class: 'type'}, make('code', {}, type), kind ? [' ', ...kindOf(kind)] : null),
      ...examples.map(e => code(typeof e === 'string' ? e : spread(e)))];
  });
}

function answersOf(api, responses) {
  const good = [], rows = [];
  for (const [status, reference] of Object.entries(responses)) {
    const response = resolve(api, reference);
    if (status < '3') good.push(make('p', {}, make('b', {}, status), ' ', say(response.description)), ...bodies(response.content));
    else rows.push([status === 'default' ? word('other') : status, say(response.description)]);
  }
  return [make('h4', {}, word('answers')), ...good, table(rows)];
}

function operation(api, method, path, o) {
  const parameters = (o.parameters ?? []).map(p => resolve(api, p));
  const body = o.requestBody && resolve(api, o.requestBody);
  return make('details', {id: o.operationId},
    make('summary', {}, make('code', {}, make('b', {}, method.toUpperCase()), ` ${path}`), ' ',
      make('span', {class: 'what'}, say(o.summary), o.security ? [' ', make('em', {class: 'mark'}, 'admin')] : null)),
    o.description ? make('p', {}, say(o.description)) : null,
    (o['x-codeSamples'] ?? []).map(s => code(here(s.source))),
    parameters.length ? [make('h4', {}, word('parameters')),
      table(parameters.map(p => [make('code', {}, p.name), kindOf(p.schema), say(p.description)]))] : null,
    body ? [make('h4', {}, word('body')), body.description ? make('p', {}, say(body.description)) : null, ...bodies(body.content)] : null,
    answersOf(api, o.responses));
}

function objectOf(name, schema) {
  return make('details', {id: name}, make('summary', {}, make('code', {}, name)),
    schema.description ? make('p', {}, say(schema.description)) : null,
    schema.properties
      ? table(Object.entries(schema.properties).map(([field, s]) =>
        [make('code', {}, field), kindOf(s), s.description ? say(s.description) : '']))
      : make('p', {}, kindOf(schema)));
}

function reference(api) {
  const operations = Object.entries(api.paths).flatMap(([path, item]) => Object.entries(item).map(([method, o]) => [method, path, o]));
  return [make('p', {}, say(api.info.description)),
    ...api.tags.flatMap(tag => [make('h3', {}, say(tag.description)),
      ...operations.filter(([, , o]) => o.tags.includes(tag.name)).map(o => operation(api, ...o))]),
    make('h3', {}, word('objects')),
    ...Object.entries(api.components.schemas).map(([name, schema]) => objectOf(name, schema))];
}

// What the address points to is shown, also inside what is folded.
function unfold() {
  const target = document.getElementById(location.hash.slice(1));
  if (target?.localName === 'details') target.open = true;
  target?.scrollIntoView();
}

const api = await (await fetch('/openapi.json')).json();
const place = document.getElementById('operations');

function show() {
  const open = [...place.querySelectorAll('details[open]')].map(d => d.id);
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
  place.replaceChildren(...reference(api));
  for (const id of open) document.getElementById(id).open = true;
  const button = document.getElementById('language');
  [button.textContent, button.lang] = language === 'zh' ? ['English', 'en'] : ['中文', 'zh-CN'];
  button.hidden = false;
}

document.getElementById('language').addEventListener('click', () => {
  language = language === 'zh' ? 'en' : 'zh';
  try {
    localStorage.setItem(KEY, language);
  } catch {
    // Not remembered, then.
  }
  show();
});
for (const block of document.querySelectorAll('pre')) block.tabIndex = 0;  // so that the keyboard can scroll it
for (const block of document.querySelectorAll('pre code')) block.textContent = here(block.textContent);
show();
unfold();
addEventListener('hashchange', unfold);
