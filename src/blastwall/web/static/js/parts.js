// The parts that pages are made of.

import { append, fill, h, icon, reconcile, seen, text, to } from "./dom.js";
import { absolute, relative, tick } from "./time.js";

/** A button; `kind` is primary, plain, quiet or danger, `name` an icon. */
export function button(label, { kind = "plain", name = null, type = "button", ...rest } = {}) {
  return h("button", { type, ...rest, class: `button ${kind} ${rest.class ?? ""}` }, name ? icon(name) : null, h("span", label));
}

/** A link that looks like a button. */
export function goes(label, href, { kind = "plain", name = null } = {}) {
  return h("a", { href, class: `button ${kind}` }, name ? icon(name) : null, h("span", label));
}

export const dot = (state) => h("span.dot", { "data-state": state, "aria-hidden": "true" });

const TONES = {
  waiting: "hold", asked: "hold", hold: "hold", held: "hold",
  approved: "allow", open: "allow", allow: "allow", live: "allow", ready: "allow", grant: "grant",
  denied: "deny", deny: "deny", refused: "deny", contained: "deny", revoked: "deny",
};

/** A state in a word, toned; the word says it all, the tone repeats it. */
export function badge(word, tone = TONES[word] ?? "none") {
  return h("span.badge", { "data-tone": tone }, word);
}

/** What a statement would do, as chips: the action, and the object that it is done to. */
export function effects(list) {
  return h("ul.chips", { "aria-label": "Effects" }, list.map((one) =>
    h("li.chip", { "data-action": one.action }, h("b", one.action), one.object ? text(one.object, "span") : null)));
}

export function chips(words, label) {
  return words.length ? h("ul.chips", { "aria-label": label }, words.map((word) => h("li.chip", text(word, "span")))) : h("span.faint", "none");
}

/** A moment, told relative and kept so; its title is absolute. */
export function when(at, missing = "–") {
  if (!at) return h("span.faint", missing);
  const element = h("time.when", { datetime: at, title: absolute(at) });
  return tick(element, () => {
    const told = relative(at);
    if (element.textContent !== told) element.textContent = told;
  });
}

/** Name and value, one under the other; a pair whose value is null is left out. */
export function facts(...pairs) {
  return h("dl.facts", pairs.filter((pair) => pair && pair[1] !== null && pair[1] !== undefined)
    .map(([name, value]) => h("div", h("dt", name), append(h("dd"), [value]))));
}

export function card(title, ...content) {
  return h("section.card", title ? h("h2", title) : null, content);
}

/** The head of a page: its one heading, what it says, and its actions. */
export function head(title, lead = null, ...actions) {
  return h("header.head", h("div", h("h1", title), lead ? h("p.lead", lead) : null), actions.some(Boolean) ? h("div.actions", actions) : null);
}

export function crumb(label, href) {
  return h("nav.crumb", { "aria-label": "Back" }, h("a", { href }, icon("back"), h("span", label)));
}

/** Who: agent or user, with a link where one leads on. */
export function principal(who, linked = true) {
  const name = h("span.name", seen(who.name));
  const shown = who.kind === "agent" && linked ? h("a", { href: to("agents", who.name) }, name) : name;
  return h("span.principal", icon(who.kind === "agent" ? "agent" : "user"), h("span.sr", `${who.kind} `), shown);
}

export function place(resource, database = null, linked = true) {
  const name = linked ? h("a", { href: to("resources", resource) }, text(resource)) : text(resource);
  return h("span.place", name, database ? [h("span.slash", "/"), text(database)] : null);
}

/** Bars where content will be. */
export function loading() {
  return h("div.loading", { role: "status" }, h("span.sr", "Loading…"), [0, 1, 2, 3].map(() => h("div.bar", { "aria-hidden": "true" })));
}

export function empty(title, ...more) {
  return h("div.empty", h("p.title", title), more.length ? h("p", more) : null);
}

/** What failed, in words that say whose turn it is. */
export function failure(error, again = null) {
  const title = { 0: "The gateway does not answer", 403: "Your roles do not allow this", 404: "There is no such thing here" }[error.status] ?? error.title ?? "This page failed";
  return h("div.failure", { role: "alert" }, icon("warn"), h("div", h("p.title", title), h("p", seen(error.message || "")), again ? button("Try again", { onclick: again }) : null));
}

