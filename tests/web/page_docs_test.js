// The documentation at /docs in the real browser: every path in both languages, under the page's Content-Security-Policy,
// in light and dark, at desk and phone width.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {test} from 'node:test';
import {assertAccessible, assertNothingSticksOut, newPage, startBrowser} from './browser.js';
import {ROOT, SHOTS, startGateway, wholeFile} from './programs.js';

const file = wholeFile(test);
const gateway = await startGateway(file, '127.0.0.1:9');  // the documentation needs no daemon
const browser = await startBrowser(file);
const api = JSON.parse(readFileSync(`${ROOT}client/gateway/web/openapi.json`, 'utf8'));

async function openDocs(t, options = {}, hash = '') {
  const page = await newPage(t, browser, options);
  const faults = [];
  page.on('console', message => ['error', 'warning'].includes(message.type()) && faults.push(message.text()));
  page.on('pageerror', error => faults.push(error.stack));
  page.on('request', request => request.url().startsWith(`${gateway.url}/`) || faults.push(request.url()));
  await page.goto(`${gateway.url}/docs${hash}`);
  await page.waitForSelector('#language:not([hidden])');
  t.after(() => assert.deepEqual(faults, []));  // a refusal by the Content-Security-Policy is an error on the console
  return page;
}

test('every operation and object is there, with this gateway in the commands', async t => {
  const page = await openDocs(t);
  for (const [path, item] of Object.entries(api.paths))
    for (const [method, {operationId, responses}] of Object.entries(item)) {
      const text = await page.locator(`details#${operationId}`).textContent();
      assert.ok(text.includes(`${method.toUpperCase()} ${path}`), operationId);
      for (const status of Object.keys(responses)) assert.ok(text.includes(status === 'default' ? 'other' : status), `${operationId} ${status}`);
    }
  for (const name of Object.keys(api.components.schemas)) assert.equal(await page.locator(`details#${name}`).count(), 1, name);
  const text = await page.locator('main').textContent();
  assert.ok(text.includes(`curl -s --data-binary @seven.png ${gateway.url}/v1/models:recognize`));
  assert.ok(!text.includes('localhost:8080'));
});

test('a link to an object unfolds it', async t => {
  const page = await openDocs(t, {}, '#listModels');
  assert.equal(await page.locator('#listModels').getAttribute('open'), '');
  await page.click('#listModels a[href="#ListModelsResponse"]');
  await page.waitForSelector('#ListModelsResponse[open]');
});

test('the reader chooses the language, and it is remembered', async t => {
  const page = await openDocs(t, {locale: 'zh-CN'});
  assert.match(await page.locator('main').innerText(), /识别图片[^]*所有模型/);
  assert.doesNotMatch(await page.locator('main').innerText(), /Recognise a picture|All models/);
  await page.click('#language');
  assert.match(await page.locator('main').innerText(), /Recognise a picture[^]*All models/);
  await page.reload();
  await page.waitForSelector('#language:not([hidden])');
  assert.equal(await page.locator('html').getAttribute('lang'), 'en');
  assert.doesNotMatch(await page.locator('main').innerText(), /识别图片|所有模型/);
});

const PHONE = {viewport: {width: 320, height: 640}, deviceScaleFactor: 2, hasTouch: true, isMobile: true};
for (const [device, options] of [['desk', {}], ['phone', PHONE]])
  for (const colorScheme of ['light', 'dark'])
    for (const locale of ['en-GB', 'zh-CN'])
      test(`${device}, ${colorScheme}, ${locale}: nothing is cut off, axe-core finds nothing serious`, async t => {
        const page = await openDocs(t, {...options, colorScheme, locale});
        await page.screenshot({path: `${SHOTS}/docs-${device}-${colorScheme}-${locale.slice(0, 2)}.png`, fullPage: true});
        await page.evaluate(() => document.querySelectorAll('details').forEach(details => (details.open = true)));
        await assertNothingSticksOut(page);
        await assertAccessible(page);
        await page.locator('#recognize').evaluate(operation => operation.scrollIntoView());
        await page.screenshot({path: `${SHOTS}/docs-open-${device}-${colorScheme}-${locale.slice(0, 2)}.png`});
      });
