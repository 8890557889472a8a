// What has to hold in the chat. The routes are in backstop.toml, what their models do in provider.py.

import { setTimeout as sleep } from "node:timers/promises";

import { asked, outcomes, until } from "./logs.mjs";

export const scenarios = {
  async "plain-answer"(chat, check) {
    await chat.ask("plain", "Is anybody there?");
    await chat.rest();
    check.equal("the answer", await chat.answer(), "Nothing but a plain answer.");
    check.equal("status lines and toasts", await chat.seen(), { statuses: [], toasts: [] });
    check.match("the title of the page", await chat.title(), /^A made-up title/);
  },

  async "sixth-attempt"(chat, check) {
    await chat.ask("shaky", "Are you there now?");
    await chat.answered();
    await chat.rest();
    check.equal("the answer", await chat.answer(), "Here at last.");
    const { statuses, toasts } = await chat.seen();
    check.lines("the status lines", statuses, [
      /^Attempt 2\/8 in progress…$/,
      /^Burst 1\/2 completed \(2\/8 attempts\)\. Waiting 2s before next burst$/,
      /^Attempt 3\/8 in progress…$/,
      /^Attempt 4\/8 in progress…$/,
      /^Cycle 1\/2 completed \(4\/8 attempts\)\. Waiting 2s before next cycle$/,
      /^Attempt 5\/8 in progress…$/,
      /^Attempt 6\/8 in progress…$/,
      /^Response received from .+ after \d+s \(6 attempts\)$/,
    ]);
    check.that("a success toast", toasts.some((toast) => toast.startsWith("success: ")), toasts);
    check.equal("attempts", (await asked("shaky", "chat")).length, 6);
    check.equal("nothing spins", await chat.spins(), false);
  },

  async "second-model"(chat, check) {
    await chat.ask("rescue", "Who can help?");
    await chat.answered();
    await chat.rest();
    check.equal("the answer", await chat.answer(), "The second one helps out.");
    const { statuses } = await chat.seen();
    check.that("a status names the second model", statuses.some((line) => line.includes("second")), statuses);
    check.match("the last status", statuses.at(-1) ?? "", /^Response received from .+ after \d+s \(\d attempts\)$/);
    check.equal("nothing spins", await chat.spins(), false);
  },

  async "total-failure"(chat, check) {
    await chat.ask("doomed", "And now?");
    await chat.errorBox.waitFor({ timeout: 30_000 });
    await chat.rest();
    const sentence = await chat.error();
    check.match("the error box", sentence, /^[^`{}]{20,160}$/);
    check.equal("no text", await chat.answer(), "");
    const { toasts } = await chat.seen();
    check.equal("one toast with the same sentence", toasts.filter((toast) => toast.startsWith("error: ")), [
      `error: ${sentence}`,
    ]);
    check.equal("attempts", (await asked("doomed", "chat")).length, 2);
    check.equal("nothing spins", await chat.spins(), false);
  },

  async "cut-answer"(chat, check) {
    await chat.ask("cut", "Tell me a story.");
    await chat.errorBox.waitFor({ timeout: 30_000 });
    await chat.rest();
    check.equal("the text is kept", await chat.answer(), "The beginning of an answer");
    check.match("the error box", await chat.error(), /cut/);
    check.equal("nothing spins", await chat.spins(), false);
  },

  async "rogue-provider"(chat, check) {
    await chat.ask("rogue", "Behave!");
    await chat.answered();
    await chat.rest();
    check.equal("the answer", await chat.answer(), "The words of a rogue.");
    check.equal("its script did not run", await chat.page.evaluate(() => window.seized), undefined);
    check.equal("its events are not shown", await chat.seen(), { statuses: [], toasts: [] });
    const { content, ...saved } = await chat.saved();
    check.equal("the answer as it is kept", content, "The words of a rogue.");
    check.that("nothing of its own is kept", !/seized/i.test(JSON.stringify(saved)), saved);
  },

  async "stop-while-waiting"(chat, check) {
    await chat.ask("slow", "Take your time.");
    await until("the first attempt", async () => (await asked("slow", "chat")).length === 1);
    await sleep(500);
    await chat.stop();
    await until("`client_gone` in the log", async () => (await outcomes("slow")).includes("client_gone"), 2);
    check.equal("still at work", await chat.stopButton.isVisible(), false);
    // Longer than the pause that was under way.
    await sleep(4_000);
    check.equal("attempts", (await asked("slow", "chat")).length, 1);
    check.equal("an error box", await chat.error(), "");
  },

  async "model-list"(chat, check) {
    await chat.begin("plain");
    await chat.page.getByText("Answers at once").waitFor();
    const rows = await chat.models();
    for (const name of ["Plain", "Shaky at first", "To the rescue", "Good with tools"]) {
      check.that(`\`${name}\` is in the list`, rows.some((row) => row.includes(name)), rows);
    }
  },

  async "tool-call"(chat, check) {
    await chat.ask("tools", "When was it?");
    await until("the tool's result", async () => (await asked("tools", "chat")).length === 2, 30);
    await chat.rest();
    check.match("the answer", await chat.answer(), /The tool has spoken\.$/);
    const [first, second] = await asked("tools", "chat");
    const [failed] = await asked("gone", "chat");
    check.equal("the failed model got the same request", { ...failed.body, model: "tools" }, first.body);
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
    await chat.answered();
    const seconds = await chat.rest();
    check.equal("the answer", await chat.answer(), "A chat without its extras.");
    check.that("the chat is free soon after its answer", seconds < 5, seconds);
    const tasks = await asked("talk", "task");
    check.that("each of the three is tried twice at most", tasks.length >= 3 && tasks.length <= 6, tasks.length);
    check.equal("status lines and toasts", await chat.seen(), { statuses: [], toasts: [] });
    check.equal("an error box", await chat.error(), "");
  },
};
