// Pictures from outside, corrections, and commands to copy.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {copyFileSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {test} from 'node:test';
import {ANSWERS, drawWithMouse, inkOf, openPage, outcome, quiet, startBrowser, waitForAnswer, waitForState} from './browser.js';
import {generated} from './digits.js';
import {BIN, ROOT, SHOTS, scratch, startBoth, wholeFile} from './programs.js';

const IMAGES = `${ROOT}tests/data/images`;
const file = wholeFile(test);
const {daemon, gateway} = await startBoth(file);
const browser = await startBrowser(file);
const ctl = (...args) => execFileSync(`${BIN}/digitctl`, ['--server', daemon.address, ...args], {encoding: 'utf8'});

// Sends an event with files in it, as the browser does when somebody drops or pastes them.
async function hand(page, event, ...paths) {
  const files = paths.map(path => ({name: path.split('/').at(-1), base64: readFileSync(path).toString('base64')}));
  await page.evaluate(({event, files}) => {
    const data = new DataTransfer();
    for (const {name, base64} of files) {
      const bytes = Uint8Array.from(atob(base64), c => c.charCodeAt(0));
      data.items.add(new File([bytes], name, {type: /png$/.test(name) ? 'image/png' : ''}));
    }
    const made = event === 'paste' ? new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true})
      : new DragEvent(event, {dataTransfer: data, bubbles: true, cancelable: true});
    document.getElementById('sheet').dispatchEvent(made);
  }, {event, files});
}

test('a dropped picture is shown and recognised', async t => {
  const page = await openPage(t, browser, gateway.url);
  await hand(page, 'dragenter', `${IMAGES}/seven.png`);
  assert.equal(await page.evaluate(() => document.body.classList.contains('dropping')), true);
  await hand(page, 'drop', `${IMAGES}/seven.png`, `${IMAGES}/eight.bmp`);
  await waitForAnswer(page, '7');
  assert.equal(await page.evaluate(() => document.body.classList.contains('dropping')), false);
  assert.match(await page.locator('#notice').textContent(), /^One picture at a time: seven\.png was taken\. Left out: 1\.$/);
  await page.click('#language');
  assert.match(await page.locator('#notice').textContent(), /^一次只识别一张图片/);
  await page.click('#language');
  assert.ok((await inkOf(page)) > 0);
  await drawWithMouse(page, generated(0, 0));  // drawing begins anew
  assert.equal((await outcome(page)).label, '0');
  assert.equal(await page.locator('#notice').textContent(), '');
  await page.click('#undo');
  await waitForAnswer(page, '7');
  await quiet(page, /status of 422/);
});

test('a pasted and an opened picture', async t => {
  const page = await openPage(t, browser, gateway.url);
  await hand(page, 'paste', `${IMAGES}/two-canvas.png`);
  await waitForAnswer(page, '2');
  await page.setInputFiles('#open', `${IMAGES}/five-inverted.png`);
  await waitForAnswer(page, '5');
  await page.setInputFiles('#open', `${IMAGES}/eight.bmp`);
  await waitForAnswer(page, '8');
  await hand(page, 'paste');
  assert.equal(await page.locator('#notice').textContent(), 'There is no picture in that.');
  await page.click('#clear');
  assert.equal(await page.locator('#notice').textContent(), '');
  await page.evaluate(() => {
    const clipboardData = new DataTransfer();
    clipboardData.setData('text/plain', 'words');
    document.getElementById('sheet').dispatchEvent(new ClipboardEvent('paste', {clipboardData, bubbles: true}));
  });
  await page.click('#pad-title', {button: 'middle', force: true});
  await hand(page, 'paste');  // as Linux does after that click
  assert.equal(await page.locator('#notice').textContent(), '');
  await quiet(page);
});

