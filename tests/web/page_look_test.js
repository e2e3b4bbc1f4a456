// How the page looks: screenshots in DIGIT_SHOTS for people to look at, axe-core, nothing cut off, and its weight.
import assert from 'node:assert/strict';
import {statSync} from 'node:fs';
import {test} from 'node:test';
import {assertAccessible, assertNothingSticksOut, drawWithMouse, drawWithTouch, newPage, openPage, outcome, quiet, startBrowser,
  waitForState} from './browser.js';
import {generated, star, traced} from './digits.js';
import {MODEL, ROOT, SHOTS, startBoth, startDaemon, startGateway, wholeFile} from './programs.js';

const MAX_FIRST_LOAD_BYTES = 120000;
const MAX_README_PICTURE_BYTES = 100000;

const file = wholeFile(test);
const {gateway} = await startBoth(file);
const browser = await startBrowser(file);

const DESK = {viewport: {width: 1180, height: 900}};
const PHONE = {viewport: {width: 320, height: 640}, deviceScaleFactor: 2, hasTouch: true, isMobile: true};
const LOOKS = [];
for (const [device, options] of [['desk', DESK], ['phone', PHONE]])
  for (const colorScheme of ['light', 'dark'])
    for (const locale of ['en-GB', 'zh-CN'])
      LOOKS.push([`${device}-${colorScheme}-${locale.slice(0, 2)}`, {...options, colorScheme, locale}]);

// Once nothing moves any more.
async function shoot(page, name, options = {fullPage: true}) {
  await page.evaluate(() => Promise.all(document.getAnimations().filter(a => a.effect.getTiming().iterations === 1)
    .map(a => a.finished.catch(() => {}))));
  await page.screenshot({path: `${SHOTS}/${name}.png`, ...options});
}

// One of each: an answer, what is no digit, an error, the admin tab.
for (const [name, options] of LOOKS) {
  test(`${name}: nothing is cut off, axe-core finds nothing serious`, async t => {
    const page = await openPage(t, browser, gateway.url, options);
    const check = async state => {
      await shoot(page, `${name}-${state}`);
      await assertNothingSticksOut(page);
      await assertAccessible(page);
    };
    await waitForState(page, 'blank');
    await check('blank');
    for (const digit of [2, 5, 8]) {
      await page.evaluate(() => document.getElementById('clear').click());
      await drawWithMouse(page, traced(digit));
      await outcome(page);
    }
    await check('answer');
    await page.evaluate(() => document.getElementById('clear').click());
    await drawWithMouse(page, star());
    assert.equal((await outcome(page)).state, 'not_a_digit');
    await check('no-digit');
    await page.setInputFiles('#open', `${ROOT}README.md`);
    await waitForState(page, 'undecodable');
    await check('undecodable');
    await page.click('#camera');
    await page.waitForFunction(() => document.getElementById('camera-notice').textContent !== '');
    await check('camera');
    await page.click('#camera-close');
    await page.click('#tab-admin');
    await page.waitForSelector('#admin .models article');
    await check('admin');
    await quiet(page, /status of 4(00|22)/);
  });
}

test('offline and busy', async t => {
  const daemon = await startDaemon(t);
  const here = await startGateway(t, daemon.address);
  const page = await openPage(t, browser, here.url);
  await daemon.stop('SIGKILL');
  await drawWithMouse(page, generated(6, 2));
  await waitForState(page, 'offline');
  await shoot(page, 'offline');
  await assertAccessible(page);
  const crowded = await openPage(t, browser, gateway.url);
  await crowded.route('**/*:recognize*', route => route.fulfill({status: 429, headers: {'Retry-After': '30'}, body: '{}'}));
  await drawWithMouse(crowded, generated(6, 2));
  await waitForState(crowded, 'overload');
  await shoot(crowded, 'busy');
  await assertAccessible(crowded);
});

