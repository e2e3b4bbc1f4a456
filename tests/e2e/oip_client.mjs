// node oip_client.mjs HOST:PORT: the Open Inference Protocol of a digitd that serves model/pretrained/mnist.pt, as Node's
// grpc-js speaks it. Runs in the repository's top folder, with the packages of client/examples/node; exit code 0 when all
// is as it should be.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';

const require = createRequire(`${process.cwd()}/client/examples/node/`);
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const {inference} = grpc.loadPackageDefinition(
    loader.loadSync('inference/grpc_service.proto', {includeDirs: ['proto'], keepCase: true, longs: String, defaults: true}));
const client = new inference.GRPCInferenceService(process.argv[2], grpc.credentials.createInsecure());
const call = (method, request) => new Promise(
    (resolve, reject) => client[method](request, (error, answer) => error ? reject(error) : resolve(answer)));

const files = ['seven.png', 'two-canvas.png', 'eight.bmp'].map((name) => readFileSync(`tests/data/images/${name}`));
const labels = ['7', '2', '8'];

const rawBytes = (elements) => Buffer.concat(elements.flatMap((element) => {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(element.length);
  return [length, element];
}));

const elementsOf = (answer, name) => {
  const index = answer.outputs.findIndex((output) => output.name === name);
  const raw = answer.raw_output_contents[index];
  const found = [];
  for (let at = 0; at < raw.length;) {
    if (answer.outputs[index].datatype === 'FP32') {
      found.push(raw.readFloatLE(at));
      at += 4;
    } else if (answer.outputs[index].datatype === 'INT32') {
      found.push(raw.readInt32LE(at));
      at += 4;
    } else {
      const length = raw.readUInt32LE(at);
      found.push(raw.toString('utf8', at + 4, at + 4 + length));
      at += 4 + length;
    }
  }
  return found;
};

const infer = (input, fields = {}) => call('ModelInfer', {inputs: [input], ...fields});
const images = {name: 'images', datatype: 'BYTES', shape: [3]};
// A vertical stroke: a one, also to the network.
const stroke = Buffer.alloc(784);
for (let y = 5; y < 23; ++y) stroke.fill(255, y * 28 + 13, y * 28 + 16);
const pixels = (datatype, shape = [1, 28, 28]) => ({name: 'pixels', datatype, shape});