test('a file that is dropped on the admin tab does not take the page away', async t => {
  const page = await openPage(t, browser, gateway.url);
  await page.click('#tab-admin');
  const kept = await page.evaluate(() => ['dragover', 'drop'].map(name => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File(['x'], 'x.png'));
    return !document.getElementById('admin').dispatchEvent(new DragEvent(name, {dataTransfer, bubbles: true, cancelable: true}));
  }));
  assert.deepEqual(kept, [true, true]);
  assert.equal(await page.locator('#sheet-note').textContent(), 'Draw a digit here');
});

test('a picture with nothing behind the ink is shown on a light ground by night', async t => {
  const page = await openPage(t, browser, gateway.url, {colorScheme: 'dark'});
  const base64 = await page.evaluate(() => {
    const canvas = Object.assign(document.createElement('canvas'), {width: 40, height: 40});
    canvas.getContext('2d').fillRect(18, 5, 5, 30);
    return canvas.toDataURL().split(',')[1];
  });
  const path = `${scratch()}/clear.png`;
  writeFileSync(path, Buffer.from(base64, 'base64'));
  await page.setInputFiles('#open', path);
  await page.waitForFunction(() => {
    const sheet = document.getElementById('sheet');
    const pixel = (x, y) => sheet.getContext('2d').getImageData(x * sheet.width, y * sheet.width, 1, 1).data.join();
    return pixel(0.25, 0.5) === '255,255,255,255' && pixel(0.5, 0.5) === '0,0,0,255';
  });
});

test('blank pictures, files that are no pictures and too large ones are told apart', async t => {
  const page = await openPage(t, browser, gateway.url);
  const folder = scratch();
  await page.setInputFiles('#open', `${IMAGES}/blank.png`);
  assert.match(await waitForState(page, 'no_digit'), /No digit found\s+The picture is blank/);
  writeFileSync(`${folder}/letter.png`, 'Dear reader,\n');
  await page.setInputFiles('#open', `${folder}/letter.png`);
  assert.match(await waitForState(page, 'undecodable'), /This file cannot be read\s+It takes PNG/);
  assert.equal(await page.locator('#sheet-note').textContent(), 'letter.png');
  const sent = await page.evaluate(() => window.seen.recognitions);
  writeFileSync(`${folder}/large.png`, Buffer.alloc(12 * 1024 * 1024 + 1));
  await page.setInputFiles('#open', `${folder}/large.png`);
  assert.match(await waitForState(page, 'too_large'), /too large\s+At most 12 MiB/);
  assert.equal(await page.evaluate(() => window.seen.recognitions), sent);
  await quiet(page, /status of 4(00|22)/);
});

// A film of one picture for Chromium's false camera: 640x480, the digit in the middle, white paper.
function film(path) {
  const [width, height, side, scale] = [640, 480, 28, 12];
  const image = readFileSync(`${ROOT}data/mnist/t10k-images-idx3-ubyte`).subarray(16, 16 + side * side);  // a 7
  const luma = Buffer.alloc(width * height, 225);
  for (let y = 0; y < side * scale; ++y) {
    for (let x = 0; x < side * scale; ++x) {
      const ink = image[Math.floor(y / scale) * side + Math.floor(x / scale)];
      luma[(y + 72) * width + x + 152] = 225 - Math.round(0.8 * ink);
    }
  }
  const frame = Buffer.concat([Buffer.from('FRAME\n'), luma, Buffer.alloc((width * height) / 2, 128)]);
  writeFileSync(path, Buffer.concat([Buffer.from(`YUV4MPEG2 W${width} H${height} F15:1 Ip A1:1 C420jpeg\n`), frame, frame]));
}

test('the camera takes a picture', async t => {
  const path = `${scratch()}/film.y4m`;
  film(path);
  const seeing = await startBrowser(t, '--use-fake-device-for-media-stream', `--use-file-for-fake-video-capture=${path}`);
  const page = await openPage(t, seeing, gateway.url, {permissions: ['camera']});
  await page.click('#camera');
  await page.click('#camera-take:enabled');
  await waitForAnswer(page, '7');
  assert.equal(await page.locator('#camera-dialog').isHidden(), true);
  assert.equal(await page.evaluate(() => document.getElementById('camera-video').srcObject), null);  // its light is off
  await page.evaluate(() => (navigator.clipboard.writeText = async text => (window.copied = text)));
  await page.click('#copy-curl');
  await page.waitForFunction(() => window.copied);
  const command = await page.evaluate(() => window.copied);
  assert.ok(command.length < 70000, `${command.length}`);
  assert.equal(JSON.parse(execFileSync('bash', ['-c', command], {encoding: 'utf8'})).label, '7');  // no file is needed
  await quiet(page);
});