export function note(tone, ...content) {
  return h("div.note", { "data-tone": tone }, icon({ deny: "warn", hold: "clock", allow: "check" }[tone] ?? "flag"), h("div", content));
}

/**
 * A table that becomes cards on a phone. `columns` are `{head, cell, wide?, number?, corner?}`; `rows.key` names a row, so that
 * `table.show(items)` later changes what changed and nothing else.
 */
export function table(caption, columns, key) {
  const body = h("tbody", { role: "rowgroup" });
  const element = h("table.table", { role: "table" }, h("caption.sr", caption),
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, columns.map((column) => h("th", { role: "columnheader", scope: "col", class: shape(column) }, column.head)))), body);
  const build = (item) => fillRow(h("tr", { role: "row" }), item);
  const fillRow = (row, item) => fill(row, columns.map((column) => h("td", { role: "cell", class: shape(column), "data-label": column.head }, column.cell(item))));
  const same = new Map();
  element.show = (items) => {
    reconcile(body, items, key, build, (row, item) => {
      if (same.get(row.dataset.key) !== JSON.stringify(item)) fillRow(row, item);
    });
    for (const item of items) same.set(String(key(item)), JSON.stringify(item));
  };
  return element;
}

const shape = (column) => [column.wide ? "wide" : "", column.number ? "number" : "", column.corner ? "corner" : ""].join(" ").trim() || null;

/** A labelled field. `hint` explains, `error` is announced; the control is anything with an id. */
export function field(label, control, { hint = null, optional = false } = {}) {
  const id = control.id || `f${Math.random().toString(36).slice(2, 9)}`;
  control.id = id;
  const error = h("p.error", { id: `${id}-error`, hidden: true });
  if (hint) control.setAttribute("aria-describedby", `${id}-hint`);
  const element = h("div.field", h("label", { for: id }, label, optional ? h("span.optional", " (optional)") : null), control, hint ? h("p.hint", { id: `${id}-hint` }, hint) : null, error);
  element.fail = (message) => {
    error.textContent = message;
    error.hidden = !message;
    control.setAttribute("aria-invalid", String(Boolean(message)));
    control.setAttribute("aria-describedby", [hint ? `${id}-hint` : "", message ? `${id}-error` : ""].join(" ").trim());
    if (message) control.focus();
  };
  return element;
}

export function input(attributes = {}) {
  return h("input", { type: "text", autocomplete: "off", spellcheck: "false", autocapitalize: "off", ...attributes });
}

export function select(options, value = "", attributes = {}) {
  const element = h("select", attributes, options.map(([name, label]) => h("option", { value: name }, label)));
  element.value = value;
  return element;
}

/** A choice of a few, as radio buttons side by side. */
export function segmented(legend, name, options, value, changed) {
  return h("fieldset.segmented", h("legend.sr", legend), options.map(([choice, label]) =>
    h("label", h("input", { type: "radio", name, value: choice, checked: choice === value, onchange: () => changed(choice) }), h("span", label))));
}

/**
 * Run what a button starts, once at a time: the button is busy meanwhile, and a failure is shown in `place`.
 * Returns what `work` returned, undefined where it failed.
 */
export async function busy(control, place, work) {
  if (control.getAttribute("aria-disabled") === "true") return undefined;
  control.setAttribute("aria-disabled", "true");
  control.classList.add("busy");
  fill(place);
  try {
    return await work();
  } catch (error) {
    fill(place, failure(error));
    return undefined;
  } finally {
    control.removeAttribute("aria-disabled");
    control.classList.remove("busy");
  }
}

/** Pages of a list under one another: `read(cursor)` gives `{items, next}`. */
export function pager(read, show, place) {
  const items = [];
  const more = button("Show more", { class: "showmore" });
  const failed = h("div");
  const take = (page) => {
    items.push(...page.items);
    show(items);
    more.hidden = !page.next;
    more.onclick = () => busy(more, failed, async () => take(await read(page.next)));
  };
  fill(place, more, failed);
  return { items, take };
}
