// What the page says when something is missing: the daemon, a free place in its queue, a digit.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {drawWithMouse, openPage, outcome, quiet, startBrowser, waitForAnswer, waitForState} from './browser.js';
import {generated} from './digits.js';
import {startBoth, startDaemon, startGateway, startProxy, wholeFile} from './programs.js';

const file = wholeFile(test);
const browser = await startBrowser(file);
const {gateway} = await startBoth(file);

test('the daemon goes away and comes back, and the page goes on by itself', async t => {
  const daemon = await startDaemon(t);
  const here = await startGateway(t, daemon.address);
  const page = await openPage(t, browser, here.url);
  await daemon.stop('SIGKILL');
  await drawWithMouse(page, generated(5, 1));
  assert.match(await waitForState(page, 'offline'), /No connection to the server\s+The page keeps trying/);
  assert.equal(await page.locator('#status-text').textContent(), 'Offline');
  await startDaemon(t, {listen: daemon.address});
  await waitForAnswer(page, '5');  // of what was drawn meanwhile, with no hand on the page
  assert.match(await page.locator('#status-text').textContent(), /^mnist [0-9a-f]{12}$/);
  await quiet(page, /status of 50[234]/);
});

test('a page that is opened before there is a daemon waits for it', async t => {
  const daemon = await startDaemon(t);
  const here = await startGateway(t, daemon.address);
  await daemon.stop('SIGKILL');
  const page = await openPage(t, browser, here.url, {wait: '[data-state=offline]'});
  assert.match(await waitForState(page, 'offline'), /No connection to the server/);
  await startDaemon(t, {listen: daemon.address});
  await waitForState(page, 'blank');
  assert.equal(await page.locator('#bars tr').count(), 10);
  await drawWithMouse(page, generated(2, 0));
  assert.equal((await outcome(page)).label, '2');
});

test('a gateway that is gone is told as well', async t => {
  const {gateway: gone} = await startBoth(t);
  const page = await openPage(t, browser, gone.url);
  await gone.stop('SIGKILL');
  await drawWithMouse(page, generated(6, 0));
  await waitForState(page, 'offline');
  await quiet(page, /ERR_CONNECTION|ERR_EMPTY|ERR_SOCKET/);
});

test('an overloaded server is asked again after the time that it gives', async t => {
  let busy = true;
  const asked = [];
  const url = await startProxy(t, gateway.address, request => {
    if (!request.url.includes(':recognize')) return null;
    asked.push(performance.now());
    return busy && {status: 429, headers: {'Retry-After': '2', 'Content-Type': 'application/problem+json'},
      body: JSON.stringify({status: 429, detail: 'the queue is full', code: 'RESOURCE_EXHAUSTED'})};
  });
  const page = await openPage(t, browser, url);
  await drawWithMouse(page, generated(8, 1));
  assert.match(await waitForState(page, 'overload'), /The server is busy\s+Trying again in \d s/);
  busy = false;
  await waitForAnswer(page, '8');
  assert.ok(asked.length >= 2);
  for (let i = 1; i < asked.length; ++i) {  // while it draws and after: on a slow machine that takes more than one wait
    assert.ok(asked[i] - asked[i - 1] >= 1900, `asked again after ${asked[i] - asked[i - 1]} ms`);
  }
  await quiet(page, /status of 429/);
});

test('a blank sheet is not sent', async t => {
  const page = await openPage(t, browser, gateway.url);
  await page.click('#recognize');
  assert.match(await waitForState(page, 'blank'), /Nothing to recognise yet/);
  assert.equal(await page.evaluate(() => window.seen.recognitions), 0);
  await quiet(page);
});

test('the language is the browser\'s, is switched and remembered', async t => {
  const page = await openPage(t, browser, gateway.url, {locale: 'zh-TW'});
  assert.equal(await page.title(), 'digitd\uff1a手写数字识别');
  assert.equal(await page.locator('html').getAttribute('lang'), 'zh-CN');
  assert.equal(await page.locator('#recognize').textContent(), '识别');
  await drawWithMouse(page, generated(9, 0));
  assert.match((await outcome(page)).text, /^9\uff0c\d+\.\d%\uff0c有把握$/);
  await page.click('#language');
  assert.equal(await page.locator('#verdict').textContent(), 'Confident');
  await page.reload();
  await page.waitForSelector('#status[data-state=online]');
  assert.equal(await page.locator('#recognize').textContent(), 'Recognise');
  await quiet(page, /status of 422/);
});

test('another language than ours is answered in English, with reduced motion nothing moves', async t => {
  const page = await openPage(t, browser, gateway.url, {locale: 'fr-FR', reducedMotion: 'reduce'});
  assert.equal(await page.locator('#recognize').textContent(), 'Recognise');
  const moves = await page.evaluate(() => [...document.querySelectorAll('*')].filter(e => {
    const style = getComputedStyle(e);
    return style.transitionDuration !== '0s' || style.animationName !== 'none';
  }).map(e => e.outerHTML));
  assert.deepEqual(moves, []);
});
