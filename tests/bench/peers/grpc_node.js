// grpc_node.js MODEL.onnx PROTO_FOLDER [PROCESSES]
// Node's grpc-js and ONNX Runtime on one thread, with batching: while a batch is in the network, what comes gathers for
// the next. Takes raw pictures only. Prints "listening on HOST:PORT" once it serves. Once, before: (cd tests/bench &&
// npm install --ignore-scripts --no-package-lock).
import cluster from 'node:cluster';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';
import ort from 'onnxruntime-node';

const PIXELS = 28 * 28;
const CLASSES = 10;
const MAX_BATCH = 64;
const LABELS = Array.from({length: CLASSES}, (_, digit) => String(digit));
const MODEL = {name: 'mnist', isDefault: true, versions: [{version: '1', state: 'MODEL_STATE_LIVE', labels: LABELS}]};

function softmax(logits) {
  const largest = Math.max(...logits);
  const powers = Array.from(logits, (logit) => Math.exp(logit - largest));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}

class Batcher {
  constructor(session) {
    this.session = session;
    this.waiting = [];
    this.busy = false;
  }

  // Calls back with (error, logits of all its pictures).
  run(pixels, done) {
    this.waiting.push({pixels, done});
    if (!this.busy) this.serve();
  }

  async serve() {
    this.busy = true;
    while (this.waiting.length > 0) {
      let count = 0;
      let bytes = 0;
      do bytes += this.waiting[count++].pixels.length;
      while (count < this.waiting.length && bytes < MAX_BATCH * PIXELS);
      const batch = this.waiting.splice(0, count);
      try {
        const logits = await this.infer(batch, bytes);
        let start = 0;
        for (const {pixels, done} of batch) {
          const end = start + pixels.length / PIXELS * CLASSES;
          done(null, logits.subarray(start, end));
          start = end;
        }
      } catch (error) {
        for (const {done} of batch) done({code: grpc.status.INTERNAL, details: String(error)});
      }
    }
    this.busy = false;
  }

  async infer(batch, bytes) {
    const input = new Float32Array(bytes);
    let i = 0;
    for (const {pixels} of batch) for (const value of pixels) input[i++] = value / 255;
    const tensor = new ort.Tensor('float32', input, [bytes / PIXELS, 1, 28, 28]);
    return (await this.session.run({pixels: tensor})).logits.data;
  }
}

function result(logits) {
  const probabilities = softmax(logits);
  const confidence = Math.max(...probabilities);
  return {prediction: {label: LABELS[probabilities.indexOf(confidence)], confidence, probabilities}};
}

function recognize(batcher, {request}, callback) {
  const pixels = request.images.length === 1 && request.packedPixels.length === 0 ?
      request.images[0].pixels :
      Buffer.concat([...request.images.map((image) => image.pixels ?? Buffer.alloc(0)), request.packedPixels]);
  if (!pixels?.length || pixels.length % PIXELS) {
    callback({code: grpc.status.INVALID_ARGUMENT, details: 'raw pictures of 784 bytes, one or more'});
    return;
  }
  batcher.run(pixels, (error, logits) => {
    if (error) return callback(error);
    const results = [];
    for (let i = 0; i < logits.length; i += CLASSES) results.push(result(logits.subarray(i, i + CLASSES)));
    callback(null, {results, model: 'mnist', version: '1'});
  });
}

async function serve(model, protos) {
  const session = await ort.InferenceSession.create(
      model, {intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: 'sequential', graphOptimizationLevel: 'all'});
  const batcher = new Batcher(session);
  const definition = loader.loadSync('digit/v1/digit.proto', {includeDirs: [protos], arrays: true, defaults: true});
  const {digit} = grpc.loadPackageDefinition(definition);
  const server = new grpc.Server();
  server.addService(digit.v1.DigitService.service, {
    recognize: (call, callback) => recognize(batcher, call, callback),
    listModels: (call, callback) => callback(null, {models: [MODEL]}),
    getModel: (call, callback) => callback(null, {model: MODEL}),
  });
  return new Promise((resolve, reject) => server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(),
                                                           (error, port) => error ? reject(error) : resolve(port)));
}

const [model, protos, processes = '1'] = process.argv.slice(2);
if (cluster.isPrimary && processes > 1) {
  let listening = 0;
  cluster.on('listening', (_, address) => {
    if (++listening === Number(processes)) console.log(`listening on 127.0.0.1:${address.port}`);
  });
  for (let i = 0; i < processes; ++i) cluster.fork();
} else {
  const port = await serve(model, protos);
  if (cluster.isPrimary) console.log(`listening on 127.0.0.1:${port}`);
}
