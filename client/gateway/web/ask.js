// A question before something that cannot be taken back.
import {make} from './dom.js';
import {t} from './i18n.js';

// Whether the reader agrees, in a dialog.
export function ask(question, yes) {
  return new Promise(done => {
    const dialog = make('dialog', {'aria-labelledby': 'ask-words', onclose: () => {
      done(dialog.returnValue === 'yes');
      dialog.remove();
    }},
    make('p', {id: 'ask-words'}, question),
    make('div', {class: 'row'},
      make('button', {type: 'button', class: 'main', onclick: () => dialog.close('yes')}, yes),
      make('button', {type: 'button', onclick: () => dialog.close('no')}, t('back'))));
    document.body.append(dialog);
    dialog.showModal();
  });
}
