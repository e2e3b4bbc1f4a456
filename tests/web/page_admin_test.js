// The admin tab with a real training, a rollback, corrections to review, and the token.
import assert from 'node:assert/strict';
import {copyFileSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {test} from 'node:test';
import {assertAccessible, drawWithMouse, openPage, outcome, quiet, startBrowser} from './browser.js';
import {generated} from './digits.js';
import {MODEL, ROOT, SHOTS, scratch, startBoth, startDaemon, startGateway, wholeFile, writeVersion} from './programs.js';

const TOKEN = 'only-for-this-test-0123456789abcdef';
const file = wholeFile(test);
const browser = await startBrowser(file);

// The first `count` training images of MNIST as a data set of their own: {folder}/part.
function writePart(folder, count) {
  mkdirSync(`${folder}/part`);
  for (const [name, header, size] of [['images-idx3', 16, 784], ['labels-idx1', 8, 1]]) {
    const bytes = Buffer.from(readFileSync(`${ROOT}data/mnist/train-${name}-ubyte`).subarray(0, header + count * size));
    bytes.writeUInt32BE(count, 4);
    writeFileSync(`${folder}/part/train-${name}-ubyte`, bytes);
  }
}

const openAdmin = async page => {
  await page.click('#tab-admin');
  await page.waitForSelector('#admin .models article');
};
const notice = (page, pattern) => page.waitForFunction(
  source => [...document.querySelectorAll('#admin .notice')].some(e => new RegExp(source).test(e.textContent)), pattern.source);
const focused = page => page.evaluate(() => {
  const {ariaLabel, textContent} = document.activeElement;
  return ariaLabel ?? textContent;
});

test('what was trained goes live and is rolled back', async t => {
  const data = scratch();
  writePart(data, 3000);
  const {gateway} = await startBoth(t, {}, '--data-dir', data);
  const page = await openPage(t, browser, gateway.url);
  await openAdmin(page);
  const before = await page.locator('.versions code').first().textContent();
  await page.click('text=Reload');
  await notice(page, /^The file has not changed/);
  assert.equal(await page.locator('text=Roll back').isDisabled(), true);

  await page.fill('#train-data', 'part');
  await page.fill('#train-epochs', '3');
  await page.selectOption('#train-promote', 'PROMOTE_ALWAYS');
  await page.click('#train');
  await page.waitForSelector('.training .badge[data-state=TRAINING_STATE_DONE]');
  assert.equal(await page.locator('.training .chart .point').count(), 3);
  assert.match(await page.locator('.training .chart').getAttribute('aria-label'), /^Accuracy by epoch: 1: \d\d\.\d%, 2: .*, 3: /);
  await page.waitForFunction(before => {
    const live = document.querySelector('.versions .badge[data-state=MODEL_STATE_LIVE]');
    return live && live.previousElementSibling.textContent !== before;
  }, before);
  assert.match(await page.locator('.training .facts').last().textContent(), /^Version \d+ · Compared: \d/);
  assert.match(await page.locator('.training .facts [lang=en]').textContent(), /^\d.* agreement/);
  await assertAccessible(page);
  await page.screenshot({path: `${SHOTS}/admin-trained.png`, fullPage: true});

  await page.click('text=Roll back');
  await page.waitForSelector('dialog[open] >> text=back to version');
  await page.keyboard.press('Escape');  // not yet
  assert.equal(await page.locator('dialog[open]').count(), 0);
  await page.click('text=Roll back');
  await page.click('dialog[open] button.main');
  await notice(page, new RegExp(`is back at version ${before}`));
  assert.equal(await focused(page), 'Reload mnist');  // there is nothing more to roll back to
  await page.waitForFunction(before => document.getElementById('status-text').textContent.includes(before), before);  // the other tab
  await quiet(page);
});

test('a training that cannot be is refused in words, one that runs can be cancelled', async t => {
  const data = scratch();
  writePart(data, 3000);
  const {gateway} = await startBoth(t, {}, '--data-dir', data);
  const page = await openPage(t, browser, gateway.url);
  await openAdmin(page);
  await page.fill('#train-data', 'no-such-set');
  await page.click('#train');
  await notice(page, /^There is no data set no-such-set in the folder --data-dir of the server\.$/);
  await page.click('#language');
  await notice(page, /^服务器的 --data-dir 文件夹中没有数据集 no-such-set。$/);
  await page.click('#language');
  await page.fill('#train-data', 'part');
  await page.fill('#train-epochs', '1000');
  await page.press('#train-epochs', 'Enter');
  await page.waitForSelector('.training .badge[data-state=TRAINING_STATE_RUNNING]');
  await page.click('#train');
  const waits = page.locator('.training', {has: page.locator('.badge[data-state=TRAINING_STATE_QUEUED]')});
  assert.match(await waits.locator('.facts').first().textContent(), /The next to begin/);
  const ids = await page.locator('.training h3 code').allTextContents();
  assert.equal(new Set(ids).size, 2);
  for (const id of ids) {
    const cancel = page.getByRole('button', {name: `Cancel training ${id}`, exact: true});
    await cancel.click();
    await page.waitForSelector(`dialog[open] >> text=Cancel training ${id}?`);
    await page.click('dialog[open] >> text=Back');
    await cancel.click();
    await page.click('dialog[open] button.main');
    const cancelled = page.locator('.training', {hasText: id}).locator('[data-state=TRAINING_STATE_CANCELLED]');
    await cancelled.waitFor();
    assert.equal(await cancel.count(), 0);
    assert.match(await focused(page), new RegExp(`^${id}`));
  }
  await quiet(page, /status of 4\d\d/);
});

test('what nobody has changed stays selected and focused, what was chosen survives a switch of the language', async t => {
  const daemon = await startDaemon(t, {}, '--model', `other=${MODEL}`);
  const gateway = await startGateway(t, daemon.address);
  const page = await openPage(t, browser, gateway.url);
  await openAdmin(page);
  for (const name of ['Reload mnist', 'Roll back mnist', 'Reload other', 'Roll back other'])
    assert.equal(await page.getByRole('button', {name, exact: true}).count(), 1, name);
  await page.waitForSelector('.trainings >> text=Nothing has been trained yet.');
  await page.waitForSelector('.reviews >> text=None wait.');
  await page.evaluate(() => {
    window.touched = 0;
    new MutationObserver(() => ++window.touched).observe(document.querySelector('#admin'),
      {subtree: true, childList: true, characterData: true, attributes: true});
    getSelection().selectAllChildren(document.querySelector('.versions code'));
  });
  await page.focus('[data-action="reload other"]');
  const refreshes = () => page.requests.filter(url => url.includes('/v1/trainings')).length;
  for (const before = refreshes(); refreshes() < before + 2;) await page.waitForRequest(/\/v1\/trainings/);
  assert.equal(await page.evaluate(() => window.touched), 0);
  assert.equal(await page.evaluate(() => getSelection().toString()), await page.locator('.versions code').first().textContent());
  assert.equal(await focused(page), 'Reload other');

  await page.selectOption('#train-model', 'other');
  await page.fill('#train-data', 'mine');
  await page.fill('#train-epochs', '7');
  await page.check('#train-corrections');
  await page.selectOption('#train-promote', 'PROMOTE_NEVER');
  await page.click('#language');
  assert.equal(await page.locator('#train').textContent(), '开始训练');
  assert.deepEqual(await page.evaluate(() => ['model', 'data', 'epochs', 'promote'].map(n => document.getElementById(`train-${n}`).value)),
    ['other', 'mine', '7', 'PROMOTE_NEVER']);
  assert.equal(await page.isChecked('#train-corrections'), true);
  assert.equal(await page.isChecked('#train-fine-tune'), false);
  assert.equal(await page.locator('#train-promote option:checked').textContent(), '不上线');
  await quiet(page);
});

test('without a daemon the admin tab says so in its own words, and goes on by itself when it is back', async t => {
  const state = scratch();
  const daemon = await startDaemon(t, {state});
  const gateway = await startGateway(t, daemon.address);
  const page = await openPage(t, browser, gateway.url, {locale: 'zh-CN'});
  await daemon.stop();
  await page.click('#tab-admin');
  const lost = page.locator('#admin .notice', {hasText: /^连接不到服务器。本页会不断重试，恢复后自动继续。$/});
  await lost.nth(2).waitFor();  // in each section
  await page.waitForSelector('#status[data-state=offline]');
  assert.doesNotMatch(await page.locator('#admin').innerText(), /digitd|还没有训练过|没有待审核/);
  await page.screenshot({path: `${SHOTS}/admin-offline.png`, fullPage: true});
  await startDaemon(t, {state, listen: daemon.address});
  await page.waitForSelector('#admin .models article');
  await page.waitForSelector('.trainings >> text=还没有训练过');
  await page.waitForSelector('.reviews >> text=没有待审核的更正');
  await page.waitForSelector('#status[data-state=online]');
  assert.equal(await lost.count(), 0);
  await quiet(page, /status of 50[234]/);
});

test('a broken model file is refused, and what was live goes on', async t => {
  const model = `${scratch()}/mnist.pt`;
  copyFileSync(MODEL, model);
  const {gateway} = await startBoth(t, {model}, '--watch', 'false');
  const page = await openPage(t, browser, gateway.url);
  await openAdmin(page);
  writeFileSync(model, 'no model');
  await page.click('text=Reload');
  await notice(page, /^That did not work: .*mnist\.pt/);
  assert.match(await page.locator('#admin .notice [lang=en]').textContent(), /^[^:]*mnist\.pt/);
  assert.equal(await page.locator('.versions .badge[data-state=MODEL_STATE_LIVE]').count(), 1);
});

test('corrections are reviewed', async t => {
  const {gateway} = await startBoth(t);
  const page = await openPage(t, browser, gateway.url);
  for (const digit of [1, 7]) {
    await drawWithMouse(page, generated(digit, 0));
    await outcome(page);
    await page.locator('#labels button').nth(4).click();
    await page.waitForFunction(() => /Stored/.test(document.getElementById('correct-notice').textContent));
    await page.click('#clear');
  }
  await openAdmin(page);
  await page.waitForSelector('.reviews canvas');
  assert.deepEqual(await page.locator('.reviews li .facts').allTextContents(),
    ['said to be 4 · answered 7', 'said to be 4 · answered 1']);
  await page.screenshot({path: `${SHOTS}/admin-reviews.png`, fullPage: true});
  await page.locator('.reviews >> text=Accept').first().click();
  await page.waitForFunction(() => document.querySelectorAll('.reviews canvas').length === 1);
  await page.locator('.reviews >> text=Reject').first().click();
  await page.waitForSelector('.reviews >> text=None wait.');
  assert.equal(await focused(page), 'Corrections to review');
  await quiet(page, /status of 422/);
});

test('the token is asked for in the page\'s words, opens every section at once and is kept in memory only', async t => {
  const path = `${scratch()}/token`;
  writeFileSync(path, TOKEN, {mode: 0o600});
  const {gateway} = await startBoth(t, {}, '--admin-token-file', path);
  const page = await openPage(t, browser, gateway.url);
  await openAdmin(page);
  await page.click('text=Reload');
  const wanted = page.locator('#admin .notice', {hasText: /^For admins: enter the admin token above\.$/});
  await wanted.nth(1).waitFor();  // of the reload and the corrections
  await page.click('#language');
  assert.equal(await page.locator('#reviews-title ~ .notice').textContent(), '仅限管理员：请在上方输入管理员令牌。');
  await page.screenshot({path: `${SHOTS}/admin-token.png`, fullPage: true});
  await page.click('#language');
  await page.fill('#token', '令牌');
  await page.waitForSelector('#token[aria-invalid=true]');
  await assertAccessible(page);
  await notice(page, /^An admin token is made of printable ASCII/);
  assert.match(await page.locator('#token-hint').textContent(), /printable ASCII/);
  await page.fill('#token', 'not-the-token');
  await notice(page, /^For admins: the token above is not the admin token\.$/);
  await page.fill('#token', TOKEN);
  await page.press('#token', 'Enter');  // sends nothing anywhere
  await page.waitForSelector('.reviews >> text=None wait.');
  assert.equal(await page.locator('#admin .notice', {hasText: 'For admins'}).count(), 0);
  await page.click('text=Reload');
  await notice(page, /^The file has not changed/);
  const stored = await page.evaluate(() => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href]));
  assert.ok(!stored.includes(TOKEN), stored);
  await quiet(page, /status of 40[13]/);
});

