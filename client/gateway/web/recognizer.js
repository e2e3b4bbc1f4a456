// Has pictures recognised, at most one call at a time: while one is under way only the newest picture waits. A call
// whose answer is no longer wanted is broken off, so that one that hangs holds nothing up.

// Between the starts of two calls while the pen is down; what is final goes at once.
const DRAWING_INTERVAL_MS = 80;
// A call that is older gives way to what is final, and is said to be under way. A younger one is about to be answered,
// and to break it off would cost a new connection.
const SLOW_MS = 300;
const LONGEST_WAIT_S = 30;

// send(job, signal) -> answer, throws Problem. show(state, details) is told what there is to see:
//   'working' {job}; 'answer' {answer, job, milliseconds}; 'overload' {seconds}, every second; 'offline';
//   'error' {problem, job}.
export class Recognizer {
  #send;
  #show;
  #next = null;
  #call = null;  // AbortController of the one under way
  #started = -Infinity;
  #timer = 0;
  #held = null;  // 'overload' or 'offline': nothing is sent
  #seconds = 0;
  #second = 0;

  constructor({send, show}) {
    this.#send = send;
    this.#show = show;
  }

  // job: {final, ...}; replaces one that waits.
  offer(job) {
    this.#next = job;
    if (this.#held) this.#show(this.#held, {seconds: this.#seconds});
    this.#pump();
  }

  // Forgets what waits, and breaks off the call that is under way.
  drop() {
    this.#next = null;
    this.#breakOff();
  }

  // What is offered next goes at once, whatever the server has asked for.
  release() {
    this.#held = null;
    clearTimeout(this.#second);
  }

  // The daemon is back.
  resume() {
    this.release();
    this.#pump();
  }

  #breakOff() {
    this.#call?.abort();
    this.#call = null;
  }

  #pump() {
    clearTimeout(this.#timer);
    if (this.#held || !this.#next) return;
    const {final} = this.#next;
    if (this.#call && !final) return;
    const gap = this.#call ? SLOW_MS : final ? 0 : DRAWING_INTERVAL_MS;
    const wait = gap === 0 ? 0 : this.#started + gap - performance.now();
    if (wait > 0) {
      this.#timer = setTimeout(() => this.#pump(), wait);
      return;
    }
    this.#breakOff();
    this.#run();
  }

  async #run() {
    const job = this.#next;
    const call = new AbortController();
    const wanted = () => this.#call === call;
    this.#next = null;
    this.#call = call;
    this.#started = performance.now();
    const slow = setTimeout(() => wanted() && this.#show('working', {job}), SLOW_MS);
    let failed = null;
    let answer;
    try {
      answer = await this.#send(job, call.signal);
    } catch (problem) {
      failed = problem;
    }
    clearTimeout(slow);
    if (!wanted()) return;
    this.#call = null;
    if (failed) this.#fail(failed, job);
    else this.#show('answer', {answer, job, milliseconds: performance.now() - this.#started});
    this.#pump();
  }

  #fail(problem, job) {
    if (problem.overload || problem.offline) this.#next ??= job;  // again, unless there is a newer one
    if (problem.overload) {
      this.#held = 'overload';
      this.#countDown(Math.min(Math.ceil(problem.retryAfter ?? 1), LONGEST_WAIT_S));
    } else if (problem.offline) {
      this.#held = 'offline';
      this.#show('offline', {});
    } else {
      this.#show('error', {problem, job});
    }
  }

  #countDown(seconds) {
    if (seconds <= 0) {
      this.resume();
      return;
    }
    this.#seconds = seconds;
    if (this.#next) this.#show('overload', {seconds});
    this.#second = setTimeout(() => this.#countDown(seconds - 1), 1000);
  }
}
