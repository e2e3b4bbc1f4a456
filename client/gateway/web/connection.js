// Whether the daemon answers. Asks now and then while the page is seen, and more often once it has been lost.
import {ready} from './api.js';

const CALM_MS = 15000;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 2000;

// `changed(online)` is called when that has changed.
export class Connection {
  #online = null;
  #retry = FIRST_RETRY_MS;
  #timer = 0;
  #changed;

  constructor(changed) {
    this.#changed = changed;
    document.addEventListener('visibilitychange', () => this.ask());
    addEventListener('online', () => this.ask());
    addEventListener('offline', () => this.lost());
  }

  // null until it is known.
  get online() {
    return this.#online;
  }

  // A call was answered.
  found() {
    this.#retry = FIRST_RETRY_MS;
    this.#plan(CALM_MS);
    this.#set(true);
  }

  // A call was not answered.
  lost() {
    this.#set(false);
    this.#plan(this.#retry);
    this.#retry = Math.min(2 * this.#retry, LAST_RETRY_MS);
  }

  #set(online) {
    if (online === this.#online) return;
    this.#online = online;
    this.#changed(online);
  }

  #plan(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.ask(), ms);
  }

  // Asks now.
  async ask() {
    clearTimeout(this.#timer);
    if (document.hidden) return;
    try {
      await ready();
      this.found();
    } catch {
      this.lost();
    }
  }
}
