// One held statement: everything that there is to know before deciding, and the decision.

import { get, part, post } from "../api.js";
import { announce, external, fill, h, icon, seen, text, to } from "../dom.js";
import { badge, button, busy, card, crumb, effects, facts, field, head, input, note, place, principal, when } from "../parts.js";
import { binds, source } from "../sql.js";
import { timeLeft } from "./waiting.js";

const OUTCOMES = {
  approved: ["allow", "Approved. The statement was ruled on again and sent on."],
  denied: ["deny", "Denied. The statement was not run; the client was told why."],
  timeout: ["hold", "Nobody decided in time. The statement was not run."],
  withdrawn: ["none", "Withdrawn: the client left or cancelled. The statement was not run."],
};
const HOW = {
  statistics: "by the table's statistics alone",
  none: "cannot be told without running it",
};

export async function show(page) {
  let shown = await get(`/approvals/${part(page.params.id)}`, {}, page.signal);
  const decision = h("div.decision");
  const side = h("div.aside");
  const draw = () => {
    fill(decision, decide(shown, page.me, (after) => { shown = after; draw(); }));
    fill(side, quorumCard(shown), decisionsCard(shown), whoCard(shown));
  };
  page.title(`${shown.operation} on ${shown.resource}`);
  draw();
  fill(page.main, crumb("Waiting for me", "#/"), top(shown), h("div.columns", h("div.maincol", statementCard(shown), decision, whyCard(shown)), side));
  page.hear(["approval"], async (told) => {
    if (told.id && told.id !== shown.id) return;
    const fresh = await get(`/approvals/${part(shown.id)}`, {}, page.signal).catch(() => null);
    if (!fresh || JSON.stringify(fresh) === JSON.stringify(shown)) return;
    if (fresh.state !== shown.state) announce(`This request is now: ${fresh.state}`, true);
    const writing = decision.contains(document.activeElement) && fresh.state === "waiting" && fresh.can_decide;
    shown = fresh;
    if (writing) fill(side, quorumCard(shown), decisionsCard(shown), whoCard(shown));
    else draw();
  });
}

function top(one) {
  return head([`${one.operation} `, h("span.on", "on "), place(one.resource, one.database)],
    ["Asked by ", principal(one.principal), " ", when(one.asked_at)]);
}

function statementCard(one) {
  return card("What would run", source(one.text), one.parameters.length ? [h("h3", "Bind values"), binds(one.parameters, one.text)] : null,
    h("h3", "It would"), effects(one.effects), preview(one.preview),
    one.in_transaction && one.state === "waiting" ? note("hold", "Its transaction is open: the locks that it took stay taken until you decide.") : null);
}

function preview(found) {
  if (!found) return null;
  if (found.how === "counted") return h("div.impact", h("p.figure", found.rows.toLocaleString()), h("p.how", seen(found.note)));
  const rows = found.rows === null ? "Unknown" : `≤ ${found.rows.toLocaleString()} row${found.rows === 1 ? "" : "s"}`;
  return h("div.impact", h("p.figure", rows), h("p.how", "would be affected: ", found.note ? seen(found.note) : HOW[found.how] ?? found.how));
}

function whyCard(one) {
  return card("Why it is held", h("ul.policies", one.policies.map((policy) =>
    h("li", h("p", h("code", seen(policy.id)), " ", h("span.faint", seen(policy.where ?? ""))), policy.reason ? h("p", seen(policy.reason)) : null))));
}

// Claims that every token has come after those that say what runs.
const PLAIN = ["iss", "sub", "jti", "oid", "tid"];

function whoCard(one) {
  const claims = Object.entries(one.principal.claims ?? {}).sort(([first], [second]) => PLAIN.includes(first) - PLAIN.includes(second));
  return card("Who asks", facts(
    [one.principal.kind === "agent" ? "Agent" : "User", principal(one.principal)],
    ["Issuer", text(one.principal.issuer ?? "")],
    ["Subject", h("code", seen(one.principal.subject ?? ""))],
    one.principal.groups?.length ? ["Groups", text(one.principal.groups.join(", "))] : null,
    ...claims.map(([name, value]) => [seen(name), external(String(value), String(value))]),
    ["Session", h("a", { href: to("sessions", one.session) }, h("code", seen(one.session)))],
    one.node ? ["Node", text(one.node)] : null));
}

