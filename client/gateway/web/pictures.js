// Pictures from outside: opened, dropped or pasted.
import {byId} from './dom.js';
import {say} from './i18n.js';
import {fileOf} from './ink.js';

// As digitd's own limit.
const MAX_BYTES = 12 * 1024 * 1024;
const MAX_SIDE = 640;  // of what is shown

// {bytes, type, name, onDisk, bitmap} of a file; onDisk: the reader has it under that name; bitmap null: the browser
// cannot show it, the server may still read it. The bitmap is no larger than the sheet needs: the history keeps many.
// `tooLarge` in place of bytes: beyond the limit, not read. Rejects when the file has vanished or may not be read.
export async function readPicture(file, {name = file.name, onDisk = false} = {}) {
  if (file.size > MAX_BYTES) return {bytes: null, tooLarge: true, type: '', name, onDisk, bitmap: null};
  const bytes = new Uint8Array(await file.arrayBuffer());
  const bitmap = await createImageBitmap(file).then(smaller).catch(() => null);
  const type = /^image\/[\w.+-]+$/.test(file.type) ? file.type : 'application/octet-stream';
  return {bytes, type, name, onDisk, bitmap};
}

// Width and height with no side longer than `side`.
function within(side, {width, height}) {
  const scale = Math.min(1, side / Math.max(width, height));
  return [width, height].map(length => Math.max(1, Math.round(length * scale)));
}

async function smaller(bitmap) {
  const [resizeWidth, resizeHeight] = within(MAX_SIDE, bitmap);
  if (resizeWidth === bitmap.width && resizeHeight === bitmap.height) return bitmap;
  const small = await createImageBitmap(bitmap, {resizeWidth, resizeHeight, resizeQuality: 'high'});
  bitmap.close();
  return small;
}

// The picture as a JPEG file of at most `maxBytes`; null: the browser cannot show it, or it does not get that small.
export function shrink({bitmap}, maxBytes) {
  for (let side = MAX_SIDE; bitmap && side >= 80; side /= 2) {
    const [width, height] = within(side, bitmap);
    const canvas = Object.assign(document.createElement('canvas'), {width, height});
    const context = canvas.getContext('2d', {alpha: false});
    context.fillStyle = '#fff';
    context.fillRect(0, 0, width, height);
    context.drawImage(bitmap, 0, 0, width, height);
    const bytes = fileOf(canvas, 'image/jpeg', 0.85);
    if (bytes.length <= maxBytes) return {bytes, type: 'image/jpeg'};
  }
  return null;
}

// take(file, {onDisk}) gets one file at a time.
export function acceptPictures(take) {
  const accept = (files, onDisk = true) => {
    if (files.length === 0) return say('notice', 'noPicture');
    say('notice', files.length > 1 ? 'onePicture' : null, {name: files[0].name, n: files.length - 1});
    return take(files[0], {onDisk});
  };
  byId('open').addEventListener('change', event => {
    const files = [...event.target.files];
    event.target.value = '';  // the same file can be opened again
    if (files.length > 0) accept(files);
  });
  let depth = 0;  // dragenter and dragleave come for every element on the way
  const mark = () => document.body.classList.toggle('dropping', depth > 0);
  const drag = (name, act) => addEventListener(name, event => {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();  // anywhere, or the browser leaves the page for the file
    if (byId('draw').hidden) event.dataTransfer.dropEffect = 'none';
    else act(event);
    mark();
  });
  drag('dragenter', () => ++depth);
  drag('dragleave', () => --depth);
  drag('dragover', event => (event.dataTransfer.dropEffect = 'copy'));
  drag('drop', event => {
    depth = 0;
    accept([...event.dataTransfer.files]);
  });
  let middle = false;  // the middle button, which pastes on Linux and is easily pressed for nothing
  addEventListener('pointerdown', event => (middle = event.button === 1), true);
  addEventListener('keydown', () => (middle = false), true);
  addEventListener('paste', event => {
    if (byId('draw').hidden || event.target.matches?.('input, textarea')) return;
    const {files = [], types = []} = event.clipboardData ?? {};
    const meant = files.length > 0 || (!middle && !types.some(type => type.startsWith('text/')));
    if (meant) accept([...files], false);
  });
}
