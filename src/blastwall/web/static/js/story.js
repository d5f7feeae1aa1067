// A session's events folded into what a person follows: one entry a statement, with all that came of it.

/** Fold events, in their order, into entries `{key, at, offset, kind, …}`; `offset` is seconds since the session began. */
export function fold(events) {
  const entries = [];
  const statements = new Map();
  for (const event of events) {
    const type = event.type;
    if (type === "statement_asked" || type === "statement_repeated") {
      const entry = asked(event, statements.get(event.first));
      statements.set(event.number, entry);
      entries.push(entry);
    } else if (statements.has(event.number) && RULES[type]) {
      RULES[type](statements.get(event.number), event);
    } else if (SAID[type]) {
      entries.push({ key: `e${entries.length}`, kind: "event", at: event.at, offset: event.offset, tone: SAID[type][0], said: SAID[type][1](event) });
    }
  }
  return entries;
}

function asked(event, first) {
  return {
    key: `s${event.number}`, kind: "statement", number: event.number, at: event.at, offset: event.offset,
    text: event.text ?? first?.text ?? "", parameters: event.parameters ?? [], effects: event.effects ?? first?.effects ?? [],
    decision: event.decision ?? first?.ruled ?? null, ruled: event.decision ?? first?.ruled ?? null, policies: first?.policies ?? [],
    reason: "", held: null, told: "", injected: [], tables: [], outcome: null,
  };
}

const RULES = {
  statement_ruled(entry, event) {
    entry.ruled = event.decision;
    if (entry.decision !== "hold" || event.decision === "deny") entry.decision = event.decision;
    entry.reason = event.reason || entry.reason;
    entry.policies = event.policies ?? entry.policies;
  },
  hold_started(entry, event) {
    entry.decision = "hold";
    entry.held = { at: event.at, until: event.until, outcome: null, by: [] };
  },
  hold_ended(entry, event) {
    entry.held = { ...entry.held, outcome: event.outcome, by: event.by ?? [], reason: event.reason ?? "", ended: event.at };
  },
  statement_refused(entry, event) { entry.told = event.told ?? event.reason ?? ""; },
  statement_withdrawn(entry) { entry.withdrawn = true; },
  statement_injected(entry, event) { entry.injected.push({ text: event.text, why: event.why }); },
  statement_limited(entry, event) { entry.told = event.told ?? ""; entry.limited = true; },
  statement_rows(entry, event) { entry.tables.push({ columns: event.columns ?? [], rows: event.values ?? [] }); },
  statement_finished(entry, event) {
    entry.outcome = { rows: event.rows, affected: event.affected, seconds: event.seconds, error: event.error, bytes: event.bytes, masked: event.masked ?? {} };
  },
};

const SAID = {
  session_opened: ["none", (event) => `Connected from ${event.source ?? "an unknown address"}`],
  login_admitted: ["allow", (event) => `Signed in as ${event.principal ?? "its principal"}`],
  login_refused: ["deny", (event) => `Login refused: ${event.reason ?? event.told ?? ""}`],
  statement_injected: ["none", (event) => `The gateway sent its own: ${event.text ?? ""}`],
  budget_spent: ["deny", (event) => `The budget is spent: ${event.told ?? ""}`],
  session_closed: ["none", (event) => `Ended: ${event.reason ?? ""}`],
};

/** Whether an entry is one that somebody looks for: denied, held, limited, or failed by policy. */
export const notable = (entry) => entry.kind === "statement" ? entry.decision === "deny" || entry.decision === "hold" || entry.limited === true : entry.tone === "deny";