const post = (url, message) => fetch(url, {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(message)});
// The trainings that the page follows.
const followed = page => page.evaluate(() => window.seen.sources.filter(source => source.readyState !== 2)
  .map(source => source.url.split('/').at(-1)));

test('of many trainings one is followed live: the page goes on, and a tab that is hidden or left follows none', async t => {
  const data = scratch();
  writePart(data, 3000);
  const {gateway} = await startBoth(t, {}, '--data-dir', data);
  const ids = [];
  for (let i = 0; i < 8; ++i) {
    const started = await post(`${gateway.url}/v1/models/mnist:train`, {data_set: 'part', epochs: 1000});
    ids.push((await started.json()).id);
  }
  const page = await openPage(t, browser, gateway.url);
  await openAdmin(page);
  await page.waitForFunction(() => {
    const training = document.querySelector('.training:last-child');
    return training?.querySelector('.badge').dataset.state === 'TRAINING_STATE_RUNNING' &&
      /Epoch \d+ of 1000/.test(training.textContent) && training.querySelector('.chart .point');
  });
  assert.deepEqual(await page.locator('.training h3 code').allTextContents(), [...ids].reverse());
  assert.deepEqual(await followed(page), [ids[0]]);
  await page.screenshot({path: `${SHOTS}/admin-queue.png`, fullPage: true});

  await post(`${gateway.url}/v1/trainings/${ids[0]}:cancel`, {});
  await page.waitForFunction(id => window.seen.sources.at(-1).url.endsWith(id), ids[1]);  // the next one
  assert.deepEqual(await followed(page), [ids[1]]);

  const hide = hidden => page.evaluate(hidden => {
    Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
  for (const goAway of [() => hide(true), () => page.click('#tab-draw')]) {
    const held = await new Promise(found => page.route('**/v1/trainings?*', found, {times: 1}));  // of a refresh
    await goAway();
    assert.deepEqual(await followed(page), []);
    const answered = page.waitForResponse(/\/v1\/trainings\?/);
    await held.continue();
    await (await answered).finished();
    await page.evaluate(() => fetch('/healthz').then(answer => answer.text()));  // by now the page has taken it
    assert.deepEqual(await followed(page), []);
    await hide(false);
    if (await page.locator('#admin').isHidden()) break;
    await page.waitForFunction(() => window.seen.sources.at(-1).readyState === 1);
    assert.deepEqual(await followed(page), [ids[1]]);
  }
  await drawWithMouse(page, generated(7, 0));
  assert.equal((await outcome(page)).label, '7');
  assert.deepEqual(await followed(page), []);
  await quiet(page, /status of 422/);
});

test('a rollback names the version that came back, and the model takes no other call meanwhile', async t => {
  const model = `${scratch()}/mnist.pt`;
  copyFileSync(MODEL, model);
  const {gateway} = await startBoth(t, {model}, '--watch', 'false');
  const renew = async seed => {  // another version goes live
    writeVersion(model, seed);
    const answer = await (await post(`${gateway.url}/v1/models/mnist:reload`, {force: true})).json();
    return answer.model.versions.find(v => v.state === 'MODEL_STATE_LIVE').version;
  };
  const second = await renew(2);
  const page = await openPage(t, browser, gateway.url);
  await openAdmin(page);
  let disabled = null;
  await page.route('**/v1/models/mnist:rollback', async route => {
    await renew(3);  // behind the page's back
    disabled = await page.locator('.models button').evaluateAll(buttons => buttons.map(button => button.disabled));
    await route.continue();
  });
  await page.click('text=Roll back');
  await page.click('dialog[open] button.main');
  await notice(page, new RegExp(`is back at version ${second}`));
  assert.deepEqual(disabled, [true, true]);
  assert.equal(await page.locator('[data-action="reload mnist"]').isEnabled(), true);
  assert.equal(await focused(page), 'Reload mnist');
  await quiet(page);
});

test('a double click asks for more corrections once, and accepts one', async t => {
  const {gateway} = await startBoth(t);
  const digits = readFileSync(`${ROOT}data/mnist/t10k-images-idx3-ubyte`).subarray(16);
  const given = [];
  for (let i = 0; i < 15; ++i) {  // a page has 12
    const image = Buffer.concat([Buffer.from('P5 28 28 255\n'), digits.subarray(784 * i, 784 * (i + 1))]).toString('base64');
    const answer = await post(`${gateway.url}/v1/models/mnist/feedback`, {image, label: '4'});
    given.push(answer.status);
  }
  assert.deepEqual(new Set(given), new Set([200]));
  const page = await openPage(t, browser, gateway.url);
  await openAdmin(page);
  await page.waitForFunction(() => document.querySelectorAll('.reviews canvas').length === 12);
  const more = page.waitForResponse(/page_token=./);
  await page.dblclick('text=More');
  await (await more).finished();
  await page.waitForSelector('text=More', {state: 'hidden'});
  assert.equal(await page.locator('.reviews canvas').count(), 15);
  let asked = 0;
  page.on('request', request => (asked += request.url().endsWith(':review')));
  await page.locator('.reviews >> text=Accept').first().dblclick();
  await page.waitForFunction(() => document.querySelectorAll('.reviews canvas').length === 12);  // from the start again
  assert.equal(asked, 1);
  await page.evaluate(() => {
    window.before = document.querySelector('.reviews canvas');
    const [accept, reject, next] = document.querySelectorAll('.reviews li button');
    accept.click();
    reject.click();
    next.dispatchEvent(new MouseEvent('click', {detail: 2, bubbles: true}));  // where another picture has moved up meanwhile
  });
  await page.waitForFunction(() => window.before !== document.querySelector('.reviews canvas'));
  assert.equal(asked, 2);
  const {feedback} = await (await fetch(`${gateway.url}/v1/feedback?state=ACCEPTED`)).json();
  assert.equal(feedback.length, 2);
  await quiet(page);
});

test('a list that comes late does not take the place of a newer one', async t => {
  const model = `${scratch()}/mnist.pt`;
  copyFileSync(MODEL, model);
  const {gateway} = await startBoth(t, {model}, '--watch', 'false');
  const page = await openPage(t, browser, gateway.url);
  await openAdmin(page);
  const versions = () => page.locator('.versions code').allTextContents();
  const before = await versions();
  const held = await new Promise(found => page.route('**/v1/models', found, {times: 1}));  // of a refresh
  const late = await held.fetch();
  writeVersion(model);
  await page.click('text=Reload');
  await notice(page, /^mnist \w+ is live/);
  const after = await versions();
  assert.notDeepEqual(after, before);
  const answered = page.waitForResponse(response => response.request() === held.request());
  await held.fulfill({response: late});
  await (await answered).finished();
  await page.evaluate(() => fetch('/healthz').then(answer => answer.text()));  // by now the page has taken it
  assert.deepEqual(await versions(), after);
  await quiet(page);
});
