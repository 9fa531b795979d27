// Types of the registry, and values of them: as JSON has them, and as they are computed with.
//
// bool -> boolean; int8..int64 -> BigInt; float32, float64 -> number; string, category -> string; date -> days since
// 1970 (number); timestamp, duration -> microseconds (BigInt); decimal -> {units: BigInt, scale}; list, embedding ->
// array; struct -> object. null is null.

export const INTEGERS = new Map([["int8", 8n], ["int16", 16n], ["int32", 32n], ["int64", 64n]]);
export const FLOATS = new Set(["float32", "float64"]);
export const isInteger = (dtype) => INTEGERS.has(dtype);
export const isFloat = (dtype) => FLOATS.has(dtype);
export const isDecimal = (dtype) => dtype.startsWith("decimal(");
export const isNumber = (dtype) => isInteger(dtype) || isFloat(dtype) || isDecimal(dtype);
export const isText = (dtype) => dtype === "string" || dtype === "category";
export const kind = (dtype) => dtype.split("(")[0];
const inside = (dtype) => dtype.slice(dtype.indexOf("(") + 1, -1);
export const element = (dtype) => (kind(dtype) === "embedding" ? "float32" : inside(dtype));
export const scaleOf = (dtype) => (isDecimal(dtype) ? Number(inside(dtype).split(", ")[1]) : 0);
export const precisionOf = (dtype) => Number(inside(dtype).split(", ")[0]);

/** The fields of `struct(a: int64, b: list(string))`, by name. */
export function fields(dtype) {
  const text = `${inside(dtype)},`;
  const found = {};
  for (let i = 0, start = 0, depth = 0; i < text.length; i++) {
    depth += { "(": 1, ")": -1 }[text[i]] ?? 0;
    if (text[i] === "," && depth === 0) {
      const [name, type] = text.slice(start, i).trim().split(/: (.*)/s);
      found[name] = type;
      start = i + 1;
    }
  }
  return found;
}

const DAY = 86_400_000;
const MOMENT = /^(.{10})[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?(Z|[+-]\d\d:?\d\d)?$/;

export const dayOf = (text) => Date.parse(`${text}T00:00:00Z`) / DAY;
export const dayText = (days) => new Date(days * DAY).toISOString().slice(0, 10);

export function momentOf(text) {
  const [, day, hour, minute, second = "0", fraction = "", zone = "Z"] = MOMENT.exec(text);
  const [, sign, hours, minutes] = /^([+-])(\d\d):?(\d\d)$/.exec(zone) ?? [null, "+", "0", "0"];
  const offset = (Number(hours) * 60 + Number(minutes)) * (sign === "-" ? -1 : 1);
  const seconds = dayOf(day) * 86_400 + Number(hour) * 3600 + (Number(minute) - offset) * 60 + Number(second);
  return BigInt(seconds) * 1_000_000n + BigInt(fraction.padEnd(6, "0"));
}

export const floorDiv = (a, b) => a / b - (a % b !== 0n && a < 0n !== b < 0n ? 1n : 0n);

export function momentText(micros) {
  const millis = floorDiv(micros, 1000n);
  const text = new Date(Number(millis)).toISOString().slice(0, -1);
  return `${text}${String(micros - millis * 1000n).padStart(3, "0")}Z`;
}

export function decimalOf(text, scale) {
  const [, sign, whole, fraction = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text);
  return { units: BigInt(sign + whole + fraction.padEnd(scale, "0")), scale };
}

export function decimalText({ units, scale }) {
  const digits = String(units < 0n ? -units : units).padStart(scale + 1, "0");
  const text = scale ? `${digits.slice(0, -scale)}.${digits.slice(-scale)}` : digits;
  return units < 0n ? `-${text}` : text;
}

/** A value as JSON has it, as one to compute with. */
export function read(value, dtype) {
  if (value === null || value === undefined) return null;
  if (isInteger(dtype) || dtype === "duration") return BigInt(value);
  if (isFloat(dtype)) return dtype === "float32" ? Math.fround(Number(value)) : Number(value);
  if (dtype === "date") return dayOf(value);
  if (dtype === "timestamp") return momentOf(value);
  if (isDecimal(dtype)) return decimalOf(String(value), scaleOf(dtype));
  if (Array.isArray(value)) return value.map((each) => read(each, element(dtype)));
  if (kind(dtype) === "struct") {
    return Object.fromEntries(Object.entries(fields(dtype)).map(([name, type]) => [name, read(value[name], type)]));
  }
  return value;
}

/** A value as JSON has it; text where JSON has no number for it. */
export function write(value, dtype) {
  if (value === null) return null;
  if (isInteger(dtype) || dtype === "duration") {
    return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  }
  if (isFloat(dtype)) return Number.isFinite(value) ? value : String(value);
  if (dtype === "date") return dayText(value);
  if (dtype === "timestamp") return momentText(value);
  if (isDecimal(dtype)) return decimalText(value);
  if (Array.isArray(value)) return value.map((each) => write(each, element(dtype)));
  if (kind(dtype) === "struct") {
    return Object.fromEntries(Object.entries(fields(dtype)).map(([name, type]) => [name, write(value[name], type)]));
  }
  return value;
}

const TEN = (digits) => 10n ** BigInt(digits);
const fits = (value, bits) => (value >= -(1n << (bits - 1n)) && value < 1n << (bits - 1n) ? value : null);

export function toFloat(value, dtype) {
  return isDecimal(dtype) ? Number(decimalText(value)) : Number(value);
}

/** A value of the one type as one of the other; null where the other cannot hold it. */
export function convert(value, given, wanted) {
  if (value === null || given === wanted || (isText(given) && isText(wanted))) return value;
  if (isInteger(wanted)) return toInteger(value, given, INTEGERS.get(wanted));
  if (isFloat(wanted)) {
    if (isText(given) && !/^-?[0-9]{1,18}(\.[0-9]+)?([eE][+-]?[0-9]+)?$/.test(value)) return null;
    const real = toFloat(value, given);
    return wanted === "float32" ? Math.fround(real) : real;
  }
  if (isDecimal(wanted)) return toDecimal(value, given, wanted);
  if (wanted === "string") return String(value);
  if (wanted === "timestamp") return BigInt(value) * 86_400_000_000n; // of a date
  if (wanted === "date") return toDate(value);
  throw new Error(`A ${given} cannot be cast to ${wanted}.`);
}

function toInteger(value, given, bits) {
  if (isText(given)) return /^-?[0-9]{1,18}$/.test(value) ? fits(BigInt(value), bits) : null;
  if (isDecimal(given)) return fits(value.units / TEN(value.scale), bits);
  if (typeof value === "number") return Number.isFinite(value) ? fits(BigInt(Math.trunc(value)), bits) : null;
  return fits(BigInt(value), bits);
}

function toDecimal(value, given, wanted) {
  const scale = scaleOf(wanted);
  const has = isDecimal(given) ? value : { units: BigInt(value), scale: 0 };
  const units = scale >= has.scale ? has.units * TEN(scale - has.scale) : has.units / TEN(has.scale - scale);
  const limit = TEN(precisionOf(wanted));
  return units < limit && units > -limit ? { units, scale } : null;
}

function toDate(text) {
  if (!/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(text) || text.startsWith("0000")) return null;
  const days = dayOf(text);
  return Number.isNaN(days) || dayText(days) !== text ? null : days;
}
