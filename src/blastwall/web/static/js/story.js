// A session's events folded into what a person follows: one entry a statement, with all that came of it.

/** Fold events, in their order, into entries `{key, at, offset, kind, …}`; `offset` is seconds since the session began. */
export function fold(events) {
  const entries = [];
  const statements = new Map();
  let offset = 0;
  for (const event of events) {
    offset = event.offset ?? offset;
    if (event.type === "asked" || event.type === "repeated") {
      const entry = asked(event, offset, statements.get(Number(event.detail?.repeats)));
      statements.set(event.number, entry);
      entries.push(entry);
    } else if (statements.has(event.number) && CAME[event.type]) {
      CAME[event.type](statements.get(event.number), event);
    } else if (SAID[event.type]) {
      const [tone, said, detail] = SAID[event.type](event);
      entries.push({ key: `e${event.record}`, kind: "event", at: event.at, offset, tone, said, detail: detail ?? {} });
    }
  }
  return entries;
}

function asked(event, offset, first) {
  return {
    key: `s${event.number}`, kind: "statement", number: event.number, at: event.at, offset, text: event.text ?? "",
    parameters: event.parameters ?? [], declared: event.declared ?? [], effects: event.effects ?? [], doubt: event.detail?.doubt ?? "", stage: event.detail?.stage ?? "", operation: event.operation ?? "",
    decision: event.decision, policies: event.policies ?? first?.policies ?? [],
    reason: "", held: null, told: "", limited: false, withdrawn: false, injected: [], tables: [], outcome: null,
  };
}

// What comes of a statement, by the type of the record that says it.
const CAME = {
  ruled(entry, event) {
    // What was held stays told as held after its release, unless the second ruling denied it.
    if (entry.decision !== "hold" || event.decision === "deny") entry.decision = event.decision;
    entry.reason = event.reason || entry.reason;
    entry.policies = event.policies ?? entry.policies;
  },
  held(entry, event) {
    entry.decision = "hold";
    entry.held = { at: event.at, until: event.until, needed: event.needed ?? [], outcome: null, by: [], reason: "" };
  },
  hold_ended(entry, event) {
    entry.held = { ...entry.held, outcome: event.outcome, by: event.by ?? [], reason: event.reason ?? "", ended: event.at };
  },
  refused(entry, event) { entry.told = event.told ?? ""; },
  withdrawn(entry) { entry.withdrawn = true; },
  injected(entry, event) { entry.injected.push({ text: event.text ?? "", why: event.reason ?? "" }); },
  limited(entry, event) {
    entry.told = event.told ?? "";
    entry.limited = true;
  },
  rows(entry, event) { entry.tables.push({ columns: event.columns ?? [], rows: event.values ?? [] }); },
  finished(entry, event) {
    entry.outcome = { rows: event.rows, affected: event.affected, status: event.status ?? "", bytes: event.bytes, seconds: event.seconds, error: event.error, masked: event.masked ?? {} };
  },
};

// What concerns the session as a whole: its tone, what is said, and what else is known.
const SAID = {
  opened: (event) => ["none", `Connected from ${event.detail?.source ?? "an unknown address"}`],
  login: (event) => ["none", login(event.detail ?? {})],
  admitted: (event) => ["allow", `Admitted as ${event.detail?.principal ?? "its principal"}`, claims(event.detail)],
  login_refused: (event) => ["deny", `Login refused: ${event.reason ?? event.told ?? ""}`],
  injected: (event) => ["none", `The gateway sent its own: ${event.text ?? ""}`],
  budget_spent: (event) => ["deny", `The budget is spent: ${event.told ?? ""}`],
  unreadable: (event) => ["deny", `A record cannot be read: ${event.reason ?? ""}`],
  closed: (event) => ["none", `Ended: ${event.reason ?? ""}`],
};

function login({ user, database, application }) {
  return `Login${user ? ` as “${user}”` : ""}${database ? ` to ${database}` : ""}, by ${application || "an unnamed client"}`;
}

function claims(detail) {
  const known = Object.entries(detail ?? {}).filter(([name]) => name.startsWith("claim "));
  return Object.fromEntries(known.map(([name, value]) => [name.slice(6), value]));
}

/** Whether an entry is one that somebody looks for: denied, held, limited. */
export const notable = (entry) => entry.kind === "statement" ? entry.decision === "deny" || entry.decision === "hold" || entry.limited : entry.tone === "deny";
