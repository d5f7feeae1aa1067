// How many decisions wait for this person, beside the place that shows them.

import { get, live } from "./api.js";

let asked = 0;

/**
 * Return what waits: approvals, grants that are asked for, break-glasses to review. Where one of them cannot be read,
 * the others are still shown, and `failed` says why.
 */
export async function mine(signal) {
  const found = await Promise.allSettled([
    all("/approvals", { state: "waiting" }, signal),
    all("/grants", { state: "asked" }, signal),
    all("/grants", { state: "all", unreviewed: "true" }, signal),
  ]);
  if (found.every((one) => one.status === "rejected")) throw found[0].reason;
  const [approvals, grants, reviews] = found.map((one) => one.value ?? []);
  return { approvals, grants, reviews, failed: found.find((one) => one.reason)?.reason ?? null };
}

const MOST_PAGES = 5;

async function all(path, filter, signal) {
  const items = [];
  let cursor = null;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const found = await get(path, { ...filter, limit: 200, cursor }, signal);
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
      const { approvals, grants, reviews } = await mine();
      if (turn !== asked) return;
      const count = [...approvals, ...grants, ...reviews].filter((one) => one.can_decide).length;
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
