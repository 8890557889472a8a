// Plays the scenarios one after the other, each in a page of its own, and says what holds.

import { writeFile } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";

import { launch } from "./chat.mjs";
import { asked } from "./logs.mjs";
import { scenarios } from "./scenarios.mjs";

const limit = 90_000;

/** Collects what does not hold, so that one run tells of all of it. */
class Check {
  failures = [];

  that(what, holds, got) {
    if (!holds) this.failures.push(`${what}: ${JSON.stringify(got)}`);
  }

  equal(what, got, expected) {
    this.that(`${what}, expected ${JSON.stringify(expected)}`, isDeepStrictEqual(got, expected), got);
  }

  match(what, got, pattern) {
    this.that(`${what}, expected ${pattern}`, pattern.test(got), got);
  }

  /** Each line is the text, or matches the pattern, at its place, and there are no others. */
  lines(what, got, expected) {
    const fits = (line, at) => (expected[at] instanceof RegExp ? expected[at].test(line) : expected[at] === line);
    const alike = got.length === expected.length && got.every(fits);
    const wanted = expected.map((line) => (line instanceof RegExp ? String(line) : JSON.stringify(line)));
    this.that(`${what}, expected [${wanted}]`, alike, got);
  }
}

async function play(name, scenario, browser) {
  const begun = Date.now();
  const check = new Check();
  const chat = await browser.open();
  let timer;
  const tooLong = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not over after ${limit / 1_000} s`)), limit);
  });
  try {
    await Promise.race([scenario(chat, check), tooLong]);
  } catch (error) {
    check.failures.push(String(error.message ?? error));
  }
  clearTimeout(timer);
  await chat.close(`${process.env.ARTEFACTS}/${name}.png`);
  const passed = check.failures.length === 0;
  console.log(`${passed ? "ok" : "not ok"} - ${name} (${((Date.now() - begun) / 1_000).toFixed(1)} s)`);
  for (const failure of check.failures) console.log(`    ${failure.replaceAll("\n", "\n    ")}`);
  return passed;
}

const wanted = process.argv.slice(2);
const names = Object.keys(scenarios).filter((name) => wanted.length === 0 || wanted.includes(name));
const browser = await launch();
let failed = 0;
for (const name of names) failed += (await play(name, scenarios[name], browser)) ? 0 : 1;
await browser.close();
await writeFile(`${process.env.ARTEFACTS}/provider.json`, JSON.stringify(await asked(), null, 1));
console.log(`open_webui: ${names.length - failed} passed, ${failed} failed`);
process.exitCode = failed || names.length === 0 ? 1 : 0;
