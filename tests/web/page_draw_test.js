// Every digit, drawn by mouse, touch, pen and keyboard at several pixel ratios, as the real network reads it.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {drawWithMouse, drawWithPen, drawWithTouch, inkOf, openPage, outcome, quiet, startBrowser, waitForAnswer, waitForState} from './browser.js';
import {generated, star, traced} from './digits.js';
import {startBoth, wholeFile} from './programs.js';

const PHONE = {viewport: {width: 320, height: 640}, deviceScaleFactor: 3, hasTouch: true, isMobile: true, locale: 'zh-CN'};
const DRAWN = [
  ['mouse, pixel ratio 1', drawWithMouse, digit => generated(digit, 0), {}],
  ['mouse, skeletons of MNIST', drawWithMouse, traced, {}],
  ['touch, phone, pixel ratio 3', drawWithTouch, digit => generated(digit, 1), PHONE],
  ['pen, dark, pixel ratio 2', drawWithPen, digit => generated(digit, 2), {deviceScaleFactor: 2, colorScheme: 'dark'}],
];

const file = wholeFile(test);
const {gateway} = await startBoth(file);
const browser = await startBrowser(file);

for (const [how, draw, strokesOf, options] of DRAWN) {
  test(`every digit by ${how}`, async t => {
    const page = await openPage(t, browser, gateway.url, options);
    const read = [];
    const times = [];
    for (let digit = 0; digit < 10; ++digit) {
      await draw(page, strokesOf(digit));
      const {label, milliseconds} = await outcome(page);
      read.push(label);
      times.push(milliseconds);
      if (digit < 9) await page.click('#clear');
    }
    const right = read.filter((label, digit) => label === String(digit)).length;
    times.sort((a, b) => a - b);
    t.diagnostic(`read ${read.join(' ')}; on screen after pen-up: median ${times[5].toFixed(1)} ms, worst ${times[9].toFixed(1)} ms`);
    assert.ok(right >= 9, `${right} of 10 right: ${read}`);
    const sharp = await page.evaluate(() => {
      const sheet = document.getElementById('sheet');
      return {side: sheet.width, wanted: Math.round(sheet.clientWidth * devicePixelRatio), scrolled: scrollY};
    });
    assert.deepEqual(sharp, {side: sharp.wanted, wanted: sharp.wanted, scrolled: 0});  // drawing has not moved the page
    await quiet(page, /status of 422/);
  });
}

test('the answer comes while the pen is down, with one call at a time', async t => {
  const page = await openPage(t, browser, gateway.url);
  const box = await page.locator('#sheet').boundingBox();
  await page.mouse.move(box.x + 200, box.y + 60);
  await page.mouse.down();
  for (let y = 60; y <= 340; y += 4) await page.mouse.move(box.x + 200, box.y + y);
  await waitForAnswer(page, '1');
  assert.equal(await page.evaluate(() => document.getElementById('live').textContent.includes('1,')), false);  // not yet said
  await page.mouse.up();
  assert.match((await outcome(page)).text, /^1, >?\d+\.\d%, Confident$/);
  assert.equal(await page.evaluate(() => window.seen.most), 1);
  const bars = await page.locator('#bars tr').allInnerTexts();
  assert.equal(bars.length, 10);
  assert.match(bars[1], /^1\s+>?(9\d|100)\.\d%$/);
  assert.equal(await page.locator('#bars tr.best th').innerText(), '1');
  await quiet(page, /status of 422/);
});

test('pressure makes the line wider', async t => {
  const page = await openPage(t, browser, gateway.url);
  const devtools = await page.context().newCDPSession(page);
  const line = async force => {
    const box = await page.locator('#sheet').boundingBox();
    const send = (type, y) => devtools.send('Input.dispatchMouseEvent', {type, x: box.x + 200, y: box.y + y, force,
      pointerType: 'pen', button: type === 'mouseMoved' ? 'none' : 'left', buttons: type === 'mouseReleased' ? 0 : 1, clickCount: 1});
    await send('mousePressed', 60);
    for (let y = 70; y <= 340; y += 10) await send('mouseMoved', y);
    await send('mouseReleased', 340);
    await outcome(page);
    const drawn = await inkOf(page);
    await page.click('#clear');
    return drawn;
  };
  const [light, strong] = [await line(0.1), await line(0.9)];
  assert.ok(strong > 1.5 * light, `${light} ${strong}`);
});

