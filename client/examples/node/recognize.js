#!/usr/bin/env node
// recognize.js [--stream] FILE...: what digits the pictures show, by the digitd at $DIGIT_SERVER. Node 18 or later.
// Stubs are made when it starts: from proto/, or from what protoc has made of it, $DIGIT_PROTO=digit.binpb (README.md).
import {once} from 'node:events';
import {readFileSync} from 'node:fs';
import {readFile} from 'node:fs/promises';
import {fileURLToPath} from 'node:url';
import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';

const proto = process.env.DIGIT_PROTO ?? fileURLToPath(new URL('../../../proto', import.meta.url));
const options = {includeDirs: [proto], keepCase: true, longs: Number, enums: String, defaults: true, oneofs: true};
const definition = proto.endsWith('.binpb') ? protoLoader.loadFileDescriptorSetFromBuffer(readFileSync(proto), options)
  : protoLoader.loadSync('digit/v1/digit.proto', options);
const {DigitService} = grpc.loadPackageDefinition(definition).digit.v1;

// All addresses of a name in turns. Try again what a server that stops or is overloaded has refused; it says when.
const SERVICE_CONFIG = JSON.stringify({
  loadBalancingConfig: [{round_robin: {}}],
  methodConfig: [{name: [{service: 'digit.v1.DigitService'}], retryPolicy: {
    maxAttempts: 4, initialBackoff: '0.1s', maxBackoff: '1s', backoffMultiplier: 2,
    retryableStatusCodes: ['UNAVAILABLE', 'RESOURCE_EXHAUSTED']}}],
});
const TIMEOUT_SECONDS = 10;

const requestOf = async file => ({images: [{encoded: await readFile(file)}]});

// One call for each picture.
async function* unary(client, files) {
  for (const file of files) {
    const request = await requestOf(file);
    const response = await new Promise((done, failed) =>
      client.Recognize(request, {deadline: Date.now() + 1000 * TIMEOUT_SECONDS},
        (error, answer) => (error ? failed(error) : done(answer))));
    yield [file, response.results[0]];
  }
}

// All pictures through one call; answers come in the order of the requests, a failure is an answer too.
async function* stream(client, files) {
  const call = client.RecognizeStream();
  const send = async () => {
    for (const [id, file] of files.entries()) {
      const message = {id, request: await requestOf(file), timeout: {seconds: TIMEOUT_SECONDS}};
      if (!call.write(message)) await once(call, 'drain');
    }
    call.end();
  };
  send().catch(error => call.destroy(error));
  for await (const {id, error, response} of call) yield [files[id], error ? {error} : response.results[0]];
}

const files = process.argv.slice(2).filter(argument => argument !== '--stream');
const client = new DigitService(process.env.DIGIT_SERVER ?? '127.0.0.1:50051', grpc.credentials.createInsecure(),
  {'grpc.service_config': SERVICE_CONFIG});
const ask = process.argv.includes('--stream') ? stream : unary;
try {
  for await (const [file, {error, prediction}] of ask(client, files)) {
    console.log(`${file}: ${error ? error.message : `${prediction.label} (${(100 * prediction.confidence).toFixed(1)}%)`}`);
    if (error) process.exitCode = 1;
  }
} catch (error) {  // a file that cannot be read, a server that cannot be reached
  console.error(`recognize.js: ${error.details ?? error.message}`);
  process.exitCode = 1;
}
client.close();
