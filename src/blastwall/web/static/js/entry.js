// One entry of a session's timeline.

import { external, h, icon, seen, text } from "./dom.js";
import { effects, facts } from "./parts.js";
import { binds, languageOf, source } from "./sql.js";
import { absolute, clock, duration } from "./time.js";

const RULED = { allow: "allowed", deny: "denied", hold: "held" };

/** Build it; `chosen` is called when its time is pressed, `fine` tells its time to the tenth of a second. */
export function entry(one, chosen, fine) {
  const at = h("button.at", { type: "button", title: absolute(one.at), onclick: chosen, "aria-label": `Go to ${clock(one.offset, fine)}` }, clock(one.offset, fine));
  if (one.kind === "event") return h("li.entry.event", { "data-tone": one.tone }, at, h("div", h("p.said", seen(one.said)), known(one.detail)));
  return h("li.entry.statement", { "data-tone": one.decision ?? "none" }, at, h("div.body",
    h("p.ruling", icon({ deny: "cross", hold: "hand", allow: "check" }[one.decision] ?? "clock"), h("b", RULED[one.decision] ?? "not ruled"), one.stage === "prepare" ? " to prepare" : null,
      h("span.faint", ` statement ${one.number}`), languageOf(one.text) === "http" && one.operation ? h("span.faint", " ", seen(one.operation)) : null, one.policies.length ? h("span.faint", " by ", seen(one.policies.join(", "))) : null),
    source(one.text, { label: `Statement ${one.number}`, language: languageOf(one.text) }), binds(one.parameters, one.text, one.declared), one.effects.length ? effects(one.effects) : null, held(one), came(one), one.tables.map(rows)));
}

function known(detail) {
  const pairs = Object.entries(detail);
  return pairs.length ? facts(...pairs.map(([name, value]) => [seen(name), external(String(value), String(value))])) : null;
}

function held(one) {
  if (!one.held) return null;
  const { outcome, by, reason, at, ended } = one.held;
  const waited = ended ? ` after ${duration((Date.parse(ended) - Date.parse(at)) / 1000)}` : "";
  return h("p.came", { "data-tone": "hold" }, outcome ? [`${outcome}${waited}`, by.length ? [" by ", seen(by.join(", "))] : null, reason ? [": ", seen(reason)] : null] : ["waits for approval", one.held.needed.length ? [" by ", seen(one.held.needed.join(", "))] : null]);
}

function came(one) {
  const lines = [];
  if (one.doubt) lines.push(h("p.came", { "data-tone": "hold" }, "In doubt: ", seen(one.doubt)));
  if (one.told) lines.push(h("p.came", { "data-tone": "deny" }, "The client was told: ", text(one.told, "q")));
  else if (one.decision === "deny" && one.reason) lines.push(h("p.came", { "data-tone": "deny" }, seen(one.reason)));
  for (const own of one.injected) lines.push(h("p.came", "The gateway sent ", h("code", seen(own.text)), own.why ? [" (", seen(own.why), ")"] : null));
  if (one.withdrawn) lines.push(h("p.came", "The client cancelled or left."));
  if (one.outcome) lines.push(outcome(one.outcome));
  return lines;
}

function outcome(found) {
  if (found.error) return h("p.came", { "data-tone": "deny" }, "The resource answered: ", seen(found.error));
  const masked = Object.values(found.masked).reduce((sum, count) => sum + count, 0);
  const parts = found.status ? [found.status, size(found.bytes ?? 0)] : [found.affected !== null && found.affected !== undefined ? `${found.affected.toLocaleString()} affected` : `${(found.rows ?? 0).toLocaleString()} row${found.rows === 1 ? "" : "s"}`];
  if (masked) parts.push(`${masked.toLocaleString()} ${found.status ? "value" : "cell"}${masked === 1 ? "" : "s"} masked`);
  if (found.seconds !== null && found.seconds !== undefined) parts.push(duration(found.seconds));
  return h("p.came", seen(parts.join(" · ")));
}

const UNITS = [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]];

function size(bytes) {
  const [unit, much] = UNITS.find(([, least]) => bytes >= least) ?? ["bytes", 1];
  return `${(bytes / much).toLocaleString(undefined, { maximumFractionDigits: 1 })} ${unit}`;
}

// JSON with a line for each value, any other text as it is: nothing but white space is added or left out.
function laidOut(body) {
  const [, whole, note] = /^([^]*?)(… \[\d+ bytes in all\])?$/.exec(body);
  if (!/^\s*[[{](?!\d+ bytes)/.test(whole)) return body;
  let [out, depth, before] = ["", 0, ""];
  for (const [part] of whole.matchAll(/"(?:[^"\\]|\\.)*"?|[{}[\],:]|[^"{}[\],:\s]+/g)) {
    const [opened, closes] = [before === "{" || before === "[", part === "}" || part === "]"];
    if (closes) depth = Math.max(depth - 1, 0);
    if (closes !== opened || before === ",") out += `\n${"  ".repeat(Math.min(depth, 20))}`;
    out += part === ":" ? ": " : part;
    if (part === "{" || part === "[") depth += 1;
    before = part;
  }
  return out + (note ?? "");
}

function rows(found) {
  if (found.columns.length === 1 && found.columns[0] === "body" && found.rows.length === 1) return source(laidOut(found.rows[0][0] ?? ""), { label: "Recorded answer", language: "http" });
  return h("div.rows", { tabindex: "0", role: "region", "aria-label": "Recorded rows" }, h("table",
    h("thead", h("tr", found.columns.map((column) => h("th", { scope: "col" }, seen(column))))),
    h("tbody", found.rows.map((row) => h("tr", row.map((cell) => h("td", cell === null ? h("i.faint", "null") : seen(cell))))))));
}
