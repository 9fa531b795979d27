// One function for each operation of an expression, with the meaning that festaf gives it.
//
// An operation is made of its operands' types and constants: `make(types, constants)` gives the result's type and what
// computes it of values, none of them null. Those in LAZY see nulls, and so their operands uncomputed.

import * as v from "./values.mjs";

const wrap = (value) => BigInt.asIntN(64, value);
const DAY = 86_400_000_000n;
const LAST = v.momentOf("9999-12-31T23:59:59.999999Z");
const FIRST = v.momentOf("0001-01-01T00:00:00Z");

// --- numbers --------------------------------------------------------------------------------------------------------

/** The type of arithmetic: int64 among integers, a decimal with decimals, float64 with any float. */
function numberType(types) {
  if (types.every(v.isInteger)) return "int64";
  if (types.some(v.isFloat)) return "float64";
  return `decimal(38, ${Math.max(...types.map(v.scaleOf))})`;
}

const asDecimal = (value, dtype) => (v.isDecimal(dtype) ? value : { units: value, scale: 0 });
const rescaled = ({ units, scale }, wanted) => units * 10n ** BigInt(wanted - scale);
const limited = (units, scale) => (units < 10n ** 38n && units > -(10n ** 38n) ? { units, scale } : null);

function arithmetic(ofIntegers, ofFloats) {
  return (types) => {
    const dtype = numberType(types);
    if (dtype === "int64") return [dtype, (a, b) => wrap(ofIntegers(a, b))];
    if (dtype === "float64") return [dtype, (a, b) => ofFloats(v.toFloat(a, types[0]), v.toFloat(b, types[1]))];
    const scale = v.scaleOf(dtype);
    const units = (value, type) => rescaled(asDecimal(value, type), scale);
    return [dtype, (a, b) => limited(ofIntegers(units(a, types[0]), units(b, types[1])), scale)];
  };
}

function product(types) {
  const dtype = numberType(types);
  if (!v.isDecimal(dtype)) return arithmetic((a, b) => a * b, (a, b) => a * b)(types);
  const scale = v.scaleOf(types[0]) + v.scaleOf(types[1]);
  const multiplied = (a, b) => asDecimal(a, types[0]).units * asDecimal(b, types[1]).units;
  return [`decimal(38, ${scale})`, (a, b) => limited(multiplied(a, b), scale)];
}

const moment = (value, dtype) => (dtype === "date" ? BigInt(value) * DAY : value);
const withinTime = (value) => (value >= FIRST && value <= LAST ? value : null);

function addition(types) {
  if (types.every(v.isNumber)) return arithmetic((a, b) => a + b, (a, b) => a + b)(types);
  if (types[0] === "string") return ["string", (a, b) => a + b];
  if (types.every((t) => t === "duration")) return ["duration", (a, b) => a + b];
  return ["timestamp", (a, b) => withinTime(moment(a, types[0]) + moment(b, types[1]))];
}

function subtraction(types) {
  if (types.every(v.isNumber)) return arithmetic((a, b) => a - b, (a, b) => a - b)(types);
  if (types[1] === "duration" && types[0] !== "duration") {
    return ["timestamp", (a, b) => withinTime(moment(a, types[0]) - b)];
  }
  return ["duration", (a, b) => moment(a, types[0]) - moment(b, types[1])];
}

/** Of floats; division by zero is null. */
function divided(ofFloats) {
  return (types) => [
    "float64",
    (a, b) => {
      const divisor = v.toFloat(b, types[1]);
      return divisor === 0 ? null : ofFloats(v.toFloat(a, types[0]), divisor);
    },
  ];
}

function whole(ofIntegers, ofFloats) {
  return (types) => {
    if (numberType(types) !== "int64") return divided(ofFloats)(types);
    return ["int64", (a, b) => (b === 0n ? null : wrap(ofIntegers(a, b)))];
  };
}

/** As C has it, where JavaScript says NaN. */
function power(a, b) {
  if (a === 1 || (a === -1 && (b === Infinity || b === -Infinity))) return 1;
  return a ** b;
}

function real(compute, domain = () => true) {
  return (types) => [
    "float64",
    (value) => {
      const x = v.toFloat(value, types[0]);
      return Number.isNaN(x) || domain(x) ? compute(x) : null;
    },
  ];
}

function unsigned(ofIntegers, ofFloats) {
  return ([dtype]) => {
    if (dtype === "duration") return [dtype, ofIntegers];
    if (v.isInteger(dtype)) return ["int64", (a) => wrap(ofIntegers(a))];
    if (v.isFloat(dtype)) return ["float64", ofFloats];
    return [numberType([dtype]), ({ units, scale }) => ({ units: ofIntegers(units), scale })];
  };
}

