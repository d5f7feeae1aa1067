// How many decisions wait for this person, beside the place that shows them.

import { get, live } from "./api.js";

let asked = 0;

/**
 * Return what waits: approvals and asked grants. Where one of the two cannot be read, the other is still shown, and
 * `failed` says why.
 */
export async function mine(signal) {
  const [approvals, grants] = await Promise.allSettled([all("/approvals", "waiting", signal), all("/grants", "asked", signal)]);
  if (approvals.status === "rejected" && grants.status === "rejected") throw approvals.reason;
  return { approvals: approvals.value ?? [], grants: grants.value ?? [], failed: approvals.reason ?? grants.reason ?? null };
}

const MOST_PAGES = 5;

async function all(path, state, signal) {
  const items = [];
  let cursor = null;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const found = await get(path, { state, limit: 200, cursor }, signal);
    items.push(...found.items);
    cursor = found.next;
    if (!cursor) break;
  }
  return items;
}

/** Keep the number in the navigation current. */
export function waitingCount(app) {
  const update = async () => {
    const turn = ++asked;
    try {
      const { approvals, grants } = await mine();
      if (turn !== asked) return;
      const count = [...approvals, ...grants].filter((one) => one.can_decide).length;
      for (const badge of app.querySelectorAll("[data-waiting]")) {
        badge.hidden = count === 0;
        badge.textContent = count > 99 ? "99+" : String(count);
        badge.title = `${count} wait for you`;
      }
    } catch {
      // The page itself says what failed.
    }
  };
  let soon = 0;
  const later = () => { clearTimeout(soon); soon = setTimeout(update, 150); };
  for (const kind of ["approval", "grant", "again"]) live.addEventListener(kind, later);
  update();
}
