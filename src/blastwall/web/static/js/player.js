// Replaying a session in its own time: a position in seconds, and what moves it.

import { announce, fill, h, icon } from "./dom.js";
import { select } from "./parts.js";
import { clock } from "./time.js";
import { notable } from "./story.js";

const SPEEDS = [["0.5", "½×"], ["1", "1×"], ["4", "4×"], ["16", "16×"], ["64", "64×"]];
const LONGEST_PAUSE = 3;
export const FINE = 30;

/** The controls; `moved(index, playing)` is told of the entry that is reached, -1 before the first. */
export class Player {
  constructor(entries, length, moved, signal) {
    this.entries = entries;
    this.length = Math.max(length, entries.at(-1)?.offset ?? 0, 0.001);
    this.moved = moved;
    this.position = 0;
    this.speed = 1;
    this.playing = false;
    this.element = this.#build();
    signal.addEventListener("abort", () => this.pause());
    this.index = -1;
    this.#shown();
  }

  #build() {
    const press = (name, label, act) => h("button.button.quiet.square", { type: "button", "aria-label": label, title: label, onclick: act }, icon(name));
    this.toggle = press("play", "Play", () => (this.playing ? this.pause() : this.play()));
    this.toggle.classList.add("toggle");
    this.seek = h("input", { type: "range", min: "0", max: String(this.length), step: "any", value: "0", "aria-label": "Position", oninput: () => this.go(Number(this.seek.value)) });
    this.time = h("span.clock", { "aria-hidden": "true" });
    const speed = select(SPEEDS, "1", { "aria-label": "Speed" });
    speed.addEventListener("change", () => { this.speed = Number(speed.value); });
    return h("div.player", { role: "group", "aria-label": "Replay" },
      h("div.buttons", press("back", "Step back", () => this.step(-1)), this.toggle, press("next", "Step forward", () => this.step(1))),
      h("div.track", this.seek, this.#marks()), this.time, speed,
      h("button.button.plain.jump", { type: "button", onclick: () => this.jump() }, icon("flag"), h("span", "Next denied or held")));
  }

  /** Go on with more entries, as a live session's. */
  extend(entries) {
    this.entries = entries;
    this.length = Math.max(this.length, entries.at(-1)?.offset ?? 0);
    this.seek.max = String(this.length);
    this.element.querySelector(".marks").replaceWith(this.#marks());
    this.#shown();
  }

  #marks() {
    const marks = h("div.marks", { "aria-hidden": "true" });
    for (const entry of this.entries.filter(notable)) {
      const mark = h("span.mark", { "data-tone": entry.kind === "event" ? entry.tone : entry.decision });
      mark.style.setProperty("--at", String(entry.offset / this.length));
      marks.append(mark);
    }
    return marks;
  }

  play() {
    if (this.position >= this.length) this.go(0);
    this.playing = true;
    this.last = performance.now();
    this.#toggled("pause", "Pause");
    this.frame = requestAnimationFrame((now) => this.#advance(now));
  }

  pause() {
    this.playing = false;
    cancelAnimationFrame(this.frame);
    this.#toggled("play", "Play");
  }

  #toggled(name, label) {
    fill(this.toggle, icon(name));
    this.toggle.setAttribute("aria-label", label);
    this.toggle.title = label;
  }

  /** Long pauses are cut: nobody watches a client think for ten minutes. */
  #advance(now) {
    if (!this.playing) return;
    const gone = ((now - this.last) / 1000) * this.speed;
    this.last = now;
    const next = this.entries[this.index + 1]?.offset ?? this.length;
    const target = Math.max(this.position + gone, next - this.position > LONGEST_PAUSE * Math.max(1, this.speed) ? next - LONGEST_PAUSE : 0);
    this.go(Math.min(target, this.length));
    if (this.position >= this.length) {
      this.pause();
      announce("The replay has ended");
    } else this.frame = requestAnimationFrame((later) => this.#advance(later));
  }

  go(position) {
    this.position = position;
    let index = this.index;
    while (index + 1 < this.entries.length && this.entries[index + 1].offset <= position) index += 1;
    while (index >= 0 && this.entries[index].offset > position) index -= 1;
    this.#reach(index);
  }

  #reach(index) {
    const changed = index !== this.index;
    this.index = index;
    this.#shown();
    if (changed) this.moved(index, this.playing);
  }

  at(index) {
    this.position = Math.max(0, this.entries[index]?.offset ?? 0);
    this.#reach(index);
  }

  step(by) {
    this.pause();
    const index = Math.min(Math.max(this.index + by, 0), this.entries.length - 1);
    this.at(index);
    this.#say(index);
  }

  jump() {
    this.pause();
    const index = this.entries.findIndex((entry, at) => at > this.index && notable(entry));
    if (index < 0) {
      announce("No denied or held statement after this one", true);
      return;
    }
    this.at(index);
    this.#say(index);
  }

  #say(index) {
    const entry = this.entries[index];
    if (entry) announce(entry.kind === "statement" ? `Statement ${entry.number}, ${entry.decision ?? "not ruled"}` : entry.said);
  }

  #shown() {
    this.seek.value = String(this.position);
    const [position, length] = [this.position, this.length].map((seconds) => clock(seconds, this.length < FINE));
    this.seek.setAttribute("aria-valuetext", `${position} of ${length}`);
    this.time.textContent = `${position} / ${length}`;
  }
}
