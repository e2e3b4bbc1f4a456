// "Copy as ...": commands for a shell that ask the same again.
import {recognizePath} from './api.js';
import {byId} from './dom.js';
import {say} from './i18n.js';
import {toBase64} from './ink.js';
import {shrink} from './pictures.js';

// As much of a picture as goes into a command; larger ones are made smaller.
const MAX_BYTES_INSIDE = 48 * 1024;

const quote = text => `'${text.replaceAll("'", `'\\''`)}'`;

// command(file, {type, model}) for a file that is quoted already, '-': the standard input.
const commands = {
  curl: (file, {type, model}) => `curl -sS -H ${quote(`Content-Type: ${type}`)} --data-binary @${file} ` +
    quote(`${location.origin}${recognizePath(model)}`),
  digitctl: (file, {model}) => `digitctl recognize ${file} -o json --model ${quote(model)}`,
};

// A file of a person's own is named. What was drawn, photographed or pasted travels inside the command.
function write(command, picture, model) {
  const {type, name, onDisk} = picture;
  if (onDisk) return command(quote(name.startsWith('-') ? `./${name}` : name), {type, model});
  const lines = toBase64(picture.bytes).replace(/.{76}/g, '$&\n');
  return `base64 -d <<'END' | ${command('-', {type, model})}\n${lines}\nEND\n`;
}

// Clipboard access needs HTTPS or this computer; elsewhere the old way still works. To be called in the click itself: some
// browsers let a page copy only then.
async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement('textarea');
  area.value = text;
  document.body.append(area);
  area.select();
  const copied = document.execCommand('copy');
  area.remove();
  if (!copied) throw new Error('refused');
}

// current() -> {picture, model}, of what the answer is shown.
export function offerSnippets(current) {
  for (const [name, command] of Object.entries(commands)) {
    byId(`copy-${name}`).addEventListener('click', async event => {
      const {picture, model} = current();
      const fits = picture.onDisk || picture.bytes.length <= MAX_BYTES_INSIDE;
      try {
        const sent = fits ? picture : shrink(picture, MAX_BYTES_INSIDE);
        if (sent) await copy(write(command, sent, model));
        say('copy-notice', !sent ? 'tooLargeToCopy' : fits ? 'copied' : 'copiedSmaller');
      } catch {
        say('copy-notice', 'notCopied');
      }
      event.target.focus();
    });
  }
}