test('a star is no digit', async t => {
  const page = await openPage(t, browser, gateway.url);
  await drawWithMouse(page, star());
  const {state, text} = await outcome(page);
  assert.equal(state, 'not_a_digit', text);
  assert.match(text, /^This does not look like a digit, Closest: \d, /);
});

test('undo, clear and the history bring drawings back', async t => {
  const page = await openPage(t, browser, gateway.url);
  const label = () => page.locator('#label').textContent();
  await drawWithMouse(page, generated(1, 0));
  assert.equal((await outcome(page)).label, '1');
  await page.click('#clear');
  assert.equal(await label(), '');
  await page.click('#undo');
  await waitForAnswer(page, '1');
  await page.keyboard.press('Control+z');
  assert.equal(await page.locator('#headline').getAttribute('data-state'), 'blank');
  await drawWithMouse(page, generated(3, 0));
  assert.equal((await outcome(page)).label, '3');
  await page.click('#clear');
  await drawWithMouse(page, generated(4, 1));
  assert.equal((await outcome(page)).label, '4');
  const kept = page.locator('#history button');
  assert.deepEqual(await kept.allInnerTexts(), ['4', '3', '1']);
  await kept.nth(1).click();
  assert.equal(await label(), '3');
  await page.click('#recognize');  // what is on the sheet is the 3 again
  assert.equal((await outcome(page)).label, '3');
  await page.click('#forget');
  assert.equal(await page.locator('#past').isHidden(), true);
});

test('the focus stays on the page when the button that had it has done its work', async t => {
  const page = await openPage(t, browser, gateway.url);
  const focused = () => page.evaluate(() => document.activeElement.id);
  for (const button of ['clear', 'undo']) {
    await page.evaluate(() => document.activeElement.blur());
    await drawWithMouse(page, generated(1, 0));
    await outcome(page);
    await page.focus(`#${button}`);
    await page.keyboard.press('Enter');
    if (button === 'clear') assert.equal(await focused(), 'sheet');
    for (let i = 0; i < 9 && (await page.locator('#undo').isEnabled()); ++i) await page.click('#undo');
    assert.equal(await focused(), 'sheet');
  }
  await page.focus('#forget');
  await page.keyboard.press('Enter');
  assert.equal(await focused(), 'sheet');
});

test('what is nearly certain is not called certain', async t => {
  const page = await openPage(t, browser, gateway.url);
  const said = await page.evaluate(async () => {
    const {percent} = await import('/web/i18n.js');
    return [1, 0.9997, 0.9994, 0.5, 0.0001, 0].map(percent);
  });
  assert.deepEqual(said, ['100.0%', '>99.9%', '99.9%', '50.0%', '0.0%', '0.0%']);  // as digitctl
});

test('everything by keyboard', async t => {
  const page = await openPage(t, browser, gateway.url);
  const focused = () => page.evaluate(() => document.activeElement.id);
  for (let i = 0; i < 10 && (await focused()) !== 'sheet'; ++i) await page.keyboard.press('Tab');
  assert.equal(await focused(), 'sheet');
  const outlined = await page.evaluate(() => getComputedStyle(document.querySelector('.sheet')).outlineStyle);
  assert.equal(outlined, 'solid');
  const go = async (times, ...keys) => {  // all keys held: a diagonal
    for (const key of keys.slice(0, -1)) await page.keyboard.down(key);
    for (let i = 0; i < times; ++i) await page.keyboard.down(keys.at(-1));
    for (const key of keys) await page.keyboard.up(key);
  };
  await go(10, 'ArrowLeft');
  await page.keyboard.press(' ');
  assert.equal(await page.locator('#live').textContent(), 'Pen down');
  await go(18, 'ArrowRight');
  await go(11, 'ArrowLeft', 'ArrowDown');
  await go(14, 'ArrowDown');
  await page.keyboard.press(' ');
  await waitForAnswer(page, '7');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => /^7, /.test(document.getElementById('live').textContent));
  await page.keyboard.press('Backspace');
  assert.equal(await page.locator('#headline').getAttribute('data-state'), 'blank');
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Enter');  // the language
  assert.equal(await page.locator('#recognize').textContent(), '识别');
  await page.keyboard.press('Shift+Tab');
  assert.equal(await focused(), 'tab-draw');
  await page.keyboard.press('ArrowRight');
  await page.waitForSelector('#admin .models article');
  assert.equal(await focused(), 'tab-admin');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'token');
  await quiet(page);
});

