// What the two ends of the way saw: the provider, and Backstop itself.

import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

/** What the provider was asked so far, in order: all of it, or one model's chats or tasks. */
export async function asked(model, kind) {
  const all = await (await fetch(`${process.env.PROVIDER}/log`)).json();
  return all.filter((entry) => !model || (entry.model === model && entry.kind === kind));
}

/** Backstop's log, as it was written. */
export function log() {
  return readFile(process.env.BACKSTOP_LOG_FILE, "utf8");
}

/** The outcomes of a route's chats or tasks, from Backstop's log. */
export async function outcomes(route, kind) {
  const lines = (await log()).split("\n").filter(Boolean).map((line) => JSON.parse(line));
  return lines.filter((line) => line.route === route && line.outcome && (line.task === true) === (kind === "task"))
    .map((line) => line.outcome);
}

/** Waits until `look` gives something true, and gives that. */
export async function until(what, look, seconds = 10) {
  for (const end = Date.now() + seconds * 1_000; Date.now() < end; await sleep(50)) {
    const found = await look();
    if (found) return found;
  }
  throw new Error(`${what}: not within ${seconds} s`);
}