test('two models: one is chosen, and its labels are the bars', async t => {
  const daemon = await startDaemon(t, {}, '--model', `other=${MODEL}`);
  const here = await startGateway(t, daemon.address);
  const page = await openPage(t, browser, here.url, PHONE);
  await page.selectOption('#model', 'other');
  await drawWithMouse(page, generated(4, 0));
  assert.equal((await outcome(page)).label, '4');
  assert.match(await page.locator('#meta').textContent(), /^other /);
  await assertNothingSticksOut(page);
  await shoot(page, 'two-models');
});

const sides = page => page.evaluate(() => ['.result', '.seen', '#bars', '.headline', '.sheet', '#labels'].map(name => {
  const {left, right, height} = document.querySelector(name).getBoundingClientRect();
  return {name, left, right, height};
}));

test('between one column and two nothing leaves its column', async t => {
  for (const locale of ['en-GB', 'zh-CN']) {
    const page = await openPage(t, browser, gateway.url, {viewport: {width: 836, height: 900}, locale});
    for (const strokes of [generated(3, 0), star()]) {
      await page.evaluate(() => document.getElementById('clear').click());
      await drawWithMouse(page, strokes);
      await outcome(page);
      for (const width of [831, 833, 836, 840, 900]) {
        await page.setViewportSize({width, height: 900});
        const [result, ...parts] = await sides(page);
        for (const {name, right} of parts) assert.ok(right <= Math.min(result.right + 0.5, width - 16), `${name} at ${width}: ${right}`);
        await assertNothingSticksOut(page);
      }
    }
    await page.setViewportSize({width: 836, height: 900});
    await shoot(page, `narrow-desk-${locale.slice(0, 2)}`);
  }
});

test('thanks for a correction push nothing away, and what was chosen is seen', async t => {
  for (const [name, options] of [['phone', {...PHONE, viewport: {width: 390, height: 844}, colorScheme: 'dark'}], ['desk', DESK]]) {
    const page = await openPage(t, browser, gateway.url, {...options, locale: 'zh-CN'});
    await drawWithMouse(page, generated(3, 0));
    await outcome(page);
    const top = () => page.evaluate(() => document.getElementById('history').getBoundingClientRect().top + scrollY);
    const before = await top();
    await page.locator('#labels button').nth(5).click();
    await page.waitForFunction(() => document.getElementById('correct-notice').textContent.includes('号'));
    assert.equal(await top(), before);
    await shoot(page, `${name}-corrected`);
    await assertAccessible(page);
  }
});

test('a button that a finger has touched does not stay coloured', async t => {
  const page = await openPage(t, browser, gateway.url, PHONE);
  await drawWithTouch(page, generated(4, 0));  // of two strokes, so that undo stays enabled
  await outcome(page);
  const colour = name => page.evaluate(name => getComputedStyle(document.getElementById(name)).borderColor, name);
  await page.tap('#undo');
  await page.waitForFunction(() => document.getAnimations().length === 0);
  assert.equal(await page.locator('#undo').isEnabled(), true);
  assert.equal(await colour('undo'), await colour('camera'));
});

test('on low windows the sheet is lower than the window', async t => {
  for (const viewport of [{width: 844, height: 390}, {width: 640, height: 360}]) {
    const page = await openPage(t, browser, gateway.url, {viewport});
    const {height} = (await sides(page)).find(({name}) => name === '.sheet');
    assert.ok(height <= 0.75 * viewport.height, `${height} of ${viewport.height}`);
    await drawWithMouse(page, generated(2, 0));
    assert.equal((await outcome(page)).label, '2');
    await shoot(page, `low-${viewport.width}`);
  }
});

