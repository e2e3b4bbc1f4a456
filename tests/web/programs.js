// The real programs, and a proxy that can be told to refuse.
import {spawn} from 'node:child_process';
import {mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import http from 'node:http';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {gzipSync} from 'node:zlib';

export const BIN = process.env.DIGIT_BIN_DIR;
export const ROOT = new URL('../../', import.meta.url).pathname;
export const SHOTS = process.env.DIGIT_SHOTS;  // folder for screenshots
export const MODEL = `${ROOT}model/pretrained/mnist.pt`;

mkdirSync(SHOTS, {recursive: true});

// What belongs to all tests of a file is handed to this in place of one test; ended last first.
export function wholeFile(test) {
  const ends = [];
  test.after(async () => {
    for (const end of ends.reverse()) await end();
  });
  return {after: end => ends.push(end)};
}

const folders = mkdtempSync(join(tmpdir(), 'digit-page-'));
process.on('exit', () => rmSync(folders, {recursive: true, force: true}));  // by then nobody writes there

// An empty folder of its own.
export const scratch = () => mkdtempSync(`${folders}/`);

// A copy of the model at `path`, with `change` made to the JSON that describes it.
function writeModel(path, change) {
  const before = readFileSync(MODEL, 'latin1');
  const [json] = /\{"format":.*?\}(?=PK|\0)/s.exec(before);
  const check = text => gzipSync(Buffer.from(text, 'latin1')).subarray(-8, -4).toString('latin1');  // CRC-32, twice in a zip
  const after = before.replace(json, () => change(json)).replaceAll(check(json), () => check(change(json)));
  writeFileSync(path, after, 'latin1');
  return path;
}

// One that calls its classes A to J.
export const writeLetters = path => writeModel(path,
  json => json.replace(/"labels":\[.*?\]/, labels => labels.replace(/\d/g, digit => 'ABCDEFGHIJ'[digit])));
// One that is another version only.
export const writeVersion = (path, seed = 2) => writeModel(path, json => json.replace('"seed":1', `"seed":${seed}`));

// The address of this process alone: a port of it that was let go is nobody's, whoever else asks for any free port.
const HOST = `127.${64 + (process.pid >> 16)}.${(process.pid >> 8) & 255}.${process.pid & 255}`;

// Starts a program of ours; answers {address, stop} once it serves. stop() waits for its end.
async function start(t, name, args) {
  const program = spawn(`${BIN}/${name}`, args, {stdio: ['ignore', 'ignore', 'pipe']});
  const ended = new Promise(done => program.on('exit', done));
  const stop = async (signal = 'SIGTERM') => {
    program.kill(signal);
    await ended;
  };
  t.after(() => stop('SIGKILL'));
  let log = '';
  const address = await new Promise((found, failed) => {
    program.stderr.on('data', data => {
      log += data;
      const serving = / serving .*?address=(\S+)\s/.exec(log);
      if (serving) found(serving[1]);
    });
    program.on('error', failed);
    ended.then(code => failed(new Error(`${name} ended with ${code}:\n${log}`)));
  });
  return {address, stop};
}

// It takes no slow machine for overload.
export const startDaemon = (t, {listen = `${HOST}:0`, model = MODEL, models, state = scratch()} = {}, ...flags) =>
  start(t, 'digitd', [...(models ? ['--model-dir', models] : ['--model', model]), '--listen', listen, '--state-dir', state,
    '--max-queue-wait', '60s', ...flags]);

// The gateway of a daemon; its `url` has no slash at the end.
export async function startGateway(t, server, ...flags) {
  const gateway = await start(t, 'digit-gateway', ['--listen', `${HOST}:0`, '--server', server, ...flags]);
  return {...gateway, url: `http://${gateway.address}`};
}

// A gateway and its daemon.
export async function startBoth(t, options, ...flags) {
  const daemon = await startDaemon(t, options, ...flags);
  return {daemon, gateway: await startGateway(t, daemon.address)};
}

// Passes everything on to `address`, a function that tells it or a string, except what `refuse(request)` gives {status, headers, body} for, or HANG: no answer.
export const HANG = {};

export async function startProxy(t, address, refuse) {
  const server = http.createServer((request, response) => {
    const refused = refuse(request);
    if (refused === HANG) return;
    if (refused) {
      request.resume();
      response.writeHead(refused.status, refused.headers).end(refused.body);
      return;
    }
    const [host, port] = (typeof address === 'function' ? address() : address).split(':');
    const onward = http.request({host, port, path: request.url, method: request.method, headers: request.headers}, answer => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });
  await new Promise(listening => server.listen(0, '127.0.0.1', listening));
  t.after(() => {
    server.closeAllConnections();
    return new Promise(closed => server.close(closed));
  });
  return `http://127.0.0.1:${server.address().port}`;
}
