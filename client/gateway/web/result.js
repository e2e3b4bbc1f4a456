// Shows what came out: label, verdict, bars, the picture that the network saw; or why nothing did.
import {byId, drawPixels, make} from './dom.js';
import {locale, percent, t} from './i18n.js';
import {fromServer, verdictOn} from './notice.js';

const VERDICTS = {confident: 'confident', unsure: 'unsure', not_a_digit: 'isNotADigit'};

// States that show words in place of an answer: mark and keys of words. What the server says is shown below them only
// where our own words say less.
const WORDS = {
  blank: ['', 'blank', 'blankHint'],
  begun: ['', null, null],  // ink, and an answer will be there in no time
  loading: ['', 'connecting', null],
  working: ['', 'working', null],
  offline: ['', 'offlineLong', 'offlineRetry'],
  noModel: ['', 'noModel', null],
  no_digit: ['?', 'noDigit', 'noDigitHint'],
  undecodable: ['', 'undecodable', 'undecodableHint'],
  too_large: ['', 'tooLarge', 'tooLargeHint'],
};

export class Result {
  #state = 'loading';
  #details = {};
  #rows = [];
  #labels = [];  // of the rows
  #offered = [];

  // Of the model that is asked: the rows while no answer is shown.
  setLabels(labels) {
    this.#offered = labels;
    if (this.#state !== 'answer') this.#setRows(labels);
  }

  #setRows(labels) {
    if (labels.join('\n') === this.#labels.join('\n')) return;
    this.#labels = labels;
    this.#rows = labels.map(label => {
      const fill = make('span', {class: 'fill'});
      const share = make('span', {class: 'share'});
      const row = make('tr', {}, make('th', {scope: 'row'}, label),
        make('td', {}, make('div', {class: 'bar'}, make('span', {class: 'track'}, fill), share)));
      return {row, fill, share};
    });
    byId('bars').replaceChildren(...this.#rows.map(({row}) => row));
    this.#showBars(null);
  }

  get state() {
    return this.#state;
  }

  // Of the rows.
  get labels() {
    return this.#labels;
  }

  // state: a key of WORDS; 'answer' {answer with its labels, milliseconds}; 'overload' {seconds}; 'error' {problem}.
  // `spoken`: readers of the live region hear it, which they do not while somebody draws, nor again while the same
  // trouble lasts.
  show(state, details = {}, spoken = true) {
    const again = state === this.#state && ['overload', 'offline'].includes(state);
    this.#state = state;
    this.#details = details;
    this.#render();
    if (spoken && !again) byId('live').replaceChildren(...this.#sentence());
  }

  // In the language of now.
  render() {
    this.#render();
  }

  #render() {
    const {label, confidence, verdict, detail, said, mark} = this.#texts();
    byId('headline').dataset.state = mark ?? this.#state;
    byId('label').textContent = label;
    byId('label').classList.toggle('long', label.length > 2);
    byId('confidence').textContent = confidence;
    byId('verdict').textContent = verdict;
    byId('detail').replaceChildren(said ? fromServer(said) : detail);
    const {answer, milliseconds} = this.#state === 'answer' ? this.#details : {};
    if (this.#state !== 'working') {
      this.#setRows(answer ? answer.labels ?? [] : this.#offered);
      this.#showBars(answer?.probabilities ?? null);
      byId('seen').hidden = !answer?.pixels;
      if (answer?.pixels) drawPixels(byId('seen-pixels'), answer.pixels);
    }
    byId('meta').textContent = answer ? meta(answer, milliseconds) : '';
  }

  // `said`: by the server, in place of a detail.
  #texts() {
    const {answer, problem, seconds} = this.#details;
    if (this.#state === 'answer') {
      const not = answer.verdict === 'not_a_digit';
      const closest = {label: answer.label, confidence: percent(answer.confidence)};
      return {
        label: not ? '?' : answer.label,
        confidence: not ? '' : closest.confidence,
        verdict: answer.verdict ? t(VERDICTS[answer.verdict]) : '',
        detail: not ? t('closest', closest) : '',
        mark: answer.verdict ?? 'confident',
      };
    }
    const blank = {label: '', confidence: '', verdict: '', detail: ''};
    if (this.#state === 'overload')
      return {...blank, verdict: t('overload'), detail: t('overloadRetry', {seconds})};
    if (this.#state === 'error') return {...blank, verdict: verdictOn(problem), said: problem.message};
    const [label, verdict, detail] = WORDS[this.#state];
    return {...blank, label, verdict: verdict ? t(verdict) : '', detail: detail ? t(detail) : ''};
  }

  #sentence() {
    const {label, confidence, verdict, detail, said} = this.#texts();
    const name = this.#state === 'answer' && label !== '?' ? label : '';
    const words = [name, confidence, verdict, detail].filter(Boolean).join(t('comma'));
    return said ? [words, t('comma'), fromServer(said)] : [words];
  }

  #showBars(probabilities) {
    const best = probabilities ? Math.max(...probabilities) : 2;
    this.#rows.forEach(({row, fill, share}, i) => {
      const p = probabilities?.[i] ?? 0;
      row.classList.toggle('best', p === best);
      fill.style.transform = `translateX(${100 * p - 100}%)`;  // through the CSSOM, which the CSP allows
      share.textContent = probabilities ? percent(p) : '–';
    });
  }
}

function meta(answer, milliseconds) {
  const number = n => new Intl.NumberFormat(locale(), {maximumFractionDigits: n < 10 ? 1 : 0}).format(n);
  const parts = [`${answer.model} ${answer.version}`];
  if (milliseconds !== undefined) {
    const micros = answer.timing?.compute_us ?? 0;
    const compute = micros < 1000 ? t('microseconds', {n: micros}) : t('milliseconds', {n: number(micros / 1000)});
    parts.push(t('metaTime', {round: t('milliseconds', {n: number(milliseconds)}), compute}));
  }
  return parts.join(' · ');
}
