// "Copy as ...": commands for a shell that ask the same again.
import {recognizePath} from './api.js';
import {byId} from './dom.js';
import {t} from './i18n.js';
import {toBase64} from './ink.js';

const quote = text => `'${text.replaceAll("'", `'\\''`)}'`;

// What a person drew travels inside the command; a file of theirs is named.
async function withPicture(picture, toFile) {
  if (picture.name) return toFile(quote(picture.name));
  const lines = (await toBase64(picture.bytes)).replace(/.{76}/g, '$&\n');
  return `base64 -d <<'END' | ${toFile('-')}\n${lines}\nEND\n`;
}

const commands = {
  curl: (picture, model) => withPicture(picture, file => `curl -sS -H ${quote(`Content-Type: ${picture.type}`)} ` +
    `--data-binary @${file} ${quote(`${location.origin}${recognizePath(model)}`)}`),
  digitctl: (picture, model) => withPicture(picture, file => `digitctl recognize ${file} -o json` +
    (model ? ` --model ${quote(model)}` : '')),
};

// Clipboard access needs HTTPS or this computer; elsewhere the old way still works.
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
      const notice = byId('copy-notice');
      try {
        await copy(await command(picture, model));
        notice.textContent = t('copied');
      } catch {
        notice.textContent = t('notCopied');
      }
      event.target.focus();
    });
  }
}
