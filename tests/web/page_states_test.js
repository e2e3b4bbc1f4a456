// What the page says when something is missing: the daemon, a free place in its queue, a digit.
import assert from 'node:assert/strict';
import {once} from 'node:events';
import {copyFileSync, mkdirSync} from 'node:fs';
import {test} from 'node:test';
import {drawWithMouse, openPage, outcome, quiet, startBrowser, waitForAnswer, waitForState} from './browser.js';
import {generated} from './digits.js';
import {HANG, MODEL, SHOTS, scratch, startBoth, startDaemon, startGateway, startProxy, wholeFile, writeLetters,
  writeVersion} from './programs.js';

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

const rows = page => page.locator('#bars th').allInnerTexts();
const DIGITS = [...'0123456789'];
const LETTERS = [...'ABCDEFGHIJ'];

test('after a hot swap the new version is named', async t => {
  const model = `${scratch()}/mnist.pt`;
  copyFileSync(MODEL, model);
  const {gateway: here} = await startBoth(t, {model}, '--watch', 'false');
  const page = await openPage(t, browser, here.url);
  await drawWithMouse(page, generated(3, 0));
  assert.equal((await outcome(page)).label, '3');
  const before = await page.locator('#status-text').textContent();
  assert.equal(await page.locator('#meta').textContent().then(text => text.startsWith(before)), true);
  writeVersion(model);
  const reloaded = await fetch(`${here.url}/v1/models/mnist:reload`, {method: 'POST', body: '{"force":true}',
    headers: {'Content-Type': 'application/json'}});
  assert.equal(reloaded.status, 200, await reloaded.text());
  await page.click('#recognize');
  await page.waitForFunction(before => document.getElementById('status-text').textContent !== before, before);
  const after = await page.locator('#status-text').textContent();
  await page.waitForFunction(after => document.getElementById('meta').textContent.startsWith(after), after);
  assert.match(after, /^mnist [0-9a-f]{12}$/);
  await quiet(page);
});

for (const [which, nameVersion] of [['another version', false], ['the same name and version', true]]) {
  test(`another server's model under the old address, ${which}: no answer has the old one's labels`, async t => {
    const folder = scratch();
    if (nameVersion) {
      for (const name of ['digits', 'letters']) mkdirSync(`${folder}/${name}/mnist/1`, {recursive: true});
      copyFileSync(MODEL, `${folder}/digits/mnist/1/model.pt`);
      writeLetters(`${folder}/letters/mnist/1/model.pt`);
    }
    const serve = async (name, model) =>
      (await startBoth(t, nameVersion ? {models: `${folder}/${name}`} : {model: `mnist=${model}`})).gateway;
    let here = await serve('digits', MODEL);
    const page = await openPage(t, browser, await startProxy(t, () => here.address, () => null));
    await drawWithMouse(page, generated(3, 0));
    assert.equal((await outcome(page)).label, '3');
    await page.evaluate(() => {
      window.mixed = [];
      new MutationObserver(() => {
        const label = document.getElementById('label').textContent;
        const best = document.querySelector('#bars .best th')?.textContent ?? '';
        if (label && label !== best) window.mixed.push(`${label} above ${best}`);
      }).observe(document.querySelector('.result'), {subtree: true, childList: true, attributes: true});
    });
    here = await serve('letters', writeLetters(`${folder}/letters.pt`));
    await page.click('#recognize');
    await waitForAnswer(page, 'D');
    assert.deepEqual(await rows(page), LETTERS);
    assert.deepEqual(await page.locator('#labels button').allInnerTexts(), [...LETTERS, 'no digit']);
    assert.ok((await page.locator('#meta').textContent()).startsWith(await page.locator('#status-text').textContent()));
    assert.deepEqual(await page.evaluate(() => window.mixed), []);
    await quiet(page);
  });
}

test('the history shows an answer with its own model, labels, corrections and commands', async t => {
  const letters = writeLetters(`${scratch()}/letters.pt`);
  const {gateway: here} = await startBoth(t, {}, '--model', letters);
  const page = await openPage(t, browser, here.url, {permissions: ['clipboard-read', 'clipboard-write']});
  await drawWithMouse(page, generated(4, 0));
  assert.equal((await outcome(page)).label, '4');
  await page.click('#clear');
  await page.selectOption('#model', 'letters');
  assert.deepEqual(await rows(page), LETTERS);
  await drawWithMouse(page, generated(7, 0));
  assert.equal((await outcome(page)).label, 'H');
  await page.locator('#history button').nth(1).click();
  assert.equal(await page.locator('#label').textContent(), '4');
  assert.deepEqual(await rows(page), DIGITS);
  assert.equal(await page.locator('#model').inputValue(), 'mnist');
  assert.deepEqual(await page.locator('#labels button').allInnerTexts(), [...DIGITS, 'no digit']);
  await page.click('#copy-curl');
  await page.waitForFunction(() => document.getElementById('copy-notice').textContent === 'Copied');
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /\/v1\/models\/mnist:recognize/);
  await page.selectOption('#model', 'letters');
  await waitForAnswer(page, 'E');
  assert.deepEqual(await rows(page), LETTERS);
});

