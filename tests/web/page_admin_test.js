// The admin tab with a real training, a rollback, corrections to review, and the token.
import assert from 'node:assert/strict';
import {copyFileSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {test} from 'node:test';
import {assertAccessible, drawWithMouse, openPage, outcome, quiet, startBrowser} from './browser.js';
import {generated} from './digits.js';
import {MODEL, ROOT, SHOTS, scratch, startBoth, wholeFile} from './programs.js';

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
  source => [...document.querySelectorAll('#admin .notice')].some(e => new RegExp(source).test(e.textContent)), pattern.source,
  {timeout: 60000});

test('training is followed live, goes live and is rolled back', async t => {
  const data = scratch(t);
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
  await page.waitForSelector('.training .badge[data-state=TRAINING_STATE_RUNNING]', {timeout: 60000});
  await page.waitForFunction(() => /Epoch \d of 3/.test(document.querySelector('.training').textContent));
  await page.waitForSelector('.training .chart .point', {timeout: 120000});  // before the training has ended
  assert.equal(await page.locator('.training .badge').getAttribute('data-state'), 'TRAINING_STATE_RUNNING');
  await page.waitForSelector('.training .badge[data-state=TRAINING_STATE_DONE]', {timeout: 120000});
  assert.equal(await page.locator('.training .chart .point').count(), 3);
  assert.match(await page.locator('.training .chart').getAttribute('aria-label'), /^Accuracy by epoch: 1: \d\d\.\d%, 2: .*, 3: /);
  await page.waitForFunction(before => {
    const live = document.querySelector('.versions .badge[data-state=MODEL_STATE_LIVE]');
    return live && live.previousElementSibling.textContent !== before;
  }, before);
  await assertAccessible(page);
  await page.screenshot({path: `${SHOTS}/admin-trained.png`, fullPage: true});

  await page.click('text=Roll back');
  await page.waitForSelector('dialog[open] >> text=back to version');
  await page.keyboard.press('Escape');  // not yet
  assert.equal(await page.locator('dialog[open]').count(), 0);
  await page.click('text=Roll back');
  await page.click('dialog[open] button.main');
  await notice(page, new RegExp(`is back at version ${before}`));
  assert.match(await page.locator('#status-text').textContent(), new RegExp(before));  // the other tab knows, too
  await quiet(page);
});

test('a training that cannot be is refused in words, one that runs can be cancelled', async t => {
  const data = scratch(t);
  writePart(data, 3000);
  const {gateway} = await startBoth(t, {}, '--data-dir', data);
  const page = await openPage(t, browser, gateway.url);
  await openAdmin(page);
  await page.fill('#train-data', 'no-such-set');
  await page.click('#train');
  await notice(page, /^That did not work: .*no-such-set/);
  await page.fill('#train-data', 'part');
  await page.fill('#train-epochs', '500');
  await page.press('#train-epochs', 'Enter');
  await page.click('.training button');
  await page.waitForSelector('.training .badge[data-state=TRAINING_STATE_CANCELLED]', {timeout: 60000});
  assert.equal(await page.locator('.training button').isHidden(), true);
  await quiet(page, /status of 4\d\d/);
});

test('a broken model file is refused, and what was live goes on', async t => {
  const model = `${scratch(t)}/mnist.pt`;
  copyFileSync(MODEL, model);
  const {gateway} = await startBoth(t, {model}, '--watch', 'false');
  const page = await openPage(t, browser, gateway.url);
  await openAdmin(page);
  writeFileSync(model, 'no model');
  await page.click('text=Reload');
  await notice(page, /^That did not work: .*mnist\.pt/);
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
  await quiet(page, /status of 422/);
});

test('the token is asked for by the daemon and kept in memory only', async t => {
  const path = `${scratch(t)}/token`;
  writeFileSync(path, TOKEN, {mode: 0o600});
  const {gateway} = await startBoth(t, {}, '--admin-token-file', path);
  const page = await openPage(t, browser, gateway.url);
  await openAdmin(page);
  await page.click('text=Reload');
  await notice(page, /^That did not work: .*token/);
  await page.fill('#token', TOKEN);
  await page.press('#token', 'Enter');  // sends nothing anywhere
  await page.click('text=Reload');
  await notice(page, /^The file has not changed/);
  const stored = await page.evaluate(() => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href]));
  assert.ok(!stored.includes(TOKEN), stored);
  await quiet(page, /status of 40[13]/);
});
