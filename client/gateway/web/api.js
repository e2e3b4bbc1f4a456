// Calls of the gateway's REST API.

let token = '';

// For admin calls; kept in memory only.
export function setToken(value) {
  token = value.trim();
}

export const hasToken = () => token !== '';
// A header carries nothing else.
export const tokenFits = () => /^[ -~]*$/.test(token);

// Why a call has failed. `status` 0: nobody answered. `retryAfter` in seconds, null: unknown.
export class Problem extends Error {
  constructor(status, {detail = '', code = '', reason = '', retryAfter = null} = {}) {
    super(detail);
    Object.assign(this, {status, code, reason, retryAfter});
  }

  // 503 from the gateway itself, which receives too much at once, says when to try again and not that digitd is
  // UNAVAILABLE.
  get overload() {
    if (this.status !== 503) return this.status === 429;
    return this.code === 'RESOURCE_EXHAUSTED' || this.reason === 'overloaded' ||
      (this.retryAfter !== null && this.code !== 'UNAVAILABLE');
  }

  get offline() {
    return [0, 502, 503].includes(this.status) && !this.overload;
  }
}

async function call(path, {method = 'GET', body, type, admin = false, timeout = 30000, json = true, signal} = {}) {
  const headers = {};
  if (type) headers['Content-Type'] = type;
  if (admin && !tokenFits()) throw new Problem(400, {reason: 'token'});
  if (admin && token) headers.Authorization = `Bearer ${token}`;
  const stop = new AbortController();  // AbortSignal.any is younger than many browsers
  for (const why of [AbortSignal.timeout(timeout), signal]) {
    if (why?.aborted) stop.abort(why.reason);
    why?.addEventListener('abort', () => stop.abort(why.reason));
  }
  let response;
  let text;
  try {
    response = await fetch(path, {method, body, headers, cache: 'no-store', signal: stop.signal});
    text = await response.text();
  } catch (error) {
    throw new Problem(0, {detail: error.message});
  }
  let answer = {};
  try {
    answer = JSON.parse(text);
  } catch {
    if (response.ok && json) throw new Problem(502, {detail: 'not JSON'});  // a proxy's own page
  }
  if (response.ok) return answer;
  const seconds = Number.parseFloat(response.headers.get('Retry-After'));
  throw new Problem(response.status, {
    detail: answer.detail ?? response.statusText,
    code: answer.code,
    reason: answer.reason,
    retryAfter: Number.isNaN(seconds) ? null : seconds,
  });
}

const get = (path, options) => call(path, options);
const post = (path, message, options) =>
  call(path, {method: 'POST', body: JSON.stringify(message), type: 'application/json', ...options});
// As `ask`, but an answer that a later question's has overtaken is that one's.
function inOrder(ask) {
  let asked = 0;
  let newest = {turn: 0};
  return async () => {
    const turn = ++asked;
    const answer = ask();
    await Promise.allSettled([answer]);
    if (turn > newest.turn) newest = {turn, answer};
    return newest.answer;
  };
}
const modelPath = name => `/v1/models/${encodeURIComponent(name)}`;

export const ready = () => call('/readyz', {timeout: 5000, json: false});
export const recognizePath = model => `${modelPath(model || '-')}:recognize`;
export const recognize = (picture, model, signal) => call(`${recognizePath(model)}?include=pixels,timing`,
  {method: 'POST', body: picture.bytes, type: picture.type, signal});
export const listModels = inOrder(async () => (await get('/v1/models')).models ?? []);
export const submitFeedback = (model, message) => post(`${modelPath(model)}/feedback`, message);

// A reload checks and compares a model and may take a while.
const slow = {admin: true, timeout: 600000};
export const reload = model => post(`${modelPath(model)}:reload`, {}, slow);
export const rollback = model => post(`${modelPath(model)}:rollback`, {}, slow);
export const promote = (model, version) => post(`${modelPath(model)}:promote`, {version}, slow);
export const train = (model, request) => post(`${modelPath(model)}:train`, request, {admin: true});
export const listTrainings = inOrder(async () => (await get('/v1/trainings?model=')).trainings ?? []);
export const trainingPath = id => `/v1/trainings/${encodeURIComponent(id)}`;
export const cancelTraining = id => post(`${trainingPath(id)}:cancel`, {}, {admin: true});
export const listPendingFeedback = (model, pageToken) =>
  get(`/v1/feedback?model=${encodeURIComponent(model)}&state=PENDING&page_size=12&include_pixels=true` +
    `&page_token=${encodeURIComponent(pageToken)}`, {admin: true});
export const reviewFeedback = (ids, state) => post('/v1/feedback:review', {ids, state}, {admin: true});
