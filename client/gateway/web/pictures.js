// Pictures from outside: opened, dropped or pasted.
import {byId} from './dom.js';
import {t} from './i18n.js';

// As digitd's own limit.
const MAX_BYTES = 12 * 1024 * 1024;

// {bytes, type, name, bitmap} of a file; bitmap null: the browser cannot show it, the server may still read it.
// `tooLarge` in place of bytes: beyond the limit, not read.
export async function readPicture(file, name = file.name) {
  if (file.size > MAX_BYTES) return {bytes: null, tooLarge: true, type: '', name, bitmap: null};
  const bytes = new Uint8Array(await file.arrayBuffer());
  const bitmap = await createImageBitmap(file).catch(() => null);
  const type = /^image\/[\w.+-]+$/.test(file.type) ? file.type : 'application/octet-stream';
  return {bytes, type, name, bitmap};
}

// take(file) gets one file at a time; say(text) what is to be said about it.
export function acceptPictures({take, say}) {
  const accept = files => {
    if (files.length === 0) return say(t('noPicture'));
    say(files.length > 1 ? t('onePicture', {name: files[0].name, n: files.length - 1}) : '');
    return take(files[0]);
  };
  byId('open').addEventListener('change', event => {
    const files = [...event.target.files];
    event.target.value = '';  // the same file can be opened again
    if (files.length > 0) accept(files);
  });
  let depth = 0;  // dragenter and dragleave come for every element on the way
  const mark = () => document.body.classList.toggle('dropping', depth > 0);
  const drag = (name, act) => addEventListener(name, event => {
    if (byId('draw').hidden || ![...(event.dataTransfer?.types ?? [])].includes('Files')) return;
    event.preventDefault();
    act(event);
    mark();
  });
  drag('dragenter', () => ++depth);
  drag('dragleave', () => --depth);
  drag('dragover', event => (event.dataTransfer.dropEffect = 'copy'));
  drag('drop', event => {
    depth = 0;
    accept([...event.dataTransfer.files]);
  });
  addEventListener('paste', event => {
    if (byId('draw').hidden || event.target.matches?.('input, textarea')) return;
    accept([...(event.clipboardData?.files ?? [])]);
  });
}
