// What has to hold in the chat. The routes are in backstop.toml, what their models do in provider.py.

import { setTimeout as sleep } from "node:timers/promises";

import { asked, log, outcomes, until } from "./logs.mjs";

/** Waits for the answer, and until the chat is free again; gives how long that took, in seconds. */
async function done(chat) {
  await chat.answered();
  return chat.rest();
}

/** The status lines, on the page and as they are kept, and the toasts: all of them, and nothing that goes on. */
async function shown(chat, check, lines, toasts) {
  const seen = await chat.seen();
  check.lines("the status lines", seen.statuses, lines);
  check.lines("the toasts", seen.toasts, toasts);
  const { statusHistory = [] } = await chat.saved();
  check.equal("the status lines as they are kept", statusHistory,
    seen.statuses.map((description, at) => ({ description, done: at === seen.statuses.length - 1 })));
  check.equal("nothing spins", await chat.spins(), false);
}

/** The error box has the sentence, and so has a toast. */
async function failed(chat, check, sentence, lines) {
  const error = await chat.error();
  check.match("the error box", error, sentence);
  await shown(chat, check, lines, [`error: ${error}`]);
}

const bearers = (requests) => requests.map((request) => request.headers.authorization);

export const scenarios = {
  async "plain-answer"(chat, check) {
    await chat.ask("plain", "Is anybody there?");
    await done(chat);
    check.equal("the answer", await chat.answer(), "Nothing but a plain answer.");
    await shown(chat, check, [], []);
    check.match("the title of the page", await chat.title(), /^A made-up title/);
  },

  async "sixth-attempt"(chat, check) {
    await chat.ask("fullfat", "Why is the sky blue?");
    const burst = "Burst 1/2 completed (2/8 attempts). Waiting 2s before next burst";
    const cycle = "Cycle 1/2 completed (4/8 attempts). Waiting 2s before next cycle";
    await chat.says(burst);
    await chat.picture(`${process.env.ARTEFACTS}/progress.png`);
    await done(chat);
    check.equal("the answer", await chat.answer(), "Air scatters blue light more than red.");
    await shown(chat, check, [
      "Attempt 1/8 failed. Waiting 2s before next attempt",
      "Attempt 2/8 in progress…",
      burst,
      "Attempt 3/8 in progress…",
      "Attempt 3/8 failed. Waiting 2s before next attempt",
      "Attempt 4/8 in progress…",
      cycle,
      "Attempt 5/8 in progress…",
      "Attempt 5/8 failed. Waiting 2s before next attempt",
      "Attempt 6/8 in progress…",
      /^Response received from DeepSeek after \d\ds \(6 attempts\)$/,
    ], [`warning: ${burst}`, `warning: ${cycle}`, "success: Response received after 6 attempts"]);
    check.equal("attempts", (await asked("deepseek/deepseek-chat-v3.1", "chat")).length, 6);
  },

  async "second-model"(chat, check) {
    await chat.ask("rescue", "Who can help?");
    await done(chat);
    check.equal("the answer", await chat.answer(), "The second one helps out.");
    const [first, second] = [
      "Switched to spent after 1 attempt at none (1/6 attempts)",
      "Switched to second after 2 attempts at spent (3/6 attempts)",
    ];
    await shown(chat, check, [
      first,
      "Attempt 2/6 failed. Waiting 1.2s before next attempt",
      "Attempt 3/6 in progress…",
      second,
      /^Response received from second after \d(\.\d)?s \(4 attempts\)$/,
    ], [`info: ${first}`, `info: ${second}`, "success: Response received after 4 attempts"]);
  },

  async "total-failure"(chat, check) {
    await chat.ask("doomed", "And now?");
    await chat.errorBox.waitFor({ timeout: 30_000 });
    await chat.rest();
    const sentence = /^No model answered after 2 attempts in \d(\.\d)?s: overloaded \(503\)\. Try again in a moment\.$/;
    await failed(chat, check, sentence, [
      "Attempt 1/2 failed. Waiting 1.2s before next attempt",
      "Attempt 2/2 in progress…",
      /^No answer after 2 attempts in \d(\.\d)?s$/,
    ]);
    check.equal("no text", await chat.answer(), "");
    check.equal("attempts", (await asked("doomed", "chat")).length, 2);
  },

  async "cut-answer"(chat, check) {
    await chat.ask("cut", "Tell me a story.");
    await chat.errorBox.waitFor({ timeout: 30_000 });
    await chat.rest();
    check.equal("the text is kept", await chat.answer(), "The beginning of an answer");
    await failed(chat, check, /^The answer broke off: [^.]*\bcut\b[^.]*\. Ask again to get a whole one\.$/, []);
  },

  async "rogue-provider"(chat, check) {
    await chat.ask("rogue", "Behave!");
    await done(chat);
    check.equal("the answer", await chat.answer(), "The words of a rogue.");
    check.equal("its script did not run", await chat.page.evaluate(() => window.seized), undefined);
    await shown(chat, check, [], []);
    const { content, ...saved } = await chat.saved();
    check.equal("the answer as it is kept", content, "The words of a rogue.");
    check.that("nothing of its own is kept", !/seized/i.test(JSON.stringify(saved)), saved);
  },

  async "stop-while-waiting"(chat, check) {
    await chat.ask("slow", "Take your time.");
    await chat.says("Attempt 1/8 failed");
    await sleep(500);
    await chat.stop();
    await until("`client_gone` in the log", async () => (await outcomes("slow", "chat")).includes("client_gone"), 2);
    check.equal("still at work", await chat.stopButton.isVisible(), false);
    // Longer than the pause that was under way.
    await sleep(4_000);
    check.equal("attempts", (await asked("slow", "chat")).length, 1);
    check.equal("an error box", await chat.error(), "");
    check.equal("status lines and toasts", await chat.seen(),
      { statuses: ["Attempt 1/8 failed. Waiting 3s before next attempt"], toasts: [] });
  },

  async "model-list"(chat, check) {
    await chat.begin("plain");
    await chat.page.getByText("Answers at once").waitFor();
    const rows = await chat.models();
    check.equal("a name and a description", rows[0], ["Plain", "Answers at once"]);
    for (const name of ["Full fat", "To the rescue", "Good with tools"]) {
      check.that(`\`${name}\` is in the list`, rows.some((row) => row[0] === name), rows);
    }
    check.equal("of the list of a provider, those that fit", rows.filter((row) => /free|gpt/i.test(row[0])), [
      ["OR-Free/Meta: Llama 3.3 70B Instruct (free) (Auto-Retry)", "Meta: Llama 3.3 70B Instruct (free), as its maker praises it."],
    ]);
    check.equal("what has the tag `smart`", await chat.tagged("smart"), [["Full fat"]]);
  },

  async "model-of-a-list"(chat, check) {
    const model = "meta-llama/llama-3.3-70b-instruct:free";
    await chat.ask(`market/${model}`, "Where do you come from?");
    await done(chat);
    check.equal("the answer", await chat.answer(), "Found in a list.");
    await shown(chat, check, [
      "Attempt 1/2 failed. Waiting 1.2s before next attempt",
      "Attempt 2/2 in progress…",
      /^Response received from Meta after \d(\.\d)?s \(2 attempts\)$/,
    ], ["success: Response received after 2 attempts"]);
    const key = "Bearer sk-market-0123456789abcdef";
    check.equal("the keys of the attempts", bearers(await asked(model, "chat")), [key, key]);
  },

  async "tool-call"(chat, check) {
    await chat.ask("tools", "When was it?");
    await until("the tool's result", async () => (await asked("tools", "chat")).length === 2, 30);
    await chat.rest();
    check.match("the answer", await chat.answer(), /The tool has spoken\.$/);
    const [first, second] = await asked("tools", "chat");
    const [refused] = await asked("gone", "chat");
    check.equal("the failed model got the same request", { ...refused.body, model: "tools" }, first.body);
    check.that("the request has the tool", first.body.tools.some((tool) => tool.function.name === "calculate_timestamp"),
      first.body.tools);
    const [request, result] = second.body.messages.slice(-2);
    check.equal("the call", request.tool_calls.map(({ id, function: called }) => [id, called.name, JSON.parse(called.arguments)]),
      [["call_made_up", "calculate_timestamp", { days_ago: 3, weeks_ago: 1 }]]);
    check.equal("whom the result answers", [result.role, result.tool_call_id], ["tool", "call_made_up"]);
    check.match("the result", result.content, /timestamp/);
  },

  async "failing-tasks"(chat, check) {
    await chat.ask("talk", "Just talk.");
    const seconds = await done(chat);
    check.equal("the answer", await chat.answer(), "A chat without its extras.");
    check.that("the chat is free soon after its answer", seconds < 5, seconds);
    await until("title, follow-ups and tags", async () => (await outcomes("talk", "task")).length === 3);
    check.equal("attempts, two for each", (await asked("talk", "task")).length, 6);
    check.equal("how the tasks end", await outcomes("talk", "task"), ["overloaded", "overloaded", "overloaded"]);
    check.equal("how the chat ends", await outcomes("talk", "chat"), ["ok"]);
    await shown(chat, check, [], []);
    check.equal("an error box", await chat.error(), "");
  },

  async "own-key"(chat, check) {
    await chat.ask("own", "Who pays for this?");
    await done(chat);
    check.equal("the answer", await chat.answer(), "Paid for by yourself.");
    const [own, connection] = ["sk-of-my-own-0123456789abcdef", "sk-of-the-chat"];
    check.equal("the key of the user", bearers(await asked("own", "chat")), [`Bearer ${own}`]);
    check.equal("the key of another provider", bearers(await asked("left", "chat")), ["Bearer sk-sim-0123456789abcdef"]);
    const headers = (request) => Object.entries(request.headers).map(([name, value]) => `${name}: ${value}`);
    const strays = (await asked()).flatMap((request) => headers(request).filter((header) =>
      header.includes(connection) || (header.includes(own) && (request.model !== "own" || header !== `authorization: Bearer ${own}`))));
    check.equal("it, or the key of the connection, anywhere else", strays, []);
    check.equal("it stands in the log", (await log()).includes(own), false);
  },

  async "no-warnings"(chat, check) {
    await chat.ask("quiet", "Are you late?");
    await done(chat);
    check.equal("the answer", await chat.answer(), "Better late than never.");
    await shown(chat, check, [
      "Burst 1/2 completed (1/2 attempts). Waiting 1.2s before next burst",
      "Attempt 2/2 in progress…",
      /^Response received from late after \d(\.\d)?s \(2 attempts\)$/,
    ], ["success: Response received after 2 attempts"]);
  },
};