const tests = {
  async 'files, raw and typed'() {
    const raw = await infer(images, {raw_input_contents: [rawBytes(files)], id: 'node', model_name: 'mnist'});
    const typed = await infer({...images, contents: {bytes_contents: files}});
    assert.equal(raw.id, 'node');
    for (const answer of [raw, typed]) {
      assert.equal(answer.model_name, 'mnist');
      assert.deepEqual(elementsOf(answer, 'label'), labels);
      assert.deepEqual(elementsOf(answer, 'class'), labels.map(Number));
      assert.equal(elementsOf(answer, 'probabilities').length, 30);
      assert.equal(elementsOf(answer, 'verdict')[0], 'confident');
    }
  },

  async 'pixels, UINT8 and FP32, raw and typed'() {
    const floats = Array.from(stroke, (value) => value / 255);
    const answers = [
      await infer(pixels('UINT8'), {raw_input_contents: [stroke]}),
      await infer(pixels('UINT8', [1, 1, 28, 28]), {raw_input_contents: [stroke]}),
      await infer({...pixels('UINT8'), contents: {uint_contents: [...stroke]}}),
      await infer(pixels('FP32'), {raw_input_contents: [Buffer.from(new Float32Array(floats).buffer)]}),
      await infer({...pixels('FP32'), contents: {fp32_contents: floats}}),
    ];
    for (const answer of answers) {
      assert.deepEqual(elementsOf(answer, 'label'), ['1']);
      assert.deepEqual(elementsOf(answer, 'probabilities'), elementsOf(answers[0], 'probabilities'));
    }
  },

  async 'outputs and classification'() {
    const answer = await infer(images, {
      raw_input_contents: [rawBytes(files)],
      outputs: [{name: 'probabilities', parameters: {classification: {int64_param: 1}}}],
    });
    assert.deepEqual(answer.outputs.map(({name, datatype, shape}) => [name, datatype, shape]),
                     [['probabilities', 'BYTES', ['3', '1']]]);
    elementsOf(answer, 'probabilities').forEach((text, i) => assert.match(text, new RegExp(`^[01]\\.\\d{6}:${labels[i]}:${labels[i]}$`)));
  },

  async 'errors have their code and say what is wrong'() {
    const {INVALID_ARGUMENT, NOT_FOUND, UNIMPLEMENTED} = grpc.status;
    const raw_input_contents = [rawBytes(files)];
    const wrong = [
      [INVALID_ARGUMENT, /0 inputs/, () => call('ModelInfer', {})],
      [INVALID_ARGUMENT, /'images' has no data/, () => infer(images)],
      [INVALID_ARGUMENT, /'x' is unknown/, () => infer({...images, name: 'x'}, {raw_input_contents})],
      [INVALID_ARGUMENT, /datatype 'FP32'/, () => infer({...images, datatype: 'FP32'}, {raw_input_contents})],
      [INVALID_ARGUMENT, /shape \[-1\]/, () => infer({...images, shape: [-1]}, {raw_input_contents})],
      [INVALID_ARGUMENT, /from 1 to 1024/, () => infer({...images, shape: ['4611686018427387904']}, {raw_input_contents})],
      [INVALID_ARGUMENT, /beyond the 2 elements/, () => infer({...images, shape: [2]}, {raw_input_contents})],
      [INVALID_ARGUMENT, /element 3/, () => infer({...images, shape: [4]}, {raw_input_contents})],
      [INVALID_ARGUMENT, /783 bytes/, () => infer(pixels('UINT8'), {raw_input_contents: [stroke.subarray(1)]})],
      [INVALID_ARGUMENT, /images\[1\]: /, () => infer({...images, contents: {bytes_contents: [files[0], Buffer.from('x'), files[2]]}})],
      [NOT_FOUND, /'other'/, () => infer(images, {raw_input_contents, model_name: 'other'})],
      [INVALID_ARGUMENT, /'config'/, () => call('RepositoryModelLoad', {model_name: 'mnist', parameters: {config: {string_param: '{}'}}})],
      [UNIMPLEMENTED, /until it stops/, () => call('RepositoryModelUnload', {model_name: 'mnist'})],
    ];
    for (const [code, details, run] of wrong) await assert.rejects(run, (error) => error.code === code && details.test(error.details), String(details));
  },

  async 'a stream answers in order and errors are answers'() {
    const stream = client.ModelStreamInfer();
    const answers = [];
    const ended = new Promise((resolve, reject) => stream.on('data', (answer) => answers.push(answer)).on('end', resolve).on('error', reject));
    for (let i = 0; i < 60; ++i) {
      const raw_input_contents = [i % 3 === 2 ? stroke.subarray(1) : stroke];
      stream.write({id: String(i), inputs: [pixels('UINT8')], raw_input_contents});
    }
    stream.end();
    await ended;
    assert.equal(answers.length, 60);
    answers.forEach(({error_message, infer_response}, i) => {
      assert.equal(infer_response.id, String(i));
      if (i % 3 === 2) {
        assert.match(error_message, /^INVALID_ARGUMENT: input 'pixels' has 783 bytes/);
      } else {
        assert.equal(error_message, '');
        assert.deepEqual(elementsOf(infer_response, 'label'), ['1']);
      }
    });
  },

  async 'what the server says of itself'() {
    assert.equal((await call('ServerLive', {})).live, true);
    assert.equal((await call('ServerReady', {})).ready, true);
    assert.equal((await call('ModelReady', {name: 'mnist'})).ready, true);
    assert.equal((await call('ServerMetadata', {})).name, 'digitd');
    const metadata = await call('ModelMetadata', {name: 'mnist'});
    assert.deepEqual(metadata.inputs.map(({name, shape}) => [name, shape]), [['pixels', ['-1', '28', '28']], ['images', ['-1']]]);
    const {config} = await call('ModelConfig', {name: 'mnist'});
    assert.deepEqual(config.output.map(({data_type}) => data_type), [11, 8, 13, 13]);
    const [statistics] = (await call('ModelStatistics', {})).model_stats;
    assert.ok(Number(statistics.inference_count) > 0);
    const [model] = (await call('RepositoryIndex', {ready: true})).models;
    assert.equal(model.state, 'READY');
    await call('RepositoryModelLoad', {model_name: 'mnist'});
  },
};

for (const [name, test] of Object.entries(tests)) {
  await test();
  console.log('ok', name);
}
client.close();
