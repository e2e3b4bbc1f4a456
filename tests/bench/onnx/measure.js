// measure.js MODEL.onnx IMAGES SECONDS BATCH...: ONNX Runtime on one thread, timed around session.run(). One JSON object
// a line: batch, images, and the time they took, by the clock and of the CPU. IMAGES is an IDX file of 28x28 pictures,
// which are turned into floats before the clock starts.
import {readFileSync} from 'node:fs';
import ort from 'onnxruntime-node';

const PIXELS = 28 * 28;
const HEADER = 16;

// As many batches of different pictures as there are in the file, but no more than some 1,000 pictures.
function batches(pictures, size) {
  const count = Math.max(1, Math.floor(Math.min(1000, pictures.length / PIXELS) / size));
  return Array.from({length: count}, (_, i) => {
    const bytes = pictures.subarray(i * size * PIXELS, (i + 1) * size * PIXELS);
    return new ort.Tensor('float32', Float32Array.from(bytes, (value) => value / 255), [size, 1, 28, 28]);
  });
}

async function measure(session, inputs, size, seconds) {
  for (const pixels of inputs.slice(0, 20)) await session.run({pixels});  // warm
  const start = process.hrtime.bigint();
  const startCpu = process.cpuUsage();
  let runs = 0;
  let elapsed = 0;
  while (elapsed < seconds) {
    for (let i = 0; i < 10; ++i, ++runs) await session.run({pixels: inputs[runs % inputs.length]});
    elapsed = Number(process.hrtime.bigint() - start) / 1e9;
  }
  const cpu = process.cpuUsage(startCpu);
  return {batch: size, images: runs * size, wall_seconds: elapsed, cpu_seconds: (cpu.user + cpu.system) / 1e6};
}

const [model, images, seconds, ...sizes] = process.argv.slice(2);
const session = await ort.InferenceSession.create(
    model, {intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: 'sequential', graphOptimizationLevel: 'all'});
const pictures = readFileSync(images).subarray(HEADER);
for (const size of sizes.map(Number)) {
  console.log(JSON.stringify(await measure(session, batches(pictures, size), size, Number(seconds))));
}