function rounded(types, [digits = 0n]) {
  const scale = 10 ** Number(digits);
  const even = (x) => {
    const low = Math.floor(x);
    const nearest = x - low < 0.5 ? low : x - low > 0.5 ? low + 1 : low % 2 === 0 ? low : low + 1;
    return nearest === 0 ? (x < 0 || Object.is(x, -0) ? -0 : 0) : nearest;
  };
  return ["float64", (value) => {
    const scaled = v.toFloat(value, types[0]) * scale;
    return (Number.isFinite(scaled) ? even(scaled) : scaled) / scale;
  }];
}

function clipped(types, constants) {
  const dtype = numberType(types);
  const [low, high] = constants.map((bound, i) => v.convert(bound, types[i + 1], dtype));
  const less = order(dtype, dtype);
  return [dtype, (value) => {
    const number = v.convert(value, types[0], dtype);
    if (number === null || Number.isNaN(number)) return number;
    return less(number, low) < 0 ? low : less(number, high) > 0 ? high : number;
  }];
}

function buckets(types, edges) {
  const orders = edges.map((_, i) => order(types[i + 1], types[0]));
  const below = (edge, i, value) => orders[i](edge, value) <= 0;
  const count = (value) => BigInt(edges.filter((edge, i) => below(edge, i, value)).length);
  return ["int64", (value) => (Number.isNaN(value) ? null : count(value))];
}

// --- comparison -----------------------------------------------------------------------------------------------------

/** Text by code points, and not by the halves of them that JavaScript stores. */
function ofText(a, b) {
  const [left, right] = [Array.from(a), Array.from(b)];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    if (left[i] !== right[i]) return left[i].codePointAt(0) - right[i].codePointAt(0);
  }
  return left.length - right.length;
}

const ofNumbers = (a, b) => (a < b ? -1 : a > b ? 1 : a == b ? 0 : NaN);

/** What gives a negative number, zero, a positive number, or NaN where no order is. */
function order(left, right) {
  if (v.isText(left)) return ofText;
  if (!v.isNumber(left) || (v.isInteger(left) && v.isInteger(right))) return ofNumbers;
  if (v.isFloat(left) || v.isFloat(right)) return (a, b) => ofNumbers(v.toFloat(a, left), v.toFloat(b, right));
  const scale = Math.max(v.scaleOf(left), v.scaleOf(right));
  const units = (value, dtype) => rescaled(asDecimal(value, dtype), scale);
  return (a, b) => ofNumbers(units(a, left), units(b, right));
}

function comparison(holds) {
  return ([left, right]) => {
    const compare = order(left, right);
    return ["bool", (a, b) => holds(compare(a, b))];
  };
}

function isIn([subject, ...types], constants) {
  const orders = types.map((dtype) => order(subject, dtype));
  return ["bool", (value) => constants.some((constant, i) => orders[i](value, constant) === 0)];
}

function ordinal([subject, ...types], constants) {
  const place = (value) => constants.findIndex((constant, i) => order(subject, types[i])(value, constant) === 0);
  return ["int64", (value) => (place(value) < 0 ? null : BigInt(place(value)))];
}

// --- text -----------------------------------------------------------------------------------------------------------

const WHITE = "[\\t\\n\\x0b\\x0c\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+";
const SETS = { d: "0-9", w: "0-9A-Za-z_", s: " \\t\\n\\r\\x0b\\x0c" };

/** A pattern of the registry's kind as one of JavaScript's: classes of ASCII, `.` any sign but a line feed. */
function pattern(text, all = false) {
  let set = false;
  const portable = text.replace(/\\(.)|\[\^?|\]|\./gs, (token, escaped) => {
    if (escaped !== undefined) {
      if (SETS[escaped]) return set ? SETS[escaped] : `[${SETS[escaped]}]`;
      if (SETS[escaped.toLowerCase()]) return `[^${SETS[escaped.toLowerCase()]}]`;
      return /[tnr^$\\.*+?()[\]{}|/-]/.test(escaped) && (set || escaped !== "-") ? token : escaped;
    }
    if (token.startsWith("[")) set = true;
    if (token === "]") set = false;
    return token === "." && !set ? "[^\\n]" : token;
  });
  return new RegExp(all ? `^(?:${portable})$` : portable, "u");
}

const text = (dtype, compute) => () => [dtype, compute];
const points = (value) => Array.from(value);