test('no camera, and one that is not allowed, are told', async t => {
  const none = await openPage(t, browser, gateway.url, {permissions: ['camera']});
  await none.click('#camera');
  await none.waitForFunction(() => document.getElementById('camera-notice').textContent === 'There is no camera.');
  assert.equal(await none.locator('#camera-take').isDisabled(), true);
  await none.keyboard.press('Escape');
  assert.equal(await none.locator('#camera-dialog').isHidden(), true);

  const seeing = await startBrowser(t, '--use-fake-device-for-media-stream');
  const denied = await openPage(t, seeing, gateway.url);
  await denied.click('#camera');
  await denied.waitForFunction(() => document.getElementById('camera-notice').textContent.startsWith('The camera is not allowed'));
});

test('"wrong? it is a ..." is stored as a correction', async t => {
  const page = await openPage(t, browser, gateway.url);
  await drawWithMouse(page, generated(3, 0));
  const {state, label} = await outcome(page);
  assert.ok(ANSWERS.includes(state));
  assert.equal(await page.locator('#labels .given').textContent(), label);
  const group = page.getByRole('group', {name: 'Wrong? It is a …'});
  assert.equal(await group.getByRole('button', {pressed: true}).count(), 0);
  await group.getByRole('button', {name: 'It is a 9'}).click();
  await page.waitForFunction(() => /Stored as correction \d+/.test(document.getElementById('correct-notice').textContent));
  assert.equal(await group.getByRole('button', {pressed: true}).innerText(), '9');
  await page.click('#language');
  assert.match(await page.locator('#correct-notice').textContent(), /^谢谢/);
  await page.click('#language');
  assert.equal(await group.getByRole('button', {pressed: true}).innerText(), '9');
  await group.getByRole('button', {name: 'It is a 9'}).click();
  await page.waitForFunction(() => /known already/.test(document.getElementById('correct-notice').textContent));
  const [stored] = ctl('feedback', 'list', '-o', 'json').trim().split('\n').map(line => JSON.parse(line));
  assert.equal(stored.label, '9');
  assert.equal(stored.answered_label, label);
  await quiet(page);
});

test('the copied commands give the same answer', async t => {
  const page = await openPage(t, browser, gateway.url, {permissions: ['clipboard-read', 'clipboard-write']});
  const copied = async name => {
    await page.click(`#copy-${name}`);
    await page.waitForFunction(() => document.getElementById('copy-notice').textContent === 'Copied');
    await page.evaluate(() => (document.getElementById('copy-notice').textContent = ''));
    return page.evaluate(() => navigator.clipboard.readText());
  };
  const run = command => execFileSync('bash', ['-c', command], {encoding: 'utf8', cwd: IMAGES,
    env: {...process.env, PATH: `${BIN}:${process.env.PATH}`, DIGIT_SERVER: daemon.address}});
  await drawWithMouse(page, generated(5, 0));
  await outcome(page);
  assert.equal(JSON.parse(run(await copied('curl'))).label, '5');
  assert.equal(JSON.parse(run(await copied('digitctl'))).label, '5');
  await page.setInputFiles('#open', `${IMAGES}/seven.png`);  // a file is named, not copied
  await waitForAnswer(page, '7');
  const command = await copied('curl');
  assert.match(command, /--data-binary @'seven\.png'/);
  assert.equal(JSON.parse(run(command)).label, '7');

  const folder = scratch();
  copyFileSync(`${IMAGES}/seven.png`, `${folder}/-o it's.png`);
  await page.click('#clear');
  await page.setInputFiles('#open', `${folder}/-o it's.png`);
  await waitForAnswer(page, '7');
  for (const name of ['curl', 'digitctl']) {
    assert.equal(JSON.parse(run(`cd ${folder}\n${await copied(name)}`)).label, '7');
  }
  await hand(page, 'paste', `${IMAGES}/two-canvas.png`);  // there is no such file where the command is run
  await waitForAnswer(page, '2');
  for (const name of ['curl', 'digitctl']) {
    assert.equal(JSON.parse(run(`cd ${folder}\n${await copied(name)}`)).label, '2');
  }
});

