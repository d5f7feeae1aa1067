// One grant: what is asked and why, who decided, how it ends.

import { get, part, post } from "../api.js";
import { announce, fill, h, seen, text } from "../dom.js";
import { badge, button, busy, card, chips, crumb, facts, field, head, note, place, principal, when } from "../parts.js";
import { quorum, timeLeft } from "./waiting.js";
import { duration } from "../time.js";

export async function show(page) {
  let one = await get(`/grants/${part(page.params.id)}`, {}, page.signal);
  const body = h("div.stack");
  const done = (after, said) => {
    one = after;
    draw();
    announce(said, true);
    page.main.querySelector("h1").focus({ preventScroll: true });
  };
  const draw = () => fill(body, about(one), decisions(one), actions(page, one, done));
  page.title(`Access to ${one.resource}`);
  draw();
  fill(page.main, crumb("Grants", "#/grants"), head(["Access to ", place(one.resource)], ["For ", principal(one.principal), ", asked ", when(one.asked_at), " by ", text(one.asked_by)]), body);
  page.hear(["grant"], async (told) => {
    if (told.id && told.id !== one.id) return;
    const fresh = await get(`/grants/${part(one.id)}`, {}, page.signal).catch(() => null);
    if (!fresh || JSON.stringify(fresh) === JSON.stringify(one)) return;
    if (fresh.state !== one.state) announce(`This grant is now ${fresh.state}`, true);
    const writing = body.contains(document.activeElement) && fresh.state === one.state;
    one = fresh;
    if (!writing) draw();
  });
}

function about(one) {
  return h("div.stack",
    one.kind === "break_glass" ? note("deny", h("p.title", "Break-glass"), h("p", "Opened without an approval. ", review(one))) : null,
    card("What is asked", h("blockquote", seen(one.reason)), facts(["State", h("span", badge(one.state), " ", one.state === "open" && one.ends ? ["time left ", timeLeft(one.ends)] : null)], ["Actions", chips(one.actions, "Actions")],
      ["For", duration(one.minutes * 60)], one.starts ? ["Began", when(one.starts)] : null, one.ends ? [Date.parse(one.ends) > Date.now() ? "Ends" : "Ended", when(one.ends)] : null,
      ["Last used", when(one.last_used, "never")], one.needed.length ? ["Approvals", h("span", quorum(one.needed))] : null)));
}

function review(one) {
  if (!one.review) return null;
  if (one.review.open) return "Its review is open.";
  return ["Reviewed by ", text(one.review.closed_by ?? ""), " ", when(one.review.closed_at), one.review.comment ? [": ", seen(one.review.comment)] : null];
}

function decisions(one) {
  if (!one.decisions.length) return null;
  return card("Decisions", h("ol.decisions", one.decisions.map((made) => h("li", h("p", badge(DONE[made.decision] ?? made.decision), " ", text(made.by, "b"), " ", when(made.at)), made.comment ? h("blockquote", seen(made.comment)) : null))));
}

const DONE = { approve: "approved", deny: "denied", revoke: "revoked", review: "reviewed" };

function actions(page, one, done) {
  const cards = [];
  if (one.state === "asked" && one.can_decide) cards.push(form(one, "Your decision", "Comment", [["Deny", "deny", "danger", "cross", "Denied", true], ["Approve", "approve", "primary", "check", "Approved", false]], done));
  else if (one.state === "asked") cards.push(card("Your decision", note("none", h("p.title", "You cannot decide this"), h("p", seen(one.cannot_because ?? "your roles do not allow it")))));
  if (one.state === "open" && page.has("operator")) cards.push(form(one, "End it now", "Why", [["Revoke", "revoke", "danger", "stop", "Revoked", true]], done));
  if (one.review?.open && !one.can_decide) cards.push(card("Review", note("none", h("p.title", "You cannot review this now"), h("p", seen(one.cannot_because ?? "your roles do not allow it")))));
  if (one.review?.open && one.can_decide) cards.push(form(one, "Review", "What you found", [["Close the review", "review", "primary", "check", "The review is closed", true]], done));
  return cards;
}

function form(one, title, label, choices, done) {
  const comment = field(label, h("textarea", { rows: "2", maxlength: "1000" }));
  const area = comment.querySelector("textarea");
  const failed = h("div.failed");
  const controls = choices.map(([words, verb, kind, name, said, must]) => {
    const control = button(words, { kind, name });
    control.addEventListener("click", () => {
      const comment_ = area.value.trim();
      comment.fail(must && !comment_ ? "Say why; it is recorded." : "");
      if (must && !comment_) return;
      busy(control, failed, async () => done(await post(`/grants/${part(one.id)}/${verb}`, { comment: comment_ }), said));
    });
    return control;
  });
  return card(title, h("form", { onsubmit: (event) => event.preventDefault() }, comment, failed, h("div.verdict", controls)));
}