// --- time -----------------------------------------------------------------------------------------------------------

const clocks = new Map();

/** Year, month, day, hour, minute and second of a moment on a zone's clocks. */
function clock(zone) {
  if (!clocks.has(zone)) {
    const names = ["year", "month", "day", "hour", "minute", "second"];
    const options = Object.fromEntries(names.map((name) => [name, "numeric"]));
    clocks.set(zone, new Intl.DateTimeFormat("en-US", { ...options, timeZone: zone, hourCycle: "h23", era: "short" }));
  }
  return (micros) => {
    const parts = clocks.get(zone).formatToParts(new Date(Number(v.floorDiv(micros, 1000n))));
    return Object.fromEntries(parts.map(({ type, value }) => [type, Number(value)]));
  };
}

const utcDay = (days) => {
  const date = new Date(days * 86_400_000);
  return { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() };
};
const dayNumber = ({ year, month, day }) => {
  const digits = [String(year).padStart(4, "0"), String(month).padStart(2, "0"), String(day).padStart(2, "0")];
  return v.dayOf(digits.join("-"));
};
const weekday = (parts) => ((((dayNumber(parts) + 3) % 7) + 7) % 7) + 1; // 1970 began on a Thursday
const dayOfYear = (parts) => dayNumber(parts) - dayNumber({ year: parts.year, month: 1, day: 1 }) + 1;

/** The week of ISO 8601: that of its Thursday. */
function week(parts) {
  const thursday = utcDay(dayNumber(parts) - weekday(parts) + 4);
  return Math.floor((dayOfYear(thursday) - 1) / 7) + 1;
}

function part(compute) {
  return ([dtype], [zone = "UTC"]) => {
    const parts = dtype === "date" ? utcDay : clock(zone);
    return ["int64", (value) => BigInt(compute(parts(value)))];
  };
}

const truncated = (types, [unit]) => {
  const length = unit === "day" ? DAY : DAY / 24n;
  return ["timestamp", (value) => v.floorDiv(value, length) * length];
};

// --- lists, vectors, structs ----------------------------------------------------------------------------------------

const known = (values) => values.filter((value) => value !== null);
const sum = (numbers) => numbers.reduce((total, each) => total + each, 0);
const dot = (a, b) => sum(a.map((each, i) => each * b[i]));

function contains([subject, wanted]) {
  if (v.isText(subject)) return ["bool", (value, part) => value.includes(part)];
  const compare = order(v.element(subject), wanted);
  return ["bool", (values, value) => known(values).some((each) => compare(each, value) === 0)];
}

function listSum([dtype]) {
  const of = v.element(dtype);
  if (v.isFloat(of)) return ["float64", (values) => sum(known(values))];
  return ["int64", (values) => wrap(known(values).reduce((total, each) => total + each, 0n))];
}

function extreme(wanted) {
  return ([dtype]) => [
    v.element(dtype),
    (values) => {
      const found = known(values);
      if (found.some(Number.isNaN)) return NaN;
      return found.length ? found.reduce((best, each) => (ofNumbers(each, best) === wanted ? each : best)) : null;
    },
  ];
}

const average = (values) => (known(values).length ? sum(known(values).map(Number)) / known(values).length : null);
const cosine = (a, b) => {
  const width = Math.sqrt(dot(a, a)) * Math.sqrt(dot(b, b));
  return width === 0 ? null : dot(a, b) / width;
};

const sign = (value) => {
  const zero = typeof value === "object" ? value.units : value;
  return Number.isNaN(zero) ? null : zero > 0 ? 1n : zero < 0 ? -1n : 0n;
};

