// DIGIT_URL=http://HOST:PORT node --test page_check.js: the page of a gateway that runs elsewhere, in Chromium, as
// tests/web has it; a digit drawn there is recognised.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {drawWithMouse, openPage, outcome, quiet, startBrowser} from '../web/browser.js';
import {generated} from '../web/digits.js';

test('a digit drawn on the page is recognised', async t => {
  const page = await openPage(t, await startBrowser(t), process.env.DIGIT_URL);
  await drawWithMouse(page, generated(4, 0));
  const {state, label, text} = await outcome(page);
  assert.deepEqual([state, label], ['confident', '4'], text);
  await quiet(page, /status of 422/);  // what the first dot of a stroke is called
});