test('a pasted picture that is too large for a command is copied smaller', async t => {
  const page = await openPage(t, browser, gateway.url, {permissions: ['clipboard-read', 'clipboard-write']});
  const base64 = await page.evaluate(() => {  // a seven among coloured grain, which no PNG makes small
    const canvas = Object.assign(document.createElement('canvas'), {width: 600, height: 600});
    const context = canvas.getContext('2d');
    const grain = context.createImageData(600, 600);
    let random = 1;
    grain.data.forEach((_, i) => {
      random = (random * 48271) % 2147483647;
      grain.data[i] = i % 4 === 3 ? 255 : 240 + (random % 16);
    });
    context.putImageData(grain, 0, 0);
    context.lineWidth = 45;
    context.stroke(new Path2D('M170 120H420L270 480'));
    return canvas.toDataURL().split(',')[1];
  });
  const path = `${scratch()}/grain.png`;
  writeFileSync(path, Buffer.from(base64, 'base64'));
  await hand(page, 'paste', path);
  await waitForAnswer(page, '7');
  await page.click('#copy-curl');
  await page.waitForFunction(() => document.getElementById('copy-notice').textContent.startsWith('Copied, with'));
  const command = await page.evaluate(() => navigator.clipboard.readText());
  assert.ok(base64.length > 100000 && command.length < 70000, `${base64.length} ${command.length}`);
  assert.equal(JSON.parse(execFileSync('bash', ['-c', command], {encoding: 'utf8'})).label, '7');
});

test('a file that has vanished is told in words, and what is on the sheet stays', async t => {
  const page = await openPage(t, browser, gateway.url);
  await drawWithMouse(page, generated(1, 0));
  await outcome(page);
  const path = `${scratch()}/seven.png`;
  copyFileSync(`${IMAGES}/seven.png`, path);
  await page.evaluate(() => document.body.append(Object.assign(document.createElement('input'), {type: 'file', id: 'held'})));
  await page.setInputFiles('#held', path);
  rmSync(path);
  await page.evaluate(() => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(document.getElementById('held').files[0]);
    document.getElementById('sheet').dispatchEvent(new DragEvent('drop', {dataTransfer, bubbles: true, cancelable: true}));
  });
  await page.waitForFunction(() => document.getElementById('notice').textContent === 'This file cannot be read from the disk.');
  await page.click('#language');
  assert.equal(await page.locator('#notice').textContent(), '无法从磁盘读取这个文件。');
  assert.equal(await page.locator('#label').textContent(), '1');
  await quiet(page, /status of 422/);
});

test('what is read slowly replaces neither a newer picture nor what was drawn meanwhile', async t => {
  const page = await openPage(t, browser, gateway.url);
  await page.evaluate(() => {
    const read = Blob.prototype.arrayBuffer;
    Blob.prototype.arrayBuffer = async function(...args) {
      if (this.name === 'seven.png') await new Promise(go => (window.go = go));
      return read.apply(this, args);
    };
  });
  const goOn = () => page.evaluate(async () => {  // to where the picture would be shown
    const shown = createImageBitmap;
    const made = new Promise(done => (window.createImageBitmap = (...args) => {
      window.createImageBitmap = shown;
      const bitmap = shown(...args);
      bitmap.then(() => setTimeout(done));
      return bitmap;
    }));
    window.go();
    await made;
  });
  await hand(page, 'drop', `${IMAGES}/seven.png`);
  await hand(page, 'drop', `${IMAGES}/two-canvas.png`);
  await waitForAnswer(page, '2');
  await goOn();
  await page.click('#recognize');
  assert.equal((await outcome(page)).label, '2');

  await hand(page, 'drop', `${IMAGES}/seven.png`);
  await drawWithMouse(page, generated(1, 0));
  await waitForAnswer(page, '1');
  await goOn();
  await page.click('#recognize');
  assert.equal((await outcome(page)).label, '1');
  await quiet(page, /status of 422/);
});