test('the daemon is replaced by one with another model, and what was chosen is asked no more', async t => {
  const folder = scratch();
  const daemon = await startDaemon(t, {}, '--model', writeLetters(`${folder}/letters.pt`));
  const here = await startGateway(t, daemon.address);
  const page = await openPage(t, browser, here.url);
  await page.selectOption('#model', 'letters');
  await daemon.stop();
  await startDaemon(t, {listen: daemon.address, model: writeLetters(`${folder}/signs.pt`)});
  await drawWithMouse(page, generated(2, 0));
  await waitForAnswer(page, 'C');
  assert.match(await page.locator('#status-text').textContent(), /^signs /);
  assert.deepEqual(await rows(page), LETTERS);
});

test('a call that hangs holds nothing up: what is drawn after a clear, or to its end, is sent at once', async t => {
  let hanging = 1;
  const asked = [];
  const url = await startProxy(t, gateway.address, request => {
    if (!request.url.includes(':recognize')) return null;
    asked.push(request);
    return hanging-- > 0 && HANG;
  });
  const page = await openPage(t, browser, url);
  await drawWithMouse(page, generated(1, 0));  // hangs from its first point on
  assert.equal((await outcome(page)).label, '1');
  if (!asked[0].destroyed) await once(asked[0], 'close');  // broken off by the page
  hanging = 1;
  await page.click('#recognize');
  assert.match(await waitForState(page, 'working'), /Recognising/);
  await page.click('#clear');
  await drawWithMouse(page, generated(8, 1));
  assert.equal((await outcome(page)).label, '8');
  await quiet(page, /status of 422/);
});

test('with ink on the sheet the page does not say that there is nothing', async t => {
  const url = await startProxy(t, gateway.address, request => request.url.includes(':recognize') && HANG);
  const page = await openPage(t, browser, url);
  const box = await page.locator('#sheet').boundingBox();
  await page.mouse.move(box.x + 200, box.y + 60);
  await page.mouse.down();
  assert.notEqual(await page.locator('#headline').getAttribute('data-state'), 'blank');
  await waitForState(page, 'working');
  assert.equal(await page.locator('#live').textContent(), '');  // not while somebody draws
  await page.mouse.up();
});