function quorumCard(one) {
  return card("Approvals", h("ul.needed", one.needed.map((need) => h("li",
    h("span", seen(need.group)), h("span.pips", { role: "img", "aria-label": `${need.given} of ${need.count} given` },
      Array.from({ length: need.count }, (_, at) => h("span.pip", { "data-given": String(at < need.given) }))),
    h("b", `${need.given} of ${need.count}`)))));
}

function decisionsCard(one) {
  if (!one.decisions.length) return null;
  return card("Decisions", h("ol.decisions", one.decisions.map((made) => h("li",
    h("p", badge(made.decision === "approve" ? "approved" : made.decision === "deny" ? "denied" : made.decision), " ", text(made.by, "b"), " ", when(made.at)),
    made.scope && made.scope !== "once" ? h("p.faint", SCOPES[made.scope]?.(made.minutes) ?? made.scope) : null,
    made.comment ? h("blockquote", seen(made.comment)) : null))));
}

const SCOPES = {
  statement: (minutes) => `for this exact statement during ${minutes ?? "some"} minutes`,
  session: () => "for this exact statement in this session",
};

function decide(one, me, done) {
  if (one.state !== "waiting") return outcome(one);
  if (!one.can_decide) {
    const mine = one.decisions.some((made) => made.decision === "approve" && made.by === me.name);
    const title = mine ? "You have approved; it waits for others" : "You cannot decide this";
    return card("Your decision", note(mine ? "allow" : "none", h("p.title", title), h("p", seen(one.cannot_because ?? "your roles do not allow it"))), leftLine(one));
  }
  return card("Your decision", decisionForm(one, done));
}

function outcome(one) {
  const [tone, said] = OUTCOMES[one.state] ?? ["none", one.state];
  const last = one.decisions.at(-1);
  return card("Decided", note(tone, h("p.title", badge(one.state), " ", when(one.ended_at, "")), h("p", said),
    last?.comment ? h("blockquote", seen(last.comment)) : null));
}

function leftLine(one) {
  return h("p.leftline", icon("clock"), one.mode === "fail" ? "The client was told to come back; the request ends in " : "The connection waits; time left ", timeLeft(one.until));
}

function decisionForm(one, done) {
  const minutes = input({ type: "number", min: "1", max: "1440", value: "30", inputmode: "numeric", "aria-label": "Minutes", class: "minutes" });
  const option = (value, label, extra = null) => h("label.option", h("input", { type: "radio", name: "scope", value, checked: value === "once" }), h("span", label), extra);
  const scope = h("fieldset.scope", h("legend", "If approved, it holds"),
    option("once", "once"),
    h("div.optionline", option("statement", "for this exact statement, during"), minutes, h("span", "min")),
    option("session", "for this exact statement, in this session"));
  minutes.addEventListener("focus", () => { scope.querySelector('[value="statement"]').checked = true; });
  const comment = field("Comment", h("textarea", { rows: "2", maxlength: "1000" }), { hint: "Recorded. If you deny, the agent's client is told this." });
  const failed = h("div.failed");
  const approve = button("Approve", { kind: "primary", name: "check", class: "large" });
  const deny = button("Deny", { kind: "danger", name: "cross", class: "large" });
  const send = (control, verb, body) => busy(control, failed, async () => {
    try {
      const after = await post(`/approvals/${part(one.id)}/${verb}`, body);
      announce(verb === "approve" ? "Approved" : "Denied", true);
      done(after);
      document.querySelector("main h1")?.focus({ preventScroll: true });
    } catch (error) {
      if (error.status === 409) done(await get(`/approvals/${part(one.id)}`));
      throw error;
    }
  });
  const said = () => comment.querySelector("textarea").value.trim();
  approve.addEventListener("click", () => {
    const chosen = scope.querySelector("input[type=radio]:checked").value;
    const body = { scope: chosen, comment: said() };
    if (chosen === "statement") body.minutes = Number(minutes.value);
    if (chosen === "statement" && !minutes.reportValidity()) return;
    send(approve, "approve", body);
  });
  deny.addEventListener("click", () => {
    comment.fail(said() ? "" : "Say why: the agent's client is told this, and it is recorded.");
    if (said()) send(deny, "deny", { comment: said() });
  });
  return h("form", { onsubmit: (event) => event.preventDefault() }, leftLine(one), scope, comment, failed, h("div.verdict", deny, approve));
}