export const OPERATIONS = {
  add: addition,
  sub: subtraction,
  mul: product,
  div: divided((a, b) => a / b),
  floordiv: whole(v.floorDiv, (a, b) => Math.floor(a / b)),
  mod: whole((a, b) => a - b * v.floorDiv(a, b), (a, b) => a - b * Math.floor(a / b)),
  pow: (types) => ["float64", (a, b) => power(v.toFloat(a, types[0]), v.toFloat(b, types[1]))],
  neg: unsigned((a) => -a, (a) => -a),
  abs: unsigned((a) => (a < 0n ? -a : a), Math.abs),
  sign: () => ["int64", sign],
  floor: real(Math.floor),
  ceil: real(Math.ceil),
  round: rounded,
  sqrt: real(Math.sqrt, (x) => x >= 0),
  exp: real(Math.exp),
  log: real(Math.log, (x) => x > 0),
  clip: clipped,
  bucketize: buckets,
  eq: comparison((c) => c === 0),
  ne: comparison((c) => c !== 0),
  lt: comparison((c) => c < 0),
  le: comparison((c) => c <= 0),
  gt: comparison((c) => c > 0),
  ge: comparison((c) => c >= 0),
  is_in: isIn,
  not: () => ["bool", (a) => !a],
  is_nan: () => ["bool", (a) => Number.isNaN(a)],
  ordinal,
  contains,
  starts_with: text("bool", (value, part) => value.startsWith(part)),
  ends_with: text("bool", (value, part) => value.endsWith(part)),
  matches: (types, [wanted]) => ["bool", ((all) => (value) => all.test(value))(pattern(wanted, true))],
  extract: (types, [wanted, group]) => ["string", (value) => pattern(wanted).exec(value)?.[Number(group)] ?? null],
  lower: text("string", (value) => value.toLowerCase()),
  upper: text("string", (value) => value.toUpperCase()),
  strip: text("string", (value) => value.replace(new RegExp(`^${WHITE}|${WHITE}$`, "g"), "")),
  replace: text("string", (value, old, fresh) => value.replaceAll(old, () => fresh)),
  split: text("list(string)", (value, separator) => value.split(separator)),
  slice: text("string", (value, from, length) => points(value).slice(Number(from), Number(from + length)).join("")),
  length: ([dtype]) => ["int64", (value) => BigInt(v.isText(dtype) ? points(value).length : value.length)],
  year: part((p) => p.year),
  quarter: part((p) => Math.floor((p.month + 2) / 3)),
  month: part((p) => p.month),
  week: part(week),
  day: part((p) => p.day),
  weekday: part(weekday),
  day_of_year: part(dayOfYear),
  hour: part((p) => p.hour),
  minute: part((p) => p.minute),
  second: part((p) => p.second),
  date: (types, [zone = "UTC"]) => ["date", (value) => dayNumber(clock(zone)(value))],
  truncate: truncated,
  seconds_since: () => ["float64", (a, b) => Number(a - b) / 1e6],
  days_since: () => ["int64", (a, b) => BigInt(a - b)],
  total_seconds: () => ["float64", (value) => Number(value) / 1e6],
  get: ([dtype]) => [v.element(dtype), (values, place) => values[Number(place)] ?? null],
  sum: listSum,
  mean: () => ["float64", average],
  min: extreme(-1),
  max: extreme(1),
  dot: () => ["float64", dot],
  cosine_similarity: () => ["float64", cosine],
  l2_norm: () => ["float64", (a) => Math.sqrt(dot(a, a))],
  field: ([dtype], [name]) => [v.fields(dtype)[name], (value) => value[name] ?? null],
};

// --- what sees nulls: (operands, types) -> [type, row -> value] -----------------------------------------------------

function when(operands, types) {
  const last = types.length - (types.length % 2);
  const dtype = types[1];
  return [dtype, (row) => {
    for (let i = 0; i < last; i += 2) {
      if (operands[i](row) === true) return v.convert(operands[i + 1](row), types[i + 1], dtype);
    }
    return last < types.length ? v.convert(operands[last](row), types[last], dtype) : null;
  }];
}

function map(operands, types) {
  const pairs = 1 + 2 * Math.floor((types.length - 1) / 2);
  const values = types.filter((_, i) => i > 0 && (i >= pairs || i % 2 === 0));
  const dtype = values.every((each) => each === values[0]) ? values[0] : "float64";
  const given = (row, i) => v.convert(operands[i](row), types[i], dtype);
  return [dtype, (row) => {
    const subject = operands[0](row);
    if (subject === null) return null;
    for (let i = 1; i < pairs; i += 2) {
      if (order(types[0], types[i])(subject, operands[i](row)) === 0) return given(row, i + 1);
    }
    return pairs < types.length ? given(row, pairs) : null;
  }];
}

/** Three-valued logic: one operand that is `decisive` decides, else a null makes it null. */
const logic = (decisive) => (operands) => ["bool", (row) => {
  const values = operands.map((operand) => operand(row));
  return values.includes(decisive) ? decisive : values.includes(null) ? null : !decisive;
}];

export const LAZY = {
  and: logic(false),
  or: logic(true),
  is_null: ([a]) => ["bool", (row) => a(row) === null],
  is_not_null: ([a]) => ["bool", (row) => a(row) !== null],
  fill_null: ([a, b], types) => [types[0], (row) => a(row) ?? v.convert(b(row), types[1], types[0])],
  when,
  map,
};
