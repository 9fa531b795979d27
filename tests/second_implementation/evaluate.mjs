// The row-level features of a view, from registry.json and source rows.
//
//     node evaluate.mjs registry.json VIEW < rows.jsonl > features.jsonl

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { LAZY, OPERATIONS } from "./operations.mjs";
import { convert, read, write } from "./values.mjs";

/** What an expression needs that a single row cannot give. */
export class BeyondTheRow extends Error {}

const SCALINGS = new Set(["standard_scale", "min_max_scale"]);

/** A feature's expression over columns of these types: `[type, row -> value]`. */
export function compile(expression, types, feature) {
  const { op, args = [] } = expression;
  if (op === "column") {
    if (!types.has(expression.name)) throw new BeyondTheRow(`it reads ${expression.name}, which is left out`);
    return [types.get(expression.name), (row) => row[expression.name] ?? null];
  }
  if (op === "literal") {
    const value = read(expression.value, expression.dtype);
    return [expression.dtype, () => value];
  }
  if (op === "window") throw new BeyondTheRow(`it is the ${expression.aggregate} of several rows`);
  if (op === "python") throw new BeyondTheRow(`it is computed by ${expression.module}.${expression.function}`);
  if (SCALINGS.has(op)) return compile(scaled(expression, feature), types, feature);
  const compiled = args.map((arg) => compile(arg, types, feature));
  const operandTypes = compiled.map(([dtype]) => dtype);
  const operands = compiled.map(([, compute]) => compute);
  if (op === "cast") return [expression.dtype, (row) => convert(operands[0](row), operandTypes[0], expression.dtype)];
  if (op in LAZY) return LAZY[op](operands, operandTypes);
  if (!(op in OPERATIONS)) throw new Error(`There is no operation ${op}.`);
  const constants = args.slice(1).filter((arg) => arg.op === "literal").map((arg) => read(arg.value, arg.dtype));
  const [dtype, compute] = OPERATIONS[op](operandTypes, constants);
  return [dtype, (row) => {
    const values = operands.map((operand) => operand(row));
    return values.includes(null) ? null : compute(...values);
  }];
}

/** Scaling as plain arithmetic, with the numbers that were learned. */
function scaled({ op, args }, feature) {
  const learned = feature.learned?.parameters;
  if (!learned) throw new BeyondTheRow("its parameters were not learned yet");
  const [low, width] = op === "standard_scale" ? [learned.mean, learned.std] : [learned.min, learned.max - learned.min];
  const number = (value) => ({ op: "literal", dtype: "float64", value });
  const moved = { op: "sub", args: [args[0], number(low)] };
  return width ? { op: "div", args: [moved, number(width)] } : moved;
}

/** The features of a view that rows can give, in their order: `{columns, features, left}`. */
export function plan(registry, name, brought = new Set()) {
  const view = [...registry.views, ...(registry.on_demand ?? [])].find((each) => each.name === name);
  if (!view) throw new Error(`There is no view ${name}.`);
  const keys = [...(view.entities ?? []), ...(view.request ?? [])];
  const columns = new Map(keys.map((key) => [key.name, { dtype: key.dtype }]));
  for (const time of [view.event_time, view.created_time]) if (time) columns.set(time, { dtype: "timestamp" });
  for (const feature of view.features) {
    const fill = read(feature.fill_null, feature.dtype);
    if (!feature.expression) columns.set(feature.name, { dtype: feature.dtype, fill });
  }
  for (const other of registry.views) {
    for (const feature of other.features) columns.set(`${other.name}.${feature.name}`, { dtype: feature.dtype });
  }
  const types = new Map([...columns].map(([column, { dtype }]) => [column, dtype]));
  const computed = new Map();
  const left = new Map();
  const waiting = new Map(view.features.filter((each) => each.expression).map((each) => [each.name, each]));
  const visit = (feature) => {
    waiting.delete(feature.name);
    for (const input of feature.inputs) if (waiting.has(input)) visit(waiting.get(input));
    try {
      const [dtype, compute] = compile(feature.expression, types, feature);
      const both = `${feature.dtype}, and gives ${dtype}`;
      if (dtype !== feature.dtype) throw new Error(`${name}.${feature.name} is said to be ${both}.`);
      computed.set(feature.name, { dtype, compute });
    } catch (error) {
      if (!(error instanceof BeyondTheRow)) throw error;
      if (!brought.has(feature.name)) return left.set(feature.name, error.message);
      columns.set(feature.name, { dtype: feature.dtype });
    }
    types.set(feature.name, feature.dtype);
  };
  while (waiting.size) visit(waiting.values().next().value);
  return { columns, computed, left };
}

/** A row with what can be computed of it; values as JSON has them, in and out. */
export function evaluate({ columns, computed }, given) {
  const row = {};
  for (const [name, { dtype, fill = null }] of columns) row[name] = read(given[name], dtype) ?? fill;
  for (const [name, { compute }] of computed) row[name] = compute(row);
  const told = {};
  for (const [name, { dtype }] of [...columns, ...computed]) {
    if (name in given || computed.has(name)) told[name] = write(row[name], dtype);
  }
  return told;
}

/** JSON whose integers beyond 2^53 stay what they are: as text. */
export function parse(text) {
  return JSON.parse(text, (key, value, context) => {
    const exact = typeof value !== "number" || Number.isSafeInteger(value) || !Number.isInteger(value);
    return exact || !/^-?\d+$/.test(context?.source ?? "") ? value : context.source;
  });
}

function main([registryFile, view]) {
  const registry = parse(readFileSync(registryFile, "utf8"));
  const rows = readFileSync(0, "utf8").split("\n").filter(Boolean).map(parse);
  const planned = plan(registry, view, new Set(rows.flatMap(Object.keys)));
  for (const [name, reason] of planned.left) process.stderr.write(`${view}.${name} is left out: ${reason}.\n`);
  process.stdout.write(rows.map((row) => `${JSON.stringify(evaluate(planned, row))}\n`).join(""));
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) main(process.argv.slice(2));
