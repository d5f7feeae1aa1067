// Containment: what is cut off, what was, and the big, safe button.

import { get, post } from "../api.js";
import { announce, fill, h, icon, seen, text } from "../dom.js";
import { button, busy, card, empty, field, head, input, note, pager, segmented, table, when } from "../parts.js";

const KINDS = [["agent", "Agent"], ["user", "User"], ["resource", "Resource"], ["session", "Session"], ["issuer", "Issuer"], ["pass", "Pass"]];
const FOR_GOOD = ["session", "pass"];
const ENDS = {
  agent: "Its open sessions end, its running statements are cancelled, its passes die, and its tokens open nothing.",
  user: "Their open sessions end, their running statements are cancelled, and their tokens open nothing.",
  resource: "Every open session on it ends, running statements are cancelled, and nobody gets in.",
  session: "This one session ends for good, and its running statement is cancelled. Its agent may begin another.",
  issuer: "Everybody whom this issuer vouches for is cut off: all their sessions end, and its tokens open nothing.",
  pass: "This one pass is revoked for good, by its id. Its agent may get another.",
};

export async function show(page) {
  const force = h("div");
  const load = async () => {
    const found = await get("/containment", { limit: 200 }, page.signal);
    fill(force, inForce(page, found.items, load));
  };
  const past = h("div");
  const history = async () => {
    const more = h("div");
    const list = table("History of containment", HISTORY, (one) => `${one.kind} ${one.name} ${one.at}`);
    const read = (cursor) => get("/containment/history", { cursor, limit: 25 }, page.signal);
    const first = await read(null);
    pager(read, (items) => list.show(items), more).take(first);
    fill(past, first.items.length ? [list, more] : h("p.faint", "Nothing has been contained yet."));
  };
  await Promise.all([load(), history()]);
  const both = () => Promise.all([load(), history()]).catch(() => {});
  fill(page.main, head("Containment", "Cuts an agent, a person, a resource, a session or an issuer off: on every node, within a second."),
    h("h2.section", "In force"), force, page.has("operator") ? await containing(page, both) : note("none", h("p", "Containing and lifting need the role operator.")), h("h2.section", "History"), past);
  page.hear(["containment"], both);
}

function inForce(page, items, again) {
  if (!items.length) return empty("Nothing is contained");
  return h("ul.contained", items.map((one) => h("li.card.danger", h("div.cardhead", h("h3", icon("stop"), h("span.faint", `${one.kind} `), text(one.name)), h("p.meta", "by ", text(one.by), " ", when(one.at))),
    h("p", seen(one.reason)), lift(page, one, again))));
}

function lift(page, one, again) {
  if (FOR_GOOD.includes(one.kind)) return h("p.hint", "It was ended for good: there is nothing to lift.");
  return page.has("operator") ? lifting(one, again) : null;
}

function lifting(one, again) {
  const reason = field("Why is it safe now?", h("textarea", { rows: "2", maxlength: "1000" }));
  const failed = h("div");
  const press = button("Lift", { kind: "primary" });
  press.addEventListener("click", () => {
    const said = reason.querySelector("textarea").value.trim();
    reason.fail(said ? "" : "Say why; it is recorded.");
    if (!said) return;
    busy(press, failed, async () => {
      await post("/containment/lift", { kind: one.kind, name: one.name, reason: said });
      announce(`${one.name} is no longer contained`, true);
      await again();
      document.querySelector("main h1").focus({ preventScroll: true });
    });
  });
  return h("details.fold", h("summary", "Lift…"), reason, failed, press);
}

const HISTORY = [
  { head: "What", wide: true, cell: (one) => h("span", h("span.faint", `${one.kind} `), text(one.name)) },
  { head: "Why", cell: (one) => seen(one.reason) },
  { head: "By", cell: (one) => h("span", text(one.by), " ", when(one.at)) },
  { head: "Lifted", cell: (one) => (one.lifted ? h("span", text(one.lifted_by ?? ""), " ", when(one.lifted), one.lift_reason ? [": ", seen(one.lift_reason)] : null) : h("b", "in force")) },
];

async function containing(page, done) {
  const [agents, resources] = await Promise.all([get("/agents", { limit: 200 }, page.signal), get("/resources", { limit: 200 }, page.signal)]);
  const known = { agent: agents.items.map((one) => one.name), resource: resources.items.map((one) => one.name), issuer: [...new Set(agents.items.map((one) => one.issuer))], user: [], session: [], pass: [] };
  let kind = KINDS.some(([name]) => name === page.query.get("kind")) ? page.query.get("kind") : "agent";
  const options = h("datalist", { id: "contain-names" });
  const name = input({ list: "contain-names", value: page.query.get("name") ?? "" });
  const ends = h("div.ends", { role: "status" });
  const typed = input();
  const reason = h("textarea", { rows: "2", maxlength: "1000" });
  const fields = { name: field("Name", name), reason: field("Reason", reason, { hint: "Told to those who are notified, and recorded." }), typed: field("Type the name again to confirm", typed) };
  const failed = h("div.failed");
  const press = button("Contain", { kind: "danger solid", name: "stop", type: "submit", class: "large wide" });
  let turn = 0;
  const shown = async () => {
    fill(options, known[kind].map((one) => h("option", { value: one })));
    const mine = ++turn;
    const count = name.value.trim() ? await living(kind, name.value.trim(), agents.items, page.signal).catch(() => null) : null;
    if (mine !== turn) return;
    fill(ends, h("p", ENDS[kind]), count === null ? null : h("p.figure", count >= 200 ? "200 or more open sessions" : `${count} open session${count === 1 ? "" : "s"}`, h("span.faint", " would end now")));
    ready();
  };
  const ready = () => press.classList.toggle("armed", Boolean(name.value.trim() && typed.value.trim() === name.value.trim() && reason.value.trim()));
  name.addEventListener("input", shown);
  typed.addEventListener("input", ready);
  reason.addEventListener("input", ready);
  const form = h("form.narrow", { onsubmit: (event) => event.preventDefault() }, segmented("What to contain", "kind", KINDS, kind, (value) => { kind = value; name.value = ""; shown(); }), fields.name, options, ends, fields.reason, fields.typed, failed, press);
  form.addEventListener("submit", () => submit({ kind, name: name.value.trim(), typed: typed.value.trim(), reason: reason.value.trim() }, fields, press, failed, async (body) => {
    await post("/containment", body, { once: true });
    announce(`${body.name} is contained`, true);
    for (const control of [name, typed, reason]) control.value = "";
    shown();
    await done();
    document.querySelector("main h1").focus({ preventScroll: true });
  }));
  await shown();
  return h("details.card.danger.fold.big", { open: page.query.has("kind") }, h("summary", icon("stop"), "Contain…"), form);
}

function submit(said, fields, press, failed, act) {
  fields.typed.fail(said.typed === said.name ? "" : "This is not the name above.");
  fields.reason.fail(said.reason ? "" : "Say why; it is recorded.");
  fields.name.fail(said.name ? "" : "Name what to contain.");
  if (!said.name || !said.reason || said.typed !== said.name) return;
  busy(press, failed, () => act({ kind: said.kind, name: said.name, reason: said.reason }));
}

/** How many open sessions a containment would end; null where that cannot be told beforehand. */
async function living(kind, name, agents, signal) {
  if (kind === "issuer") return agents.filter((one) => one.issuer === name).reduce((sum, one) => sum + one.sessions_live, 0);
  if (kind === "user" || kind === "pass") return null;
  if (kind === "session") return 1;
  const found = await get("/sessions", { live: "true", [kind]: name, limit: 200 }, signal);
  return found.items.length;
}