test('a camera that comes for a dialog that was closed meanwhile is let go', async t => {
  const seeing = await startBrowser(t, '--use-fake-device-for-media-stream');
  const page = await openPage(t, seeing, gateway.url, {permissions: ['camera']});
  await page.evaluate(() => {
    window.asked = [];
    window.streams = [];
    const {mediaDevices} = navigator;
    const real = mediaDevices.getUserMedia.bind(mediaDevices);
    mediaDevices.getUserMedia = async options => {
      await new Promise(allow => window.asked.push(allow));  // what the reader is asked
      const stream = await real(options);
      window.streams.push(stream);
      return stream;
    };
  });
  const on = count => page.waitForFunction(
    count => window.streams.flatMap(s => s.getTracks()).filter(track => track.readyState === 'live').length === count, count);
  await page.click('#camera');
  await page.click('#camera-close');
  await page.click('#camera');
  await page.evaluate(() => window.asked.forEach(allow => allow()));
  await page.waitForFunction(() => window.streams.length === 2);
  await page.waitForSelector('#camera-take:enabled');
  await on(1);
  await page.click('#camera-close');
  await on(0);
  await quiet(page);
});

test('of a large picture no more is kept to show than the sheet needs', async t => {
  const page = await openPage(t, browser, gateway.url);
  const base64 = await page.evaluate(() => {
    window.bitmaps = [];
    const real = createImageBitmap;
    window.createImageBitmap = async (...args) => {
      const bitmap = await real(...args);
      window.bitmaps.push(bitmap);
      return bitmap;
    };
    const canvas = Object.assign(document.createElement('canvas'), {width: 3000, height: 2000});
    const context = canvas.getContext('2d');
    context.fillStyle = '#fff';
    context.fillRect(0, 0, 3000, 2000);
    context.lineWidth = 150;
    context.stroke(new Path2D('M1500 300V1700'));
    return canvas.toDataURL().split(',')[1];
  });
  const path = `${scratch()}/photo.png`;
  writeFileSync(path, Buffer.from(base64, 'base64'));
  await page.setInputFiles('#open', path);
  await waitForAnswer(page, '1');
  assert.deepEqual(await page.evaluate(() => window.bitmaps.filter(b => b.width > 0).map(b => [b.width, b.height])), [[640, 427]]);
  assert.ok((await inkOf(page)) > 0);
  await page.screenshot({path: `${SHOTS}/large-picture.png`});
  await quiet(page);
});

test('a command is copied in the click itself, where some browsers allow it alone, with HTTPS and without', async t => {
  const page = await openPage(t, browser, gateway.url);
  await drawWithMouse(page, generated(1, 0));
  await outcome(page);
  const copied = () => page.evaluate(() => {
    window.copied = null;
    document.getElementById('copy-curl').click();
    return window.copied;
  });
  await page.evaluate(() => (navigator.clipboard.writeText = async text => (window.copied = text)));
  assert.match(await copied(), /^base64 -d /);
  await page.evaluate(() => {
    Object.defineProperty(navigator, 'clipboard', {value: undefined});  // plain HTTP
    document.addEventListener('copy', () => (window.copied = getSelection().toString() || document.activeElement.value));
    document.getElementById('copy-notice').textContent = '';
  });
  await page.click('#copy-curl');
  await page.waitForFunction(() => document.getElementById('copy-notice').textContent === 'Copied');
  assert.match(await copied(), /^base64 -d /);
  await quiet(page, /status of 422/);
});
