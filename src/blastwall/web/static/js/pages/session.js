// One session: its card, what happened in it in its order, and its replay.

import { get, part, post } from "../api.js";
import { announce, append, fill, h, icon, reconcile, seen, text } from "../dom.js";
import { button, busy, card, crumb, empty, facts, field, head, note, place, principal, when } from "../parts.js";
import { FINE, Player } from "../player.js";
import { entry } from "../entry.js";
import { fold } from "../story.js";
import { absolute, duration } from "../time.js";

const MOST_EVENTS = 5000;
const PAGE = 500;

export async function show(page) {
  const id = page.params.id;
  let one = await get(`/sessions/${part(id)}`, {}, page.signal);
  page.title(`Session of ${one.principal?.name ?? "nobody"} on ${one.resource}`);
  const cards = h("div.stack");
  const story = h("section.story");
  const draw = () => fill(cards, summary(one), one.live && page.has("operator") ? killing(one, (after) => { one = after ?? one; draw(); }) : null);
  draw();
  fill(page.main, crumb("Sessions", "#/sessions"), head(["Session of ", one.principal ? principal(one.principal) : "somebody not identified"], [place(one.resource, one.database), " · ", when(one.began)]), cards, story);
  if (!page.has("auditor")) {
    fill(story, note("none", h("p.title", "What was said in it is for auditors"), h("p", "Reading a recording needs the role auditor; you see the session's card.")));
  } else await recorded(page, one, story);
  page.hear(["session"], async (told) => {
    if (told.id && told.id !== one.id) return;
    const fresh = await get(`/sessions/${part(id)}`, {}, page.signal).catch(() => null);
    if (!fresh || JSON.stringify(fresh) === JSON.stringify(one)) return;
    if (one.live && !fresh.live) announce("This session has ended", true);
    const writing = cards.contains(document.activeElement) && fresh.live;
    one = fresh;
    if (!writing) draw();
  });
}

function summary(one) {
  const lasted = one.ended ? (Date.parse(one.ended) - Date.parse(one.began)) / 1000 : null;
  const figure = (label, value, tone = null) => h("div.figurebox", h("p.figure", { "data-tone": value ? tone : null }, (value ?? 0).toLocaleString()), h("p.label", label));
  return h("div.card.summary",
    h("div.figures", figure("statements", one.statements), figure("denied", one.denied, "deny"), figure("held", one.held, "hold"), figure("rows", one.rows)),
    facts(["State", one.live ? h("span.badge", { "data-tone": "live" }, "live") : h("span", "ended ", when(one.ended))],
      ["Began", h("time", { datetime: one.began }, absolute(one.began))],
      lasted === null ? null : ["Lasted", duration(lasted)],
      one.end_reason ? ["Ended because", text(one.end_reason)] : null,
      one.locked?.length ? ["Encrypted; lacks the keys", text(one.locked.join(", "))] : null,
      ["From", text(one.source ?? "–")], ["Application", text(one.application || "–")], one.node ? ["Node", text(one.node)] : null,
      ["Id", h("code", seen(one.id))]));
}

function killing(one, done) {
  const reason = field("Reason", h("textarea", { rows: "2", maxlength: "1000", required: true }), { hint: "Recorded, and told to the client." });
  const failed = h("div");
  const kill = button("End this session now", { kind: "danger", name: "stop" });
  const details = h("details.card.fold", h("summary", icon("stop"), "End this session"), reason, failed, kill);
  kill.addEventListener("click", () => {
    const said = reason.querySelector("textarea").value.trim();
    reason.fail(said ? "" : "Say why.");
    if (!said) return;
    busy(kill, failed, async () => {
      const after = await post(`/sessions/${part(one.id)}/kill`, { reason: said });
      announce("The session is ended", true);
      done(after?.id ? after : await get(`/sessions/${part(one.id)}`));
    });
  });
  return details;
}

/** Read the records after `after`, "" for all, to the newest. */
async function readAll(id, after, signal) {
  const events = [];
  while (events.length < MOST_EVENTS) {
    const found = await get(`/sessions/${part(id)}/events`, { after, limit: PAGE }, signal);
    events.push(...found.items);
    if (!found.next || !found.items.length) return { events, whole: true };
    after = found.next;
  }
  return { events, whole: false };
}

async function recorded(page, one, story) {
  const { events, whole } = await readAll(one.id, "", page.signal);
  const entries = fold(events);
  if (!entries.length) {
    fill(story, empty("Nothing is recorded", "The session's events were deleted by retention, or it has only just begun."));
    return;
  }
  const list = h("ol.timeline");
  const length = one.ended ? (Date.parse(one.ended) - Date.parse(one.began)) / 1000 : 0;
  const player = new Player(entries, length, follow(list), page.signal);
  draw(list, entries, player);
  fill(story, h("h2.section", "What happened"), player.element, whole ? null : note("hold", `Only the first ${MOST_EVENTS.toLocaleString()} events are shown; blastwall sessions replay shows all.`), list, since(page, one, events, list, player));
  const keys = (event) => shortcut(event, player);
  document.addEventListener("keydown", keys, { signal: page.signal });
  append(story, [h("p.hint.keys", h("kbd", "space"), " plays and pauses, ", h("kbd", "←"), h("kbd", "→"), " step, ", h("kbd", "n"), " jumps to the next denied or held statement")]);
}

/** Draw the entries; those that are drawn already and say the same stay as they are. */
function draw(list, entries, player) {
  const build = (each) => {
    const node = entry(each, () => player.at(player.entries.findIndex((one) => one.key === each.key)), player.length < FINE);
    node.dataset.said = JSON.stringify(each);
    return node;
  };
  reconcile(list, entries, (each) => each.key, build, (node, each) => {
    if (node.dataset.said === JSON.stringify(each)) return node;
    const fresh = build(each);
    node.replaceWith(fresh);
    return fresh;
  });
}

/** A live session goes on: a button reads what came since. Each reading is logged, so nothing is read unasked. */
function since(page, one, events, list, player) {
  if (!one.live) return null;
  const failed = h("div");
  const more = button("Show what happened since", { name: "clock" });
  more.addEventListener("click", () => busy(more, failed, async () => {
    const fresh = await readAll(one.id, String(events.at(-1).record), page.signal);
    events.push(...fresh.events);
    const entries = fold(events);
    player.extend(entries);
    draw(list, entries, player);
    announce(fresh.events.length ? `${fresh.events.length} new records` : "Nothing new");
  }));
  return h("div.since", more, failed);
}

/** Mark the entry that is reached, and keep it in view. */
function follow(list) {
  return (index) => {
    list.querySelector('[aria-current="step"]')?.removeAttribute("aria-current");
    list.classList.add("replaying");
    [...list.children].forEach((child, at) => child.classList.toggle("ahead", at > index));
    const reached = list.children[index];
    if (!reached) return;
    reached.setAttribute("aria-current", "step");
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    reached.scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
  };
}

function shortcut(event, player) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, button, a, summary, [tabindex='0']")) return;
  const act = { " ": () => (player.playing ? player.pause() : player.play()), ArrowLeft: () => player.step(-1), ArrowRight: () => player.step(1), n: () => player.jump() }[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}
