// Recognises a digit by digit-gateway, in a browser or in Node 18 or later. Nothing to install.
//
//   import {recognize} from './recognize.mjs';
//   const {label, confidence, verdict} = await recognize(pictureFile);
//
// A web page of another origin than the gateway's needs `digit-gateway --allow-origin ORIGIN`.
const ATTEMPTS = 4;

// `picture`: a Blob, File or bytes. Answers what POST /v1/models/{model}:recognize does; throws an Error with the members
// of its problem: status, detail, reason, ... When the server is overloaded it waits as long as the server asks for.
export async function recognize(picture, {gateway = 'http://localhost:8080', model = '-', signal} = {}) {
  for (let attempt = 1; ; ++attempt) {
    const answer = await fetch(`${gateway}/v1/models/${encodeURIComponent(model)}:recognize`,
      {method: 'POST', headers: {'Content-Type': 'application/octet-stream'}, body: picture, signal});
    if (answer.ok) return answer.json();
    const problem = await answer.json();
    const seconds = Number(answer.headers.get('Retry-After'));
    if (!seconds || attempt === ATTEMPTS) throw Object.assign(new Error(problem.detail), problem);
    await new Promise(done => setTimeout(done, 1000 * seconds));
  }
}