test('with forced colours the bars and the dot are seen', async t => {
  const page = await openPage(t, browser, gateway.url, {forcedColors: 'active'});
  await drawWithMouse(page, generated(2, 0));
  await outcome(page);
  const colours = await page.evaluate(() => {
    const ground = getComputedStyle(document.body).backgroundColor;
    return ['.best .fill', '.status .dot'].map(name => getComputedStyle(document.querySelector(name)).backgroundColor !== ground);
  });
  assert.deepEqual(colours, [true, true]);
  await shoot(page, 'forced-colours');
});

test('the table reads the same to everybody: a class and its probability in each row', async t => {
  const page = await openPage(t, browser, gateway.url);
  await drawWithMouse(page, generated(2, 0));
  await outcome(page);
  const table = page.getByRole('table', {name: 'Probabilities'});
  assert.deepEqual(await table.getByRole('columnheader').allTextContents(), ['Class', 'Probability']);
  for (const row of (await table.getByRole('row').all()).slice(1)) {
    assert.equal(await row.getByRole('rowheader').count(), 1);
    assert.match((await row.getByRole('cell').allTextContents()).join('|'), /^>?\d+\.\d%$/);
  }
});

test('the page leads to the API, without JavaScript as well', async t => {
  const page = await openPage(t, browser, gateway.url);
  await page.getByRole('link', {name: 'API for programs'}).click();
  await page.waitForURL(`${gateway.url}/docs`);
  const plain = await openPage(t, browser, gateway.url, {javaScriptEnabled: false, wait: null});
  const top = name => plain.locator(name).first().boundingBox().then(box => box.y);
  assert.ok((await top('.noscript')) < (await top('header')));
  assert.equal(await plain.locator('.noscript a').first().getAttribute('href'), '/docs');
  await shoot(plain, 'no-javascript');
});

test('the first load is light and comes from the gateway alone', async t => {
  const page = await newPage(t, browser);
  const sizes = [];
  page.on('response', response => sizes.push(response.body().then(body => [response.url(), body.length])));
  await page.goto(gateway.url);
  await page.waitForSelector('#status[data-state=online]');
  await page.waitForLoadState('networkidle');
  const loaded = await Promise.all(sizes);
  const total = loaded.reduce((sum, [, bytes]) => sum + bytes, 0);
  t.diagnostic(`first load: ${total} bytes in ${loaded.length} answers, not compressed`);
  assert.ok(total < MAX_FIRST_LOAD_BYTES, loaded.join('\n'));
  assert.deepEqual(loaded.map(([url]) => url).filter(url => !url.startsWith(`${gateway.url}/`)), []);
});

test('both languages say everything', async t => {
  const page = await openPage(t, browser, gateway.url);
  const words = await page.evaluate(async () => (await import('/web/words.js')).words);
  assert.deepEqual(Object.keys(words.zh), Object.keys(words.en));
  for (const key of Object.keys(words.en)) {
    const names = text => [...text.matchAll(/\{\w+\}/g)].map(String).sort();
    assert.deepEqual(names(words.zh[key]), names(words.en[key]), key);
    assert.doesNotMatch(words.zh[key], /[\u4e00-\u9fff][,:;?!]/, `${key}: half-width punctuation`);
  }
});

// docs/page.png is a copy of page.png of this test: cp build/release/tests/web/shots/page.png docs/
test('the picture for the README', async t => {
  const page = await openPage(t, browser, gateway.url, {viewport: {width: 1060, height: 920}});
  for (const strokes of [generated(3, 2), traced(6), generated(5, 1), generated(9, 1), generated(8, 0), generated(2, 1)]) {
    await page.evaluate(() => document.getElementById('clear').click());
    await drawWithMouse(page, strokes);
    await outcome(page);
  }
  await page.mouse.move(5, 5);
  await page.evaluate(() => document.activeElement.blur());
  await shoot(page, 'page', {});
  assert.ok(statSync(`${SHOTS}/page.png`).size < MAX_README_PICTURE_BYTES);
  assert.ok(statSync(`${ROOT}docs/page.png`).size < MAX_README_PICTURE_BYTES);
});
