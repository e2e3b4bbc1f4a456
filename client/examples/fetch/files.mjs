#!/usr/bin/env node
// files.mjs FILE...: what digits the pictures show, by the digit-gateway at $DIGIT_GATEWAY.
import {readFile} from 'node:fs/promises';
import {recognize} from './recognize.mjs';

for (const file of process.argv.slice(2)) {
  try {
    const {label, confidence} = await recognize(await readFile(file), {gateway: process.env.DIGIT_GATEWAY});
    console.log(`${file}: ${label} (${(100 * confidence).toFixed(1)}%)`);
  } catch (error) {
    console.log(`${file}: ${error.message}`);
    process.exitCode = 1;
  }
}