test('an overloaded server is told once, is asked after half a minute at most, and at once by the button', async t => {
  let busy = true;
  const url = await startProxy(t, gateway.address, request => busy && request.url.includes(':recognize') &&
    {status: 429, headers: {'Retry-After': '3600', 'Content-Type': 'application/problem+json'}, body: '{"status":429}'});
  const page = await openPage(t, browser, url);
  await drawWithMouse(page, generated(8, 1));
  await waitForState(page, 'overload');
  const spoken = () => page.evaluate(() => window.seen.outcomes.filter(({state}) => state === 'overload').map(({text}) => text));
  await page.waitForFunction(() => window.seen.outcomes.some(({state}) => state === 'overload'));
  assert.match((await spoken())[0], /^The server is busy, Trying again in (30|2\d) s$/);
  const detail = await page.locator('#detail').textContent();
  await page.waitForFunction(detail => document.getElementById('detail').textContent !== detail, detail);  // it counts
  assert.equal((await spoken()).length, 1);
  busy = false;
  await page.click('#recognize');
  await waitForAnswer(page, '8');
  await quiet(page, /status of 4(29|22)/);
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
  assert.match((await outcome(page)).text, /^9\uff0c>?\d+\.\d%\uff0c有把握$/);
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

// From now on what the status changes to is kept in window.statuses.
const watchStatus = page => page.evaluate(() => {
  window.statuses = [];
  const status = document.getElementById('status');
  let last = status.dataset.state;
  new MutationObserver(() => {
    if (status.dataset.state === last) return;
    last = status.dataset.state;
    window.statuses.push(last);
  }).observe(status, {attributes: true});
});

test('a gateway that receives too much at once is busy and not away', async t => {
  let busy = true;
  const url = await startProxy(t, gateway.address, request => busy && request.url.includes(':recognize') &&
    {status: 503, headers: {'Retry-After': '1', 'Content-Type': 'application/problem+json'},
      body: JSON.stringify({status: 503, detail: 'too many large bodies are being received; try again'})});
  const page = await openPage(t, browser, url);
  await watchStatus(page);
  await drawWithMouse(page, generated(8, 1));
  assert.match(await waitForState(page, 'overload'), /The server is busy\s+Trying again in 1 s/);
  busy = false;
  await waitForAnswer(page, '8');
  assert.deepEqual(await page.evaluate(() => window.statuses), []);
  await quiet(page, /status of (422|503)/);
});

test('a list of models that fails does not make the page offline, is told, and is asked for again', async t => {
  let failing = true;
  let asked = 0;
  const url = await startProxy(t, gateway.address, request => {
    if (request.url !== '/v1/models') return null;
    ++asked;
    return failing && {status: 500, headers: {'Content-Type': 'application/problem+json'},
      body: JSON.stringify({status: 500, detail: 'internal error', code: 'INTERNAL'})};
  });
  const page = await openPage(t, browser, url);
  await watchStatus(page);
  assert.match(await waitForState(page, 'error'), /The server has failed\s+internal error/);
  assert.equal(await page.locator('#status-text').textContent(), 'The server has failed');
  while (asked < 2) await page.waitForRequest(/\/v1\/models$/);
  assert.deepEqual(await page.evaluate(() => window.statuses), []);
  failing = false;
  await waitForState(page, 'blank');
  assert.equal(await page.locator('#bars tr').count(), 10);
  await quiet(page, /status of 500/);
});

test('what the server says in English is marked as English, below the page\'s own words', async t => {
  const url = await startProxy(t, gateway.address, request => request.url.includes(':recognize') &&
    {status: 504, headers: {'Content-Type': 'application/problem+json'},
      body: JSON.stringify({status: 504, detail: 'the deadline has passed', code: 'DEADLINE_EXCEEDED'})});
  const page = await openPage(t, browser, url, {locale: 'zh-CN'});
  await drawWithMouse(page, generated(8, 1));
  assert.equal((await outcome(page)).state, 'error');
  assert.equal(await page.locator('#verdict').textContent(), '服务器太久没有答复');
  assert.equal(await page.locator('#detail [lang=en]').textContent(), 'the deadline has passed');
  assert.equal(await page.locator('#live [lang=en]').count(), 1);
  assert.equal(await page.locator('#live').textContent(), '服务器太久没有答复，the deadline has passed');
  await page.screenshot({path: `${SHOTS}/deadline-zh.png`});
  await quiet(page, /status of 504/);
});

test('a correction that cannot be sent says why in the page\'s words', async t => {
  const {daemon, gateway: here} = await startBoth(t);
  const page = await openPage(t, browser, here.url);
  await drawWithMouse(page, generated(3, 0));
  await outcome(page);
  const said = () => page.locator('#correct-notice').textContent();
  const correct = async () => {
    await page.locator('#labels button').nth(4).click();
    await page.waitForFunction(() => !['', 'Sending …'].includes(document.getElementById('correct-notice').textContent));
  };
  await page.context().setOffline(true);
  await correct();
  assert.equal(await said(), 'That did not work: No connection to the server');
  await page.click('#language');
  assert.equal(await said(), '操作失败：连不上服务器');
  await page.screenshot({path: `${SHOTS}/correction-offline-zh.png`});
  await page.click('#language');
  await page.context().setOffline(false);
  await daemon.stop();
  const answered = page.waitForResponse(/\/feedback$/);
  await correct();
  assert.equal((await answered).status(), 503);
  await page.waitForFunction(() => document.getElementById('correct-notice').textContent === 'That did not work: No connection to the server');
  await quiet(page, /ERR_INTERNET_DISCONNECTED|status of (422|50[23])/);
});

test('an admin tab that cannot be loaded says so, and is loaded when it is opened again', async t => {
  const page = await openPage(t, browser, gateway.url);
  await page.route('**/web/admin.js*', route => route.abort());
  await page.click('#tab-admin');
  await page.waitForSelector('#admin >> text=This part of the page could not be loaded.');
  await page.click('#language');
  assert.match(await page.locator('#admin').innerText(), /^页面的这一部分没能加载/);
  await page.screenshot({path: `${SHOTS}/admin-not-loaded-zh.png`});
  await page.unroute('**/web/admin.js*');
  await page.click('#tab-draw');
  await page.click('#tab-admin');
  await page.waitForSelector('#admin .models article');
  assert.equal(await page.locator('#admin [data-t=notLoaded]').count(), 0);
  await quiet(page, /ERR_FAILED/);
});
