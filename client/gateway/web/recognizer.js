// Has pictures recognised, at most one call at a time: while one is under way only the newest picture waits.

// Between the starts of two calls while the pen is down; what is final goes at once.
const DRAWING_INTERVAL_MS = 80;

// send(job) -> answer, throws Problem. show(state, details) is told what there is to see:
//   'working'; 'answer' {answer, job, milliseconds}; 'overload' {seconds}, every second; 'offline'; 'error' {problem, job}.
export class Recognizer {
  #send;
  #show;
  #next = null;
  #busy = false;
  #generation = 0;
  #started = -Infinity;
  #timer = 0;
  #held = null;  // 'overload' or 'offline': nothing is sent

  constructor({send, show}) {
    this.#send = send;
    this.#show = show;
  }

  // job: {final, ...}; replaces one that waits.
  offer(job) {
    this.#next = job;
    if (this.#held === 'offline') this.#show('offline', {});
    this.#pump();
  }

  // Forgets what waits, and the answer that is under way.
  drop() {
    ++this.#generation;
    this.#next = null;
  }

  // The daemon is back.
  resume() {
    this.#held = null;
    this.#pump();
  }

  #pump() {
    if (this.#busy || this.#held || !this.#next) return;
    clearTimeout(this.#timer);
    const wait = this.#next.final ? 0 : this.#started + DRAWING_INTERVAL_MS - performance.now();
    if (wait > 0) this.#timer = setTimeout(() => this.#pump(), wait);
    else this.#run();
  }

  async #run() {
    const job = this.#next;
    const generation = this.#generation;
    this.#next = null;
    this.#busy = true;
    this.#started = performance.now();
    const slow = setTimeout(() => generation === this.#generation && this.#show('working', {}), 300);
    try {
      const answer = await this.#send(job);
      const milliseconds = performance.now() - this.#started;
      if (generation === this.#generation) this.#show('answer', {answer, job, milliseconds});
    } catch (problem) {
      this.#fail(problem, job, generation === this.#generation);
    }
    clearTimeout(slow);
    this.#busy = false;
    this.#pump();
  }

  #fail(problem, job, wanted) {
    if (wanted && (problem.status === 429 || problem.offline)) this.#next ??= job;  // again, unless there is a newer one
    if (problem.status === 429) {
      this.#held = 'overload';
      this.#countDown(Math.ceil(problem.retryAfter ?? 1));
    } else if (problem.offline) {
      this.#held = 'offline';
      this.#show('offline', {});
    } else if (wanted) {
      this.#show('error', {problem, job});
    }
  }

  #countDown(seconds) {
    if (seconds <= 0) {
      this.resume();
      return;
    }
    if (this.#next) this.#show('overload', {seconds});
    setTimeout(() => this.#countDown(seconds - 1), 1000);
  }
}
