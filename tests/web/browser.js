// Debian's Chromium, the page in it, and hands that draw there.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {chromium} from 'playwright-core';

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];
const SIDE = 200;  // of the sheet in its own units
const PATIENCE_MS = 600000;  // of every wait: what is waited for comes; a trainer takes what time others leave

export async function startBrowser(t, ...flags) {
  const browser = await chromium.launch(
    {executablePath: '/usr/bin/chromium', args: [...FLAGS, ...flags], timeout: PATIENCE_MS});
  t.after(() => browser.close());
  return browser;
}

// Runs in the page before its own code: notes what the live region says and after which lifting of the pen that was asked,
// how many calls were under way at once, what is followed as Server-Sent Events, and what the Content-Security-Policy has
// refused.
function watch() {
  window.seen = {outcomes: [], up: null, answered: null, recognitions: 0, most: 0, violations: [], sources: []};
  const {seen} = window;
  document.addEventListener('securitypolicyviolation', e => seen.violations.push(`${e.violatedDirective} ${e.blockedURI}`));
  addEventListener('pointerup', () => (seen.up = {at: performance.now()}), true);
  window.EventSource = class extends EventSource {
    constructor(...args) {
      super(...args);
      seen.sources.push(this);
    }
  };
  const {fetch} = window;
  const calls = new Set();  // the signals of those under way
  window.fetch = async (...args) => {
    if (!String(args[0]).includes(':recognize')) return fetch(...args);
    const {up} = seen;
    const {signal} = args[1];
    const end = () => calls.delete(signal);
    calls.add(signal);
    signal.addEventListener('abort', end);
    ++seen.recognitions;
    seen.most = Math.max(seen.most, calls.size);
    try {
      const answer = await fetch(...args);
      await answer.clone().text();  // until then it is under way
      seen.answered = up;
      return answer;
    } finally {
      end();
    }
  };
  document.addEventListener('DOMContentLoaded', () => new MutationObserver(() => {
    const {state} = document.getElementById('headline').dataset;
    const label = document.getElementById('label').textContent;
    const text = document.getElementById('live').textContent;
    const up = seen.answered;
    requestAnimationFrame(() => setTimeout(() =>  // after that frame is painted
      seen.outcomes.push({state, label, text, up, milliseconds: performance.now() - up?.at})));
  }).observe(document.getElementById('live'), {childList: true}));
}

// An empty page in a context of its own.
export async function newPage(t, browser, options) {
  const context = await browser.newContext({viewport: {width: 1180, height: 900}, locale: 'en-GB', ...options});
  t.after(() => context.close());
  context.setDefaultTimeout(PATIENCE_MS);
  return context.newPage();
}

// The page in a context of its own. Faults collect in page.faults; quiet(page) asserts that there are none.
export async function openPage(t, browser, url, {wait = '[data-state=online]', ...options} = {}) {
  const page = await newPage(t, browser, options);
  page.faults = [];
  page.requests = [];
  page.on('console', message => ['error', 'warning'].includes(message.type()) && page.faults.push(message.text()));
  page.on('pageerror', error => page.faults.push(error.stack));
  page.on('request', request => page.requests.push(request.url()));
  await page.addInitScript(watch);
  await page.goto(url);
  if (wait) await page.waitForSelector(`#status${wait}`);
  return page;
}

// `allowed`: faults that the test itself has provoked, such as the browser's own line for an answer 422.
export async function quiet(page, allowed = /^$/) {
  assert.deepEqual(page.faults.filter(fault => !allowed.test(fault)), []);
  assert.deepEqual(await page.evaluate(() => window.seen.violations), []);
}

// From strokes in 100 by 100 to points on the screen, the digit 130 units high on the sheet of 200.
async function onScreen(page, strokes) {
  const box = await page.locator('#sheet').boundingBox();
  const unit = box.width / SIDE;
  return strokes.map(stroke => stroke.map(([x, y]) => [box.x + (35 + 1.3 * x) * unit, box.y + (35 + 1.3 * y) * unit]));
}

export async function drawWithMouse(page, strokes) {
  for (const [first, ...rest] of await onScreen(page, strokes)) {
    await page.mouse.move(...first);
    await page.mouse.down();
    for (const point of rest) await page.mouse.move(...point);
    await page.mouse.up();
  }
}

export async function drawWithTouch(page, strokes) {
  const devtools = await page.context().newCDPSession(page);
  const touch = (type, ...points) => devtools.send('Input.dispatchTouchEvent',
    {type, touchPoints: points.map(([x, y]) => ({x, y, id: 1, radiusX: 9, radiusY: 9}))});
  for (const [first, ...rest] of await onScreen(page, strokes)) {
    await touch('touchStart', first);
    for (const point of rest) await touch('touchMove', point);
    await touch('touchEnd');
  }
}

// A pen whose pressure rises and falls along each stroke.
export async function drawWithPen(page, strokes) {
  const devtools = await page.context().newCDPSession(page);
  for (const points of await onScreen(page, strokes)) {
    const send = (type, i, buttons) => devtools.send('Input.dispatchMouseEvent', {type, x: points[i][0], y: points[i][1],
      pointerType: 'pen', button: type === 'mouseMoved' ? 'none' : 'left', buttons, clickCount: 1,
      force: 0.35 + 0.3 * Math.sin((Math.PI * i) / points.length)});
    await send('mousePressed', 0, 1);
    for (let i = 1; i < points.length; ++i) await send('mouseMoved', i, 1);
    await send('mouseReleased', points.length - 1, 0);
  }
}

// How many pixels of the sheet are drawn.
export const inkOf = page => page.evaluate(() => new Promise(done => requestAnimationFrame(() => {  // after the page's own frame
  const sheet = document.getElementById('sheet');
  done(sheet.getContext('2d').getImageData(0, 0, sheet.width, sheet.height).data.filter((v, i) => i % 4 === 3 && v > 0).length);
})));

// What the page says of all that has been drawn, or after a click: {state, label, text, milliseconds since the pointer was
// lifted}. What was asked before that is no answer to it, however late it comes.
export async function outcome(page) {
  const last = await page.waitForFunction(() => {
    const {outcomes, up} = window.seen;
    const last = outcomes.at(-1);
    return last && last.up === up && last.state !== 'blank' && last.state !== 'working' && last;
  });
  return last.jsonValue();
}

// Until the headline is in that state; the whole headline's text then.
export async function waitForState(page, state) {
  const text = await page.waitForFunction(state => {
    const headline = document.getElementById('headline');
    return headline.dataset.state === state && headline.innerText;
  }, state);
  return text.jsonValue();
}

export const ANSWERS = ['confident', 'unsure', 'not_a_digit'];

export async function waitForAnswer(page, label) {
  await page.waitForFunction(label => document.getElementById('label').textContent === label, label);
}

// No part sticks out of the page to the side.
export async function assertNothingSticksOut(page) {
  const wide = await page.evaluate(() => ({page: document.documentElement.scrollWidth, window: innerWidth}));
  assert.ok(wide.page <= wide.window, `the page is ${wide.page} wide, the window ${wide.window}`);
}

const axe = readFileSync(new URL('./node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');

// axe-core's serious and critical findings. It runs through the debugger, past the page's Content-Security-Policy.
export async function assertAccessible(page) {
  await page.evaluate(axe);
  const {violations} = await page.evaluate(() => window.axe.run());
  const grave = violations.filter(v => ['serious', 'critical'].includes(v.impact));
  assert.deepEqual(grave.map(v => `${v.id}: ${v.nodes.map(n => n.html).join(' | ')}`), []);
}
