// Times: relative for people, absolute in the title, counted on together once a second.

const ABSOLUTE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
const SHORT = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

/** Return a duration in its two largest units: `4 min 10 s`. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return "–";
  if (seconds > 0 && seconds < 1) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  let left = Math.max(0, Math.round(seconds));
  const parts = [];
  for (const [unit, size] of UNITS) {
    if (left >= size && parts.length < 2) {
      parts.push(`${Math.floor(left / size)} ${unit}`);
      left %= size;
    } else if (parts.length) break;
  }
  return parts.join(" ") || "0 s";
}

/** Return a moment as it is told: `3 min ago`, `in 2 h`. */
export function relative(at, now = Date.now()) {
  const seconds = (Date.parse(at) - now) / 1000;
  const far = Math.abs(seconds);
  if (far < 5) return "just now";
  const [unit, size] = UNITS.find(([, length]) => far >= length);
  const told = `${Math.floor(far / size)} ${unit}`;
  return seconds < 0 ? `${told} ago` : `in ${told}`;
}

/** Return how long until a moment, as a clock: `4:09`. */
export function countdown(until, now = Date.now()) {
  const left = Math.max(0, Math.ceil((Date.parse(until) - now) / 1000));
  const hours = Math.floor(left / 3600);
  const minutes = Math.floor((left % 3600) / 60);
  const seconds = String(left % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${seconds}` : `${minutes}:${seconds}`;
}

export const absolute = (at) => ABSOLUTE.format(new Date(at));
export const short = (at) => SHORT.format(new Date(at));
/** A position as a clock: `01:09`; with `fine` to the tenth of a second. */
export const clock = (seconds, fine = false) => {
  const tenth = fine ? `.${Math.floor((Math.max(0, seconds) % 1) * 10)}` : "";
  const whole = Math.max(0, Math.floor(seconds));
  const tail = `${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")}:${String(whole % 60).padStart(2, "0")}`;
  return (whole >= 3600 ? `${Math.floor(whole / 3600)}:${tail}` : tail) + tenth;
};

const ticking = new Set();

/** Call `step` now and each second while `element` is on the page. */
export function tick(element, step) {
  step();
  ticking.add({ element, step });
  return element;
}

setInterval(() => {
  for (const one of ticking) {
    if (one.element.isConnected) {
      one.seen = true;
      one.step();
    } else if (one.seen || (one.waits = (one.waits || 0) + 1) > 30) ticking.delete(one);
  }
}, 1000);
