// node schema_check.js FOLDER: holds the manifests on standard input, a JSON array, against the JSON schemas in FOLDER,
// an unpacked npm package kubernetes-models 3.1.0. Stricter than a cluster: a field that no schema knows is an error.
const fs = require('fs');
const Module = require('module');
const path = require('path');

const folder = path.resolve(process.argv[2], '_schemas');
const schemas = {};

// The package's files register their schemas with another package, which validates; ours only keeps them.
const load = Module._load;
Module._load = (name, ...rest) => {
  if (name === '@kubernetes-models/validate') return {register: (id, schema) => { schemas[id] = schema; }};
  if (name.startsWith('@kubernetes-models/apimachinery/')) return {addSchema() {}};
  return load(name, ...rest);
};
for (const file of fs.readdirSync(folder)) {
  if (file.endsWith('.js')) require(path.join(folder, file)).addSchema();
}

const types = {
  string: (value) => typeof value === 'string',
  integer: Number.isInteger,
  number: (value) => typeof value === 'number',
  boolean: (value) => typeof value === 'boolean',
  array: Array.isArray,
  object: (value) => typeof value === 'object' && !Array.isArray(value),
};

function* problems(value, schema, where) {
  if (schema.oneOf) schema = schema.oneOf.find((choice) => choice.type !== 'null');
  if (schema.$ref) {
    const id = schema.$ref.replace(/#$/, '');
    if (!schemas[id]) return;  // of another package: metadata, quantities, label selectors
    schema = schemas[id];
  }
  if (schema.type && !types[schema.type](value)) yield `${where} is not of type ${schema.type}`;
  if (schema.enum && !schema.enum.includes(value)) yield `${where} is none of ${schema.enum}`;
  for (const name of schema.required ?? []) {
    if (!(name in value)) yield `${where}.${name} is missing`;
  }
  for (const [name, item] of Object.entries(schema.properties ? value : {})) {
    if (schema.properties[name]) {
      yield* problems(item, schema.properties[name], `${where}.${name}`);
    } else {
      yield `${where}.${name} is unknown`;
    }
  }
  for (const [i, item] of (schema.items ? value : []).entries()) yield* problems(item, schema.items, `${where}[${i}]`);
}

let failed = 0;
for (const manifest of JSON.parse(fs.readFileSync(0))) {
  const group = manifest.apiVersion.includes('/') ? manifest.apiVersion : `core/${manifest.apiVersion}`;
  const id = `io.k8s.api.${group.replace('/', '.')}.${manifest.kind}`;
  const found = schemas[id] ? [...problems(manifest, schemas[id], manifest.kind)] : [`there is no ${id}`];
  for (const problem of found) console.error(problem);
  failed += found.length;
}
process.exit(failed ? 1 : 0);