// Puts fingers down, moves and lifts them at points in shares of the sheet.
async function fingers(page) {
  const devtools = await page.context().newCDPSession(page);
  const box = await page.locator('#sheet').boundingBox();
  return (type, ...points) => devtools.send('Input.dispatchTouchEvent',
    {type, touchPoints: points.map(([x, y]) => ({x: box.x + x * box.width, y: box.y + y * box.height, id: 1}))});
}

test('undo in the middle of a stroke takes back that stroke alone, and lifts the pen of the keys; Caps Lock is no matter', async t => {
  const page = await openPage(t, browser, gateway.url, {hasTouch: true});
  const touch = await fingers(page);
  await drawWithMouse(page, generated(1, 0));
  await outcome(page);
  const before = await inkOf(page);
  await touch('touchStart', [0.1, 0.1]);
  await touch('touchMove', [0.9, 0.1]);
  assert.ok((await inkOf(page)) > before);
  await page.keyboard.press('Control+z');
  await touch('touchMove', [0.9, 0.9]);
  await touch('touchCancel');
  assert.equal(await inkOf(page), before);
  await page.keyboard.press('Control+Z');  // without Shift that is Caps Lock
  await waitForState(page, 'blank');

  const spoken = () => page.locator('#live').textContent();
  await page.focus('#sheet');
  await page.keyboard.press(' ');
  assert.equal(await spoken(), 'Pen down');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Control+z');
  await waitForState(page, 'blank');
  await page.keyboard.press(' ');
  assert.equal(await spoken(), 'Pen down');
  for (let i = 0; i < 30; ++i) await page.keyboard.press('ArrowDown');
  await page.keyboard.press(' ');
  await waitForAnswer(page, '1');
  await quiet(page, /status of 422|willReadFrequently/);
});

test('a hand whose end is not told leaves the sheet alive', async t => {
  const page = await openPage(t, browser, gateway.url);
  const box = await page.locator('#sheet').boundingBox();
  const sheet = (x, y) => page.mouse.move(box.x + x * box.width, box.y + y * box.height);
  await page.evaluate(() => document.getElementById('sheet').addEventListener('pointerdown', e => (window.pointer = e.pointerId)));
  await sheet(0.2, 0.2);
  await page.mouse.down();
  await sheet(0.2, 0.8);
  await page.evaluate(() => document.getElementById('sheet').releasePointerCapture(window.pointer));
  await page.mouse.move(5, 5);
  await page.mouse.up();  // not over the sheet
  const drawn = await inkOf(page);
  await sheet(0.4, 0.2);
  await sheet(0.4, 0.8);
  assert.equal(await inkOf(page), drawn);  // nothing is held down
  await page.click('#clear');

  await page.evaluate(() => {
    for (const type of ['pointerup', 'lostpointercapture']) addEventListener(type, e => window.deaf && e.stopPropagation(), true);
    window.deaf = true;
  });
  await sheet(0.5, 0.5);
  await page.mouse.down();
  await page.mouse.up();
  await page.evaluate(() => (window.deaf = false));
  await drawWithMouse(page, generated(1, 0));
  await outcome(page);
  await page.click('#undo');  // two strokes, and not one that goes on
  assert.ok((await inkOf(page)) > 0);
  assert.ok((await inkOf(page)) < drawn);
  await page.click('#undo');
  await waitForState(page, 'blank');
});

test('a pen takes over from a palm that landed first', async t => {
  const page = await openPage(t, browser, gateway.url, {hasTouch: true});
  const touch = await fingers(page);
  await touch('touchStart', [0.9, 0.9]);
  await touch('touchMove', [0.8, 0.9]);
  await drawWithPen(page, generated(7, 0));
  await touch('touchMove', [0.1, 0.9]);
  await touch('touchEnd');
  await waitForAnswer(page, '7');
  await page.click('#undo');
  await waitForState(page, 'blank');  // the palm has left nothing
});
