// Checks Istio resources against the schemas of their CRDs, which `setup.sh crds` installs.
//
// Reads a JSON list of resources from standard input and prints a JSON list of problems. The schemas let unknown keys
// pass, as they come compiled to functions that look only at what they know; so what a function did not look at is a
// key that Istio does not know.

import { readFileSync } from "node:fs";

const schemas = new URL("../../target/npm/node_modules/@kubernetes-models/istio/_schemas/", import.meta.url);
// Of any shape in the schema: Envoy's own configuration.
const free = /^\/spec\/configPatches\/\d+\/patch\/value\//;

const problems = [];
for (const resource of JSON.parse(readFileSync(0, "utf8"))) {
  const name = `${resource.kind} ${resource.metadata?.name}`;
  const [group, version] = resource.apiVersion.split("/");
  const words = group.split(".").map((word) => word[0].toUpperCase() + word.slice(1));
  const file = `${words.join("")}V${version.slice(1)}${resource.kind}.js`;
  const { validate } = await import(new URL(file, schemas));
  const seen = new Set();
  if (!validate(watched(resource, "", seen))) {
    problems.push(...validate.errors.map((error) => `${name}${error.instancePath}: ${JSON.stringify(error.params)}`));
  }
  problems.push(...unseen(resource, "", seen).map((path) => `${name}${path}: is unknown`));
}
console.log(JSON.stringify(problems));

// `value`, noting in `seen` the path of everything that is read of it.
function watched(value, path, seen) {
  if (value === null || typeof value !== "object") return value;
  return new Proxy(value, {
    get(target, key) {
      const inner = target[key];
      if (typeof key === "symbol" || !Object.hasOwn(target, key)) return inner;
      seen.add(`${path}/${key}`);
      return watched(inner, `${path}/${key}`, seen);
    },
  });
}

function unseen(value, path, seen) {
  if (value === null || typeof value !== "object") return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const at = `${path}/${key}`;
    if (free.test(at)) return [];
    return seen.has(at) ? unseen(inner, at, seen) : [at];
  });
}
