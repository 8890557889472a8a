// Open WebUI's pages, as a person sees them.

import { createRequire } from "node:module";

const { chromium } = createRequire(`${process.env.PLAYWRIGHT}/`)("playwright-core");
const site = process.env.OPEN_WEBUI;
const flags = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

/** A browser with a fresh profile, and with the first visit's greetings out of the way. */
export async function launch() {
  await skipReleaseNotes();
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: flags });
  const context = await browser.newContext({
    viewport: { width: 1100, height: 760 }, deviceScaleFactor: 2, locale: "en-US", colorScheme: "light",
  });
  context.setDefaultTimeout(20_000);
  await context.addInitScript(watch);
  return {
    open: async () => new Chat(await context.newPage()),
    close: () => browser.close(),
  };
}

/** What the account has seen decides whether a dialog covers the page. */
async function skipReleaseNotes() {
  const { token } = await post("/api/v1/auths/signin", { email: "", password: "" });
  const { version } = await (await fetch(`${site}/api/version`)).json();
  await post("/api/v1/users/user/settings/update", { ui: { version } }, token);
}

async function post(path, body, token = "") {
  const headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
  const response = await fetch(site + path, { method: "POST", headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

/** Runs in the page: notes each status line and each toast when it appears, for neither stays. */
function watch() {
  const known = new WeakSet();
  window.forget = () => { window.seen = { worked: false, statuses: [], toasts: [] }; };
  window.forget();
  const look = () => {
    const seen = window.seen;
    seen.worked ||= document.querySelector('[aria-label="Stop"]') !== null;
    const lines = document.querySelectorAll('[aria-label="Toggle status history"] .status-description');
    const line = lines.item(lines.length - 1)?.innerText.trim();
    if (line && line !== seen.statuses.at(-1)) seen.statuses.push(line);
    for (const toast of document.querySelectorAll("[data-sonner-toast]")) {
      if (known.has(toast)) continue;
      known.add(toast);
      seen.toasts.push(`${toast.dataset.type}: ${toast.innerText.trim()}`);
    }
  };
  document.addEventListener("DOMContentLoaded", () => {
    const everything = { subtree: true, childList: true, characterData: true };
    new MutationObserver(look).observe(document.documentElement, everything);
  });
}

class Chat {
  constructor(page) {
    this.page = page;
    this.last = page.locator(".chat-assistant").last();
    this.text = this.last.locator("#response-content-container .markdown-prose");
    this.errorBox = this.last.locator("#response-content-container .rounded-2xl .break-words");
    this.stopButton = page.getByRole("button", { name: "Stop", exact: true });
    // The cursor of an empty answer, and the lettering of a status that is not done.
    this.pulse = this.last.locator(".animate-cursor-pulse, .shimmer");
  }

  /** Opens a new chat with a model. */
  async begin(model) {
    await this.page.goto(`${site}/?model=${encodeURIComponent(model)}`);
    await this.page.locator("#chat-input").waitFor();
    // Until the list of models is there, what is typed goes nowhere.
    await this.page.getByRole("button", { name: "Selected model: " }).waitFor();
  }

  /** Asks a model in a new chat. */
  async ask(model, question) {
    await this.begin(model);
    await this.page.locator("#chat-input").click();
    await this.page.keyboard.type(question);
    await this.page.evaluate(() => window.forget());
    await this.page.keyboard.press("Enter");
    // What it points at would answer with a tooltip.
    await this.page.mouse.move(0, 0);
    await this.last.waitFor();
  }

  /** Waits until the chat, which is at work or has been, is free again; gives how long that took, in seconds. */
  async rest() {
    const begun = Date.now();
    await this.page.waitForFunction(() => window.seen.worked, null, { timeout: 5_000 });
    await this.stopButton.waitFor({ state: "hidden", timeout: 60_000 });
    return (Date.now() - begun) / 1_000;
  }

  /** The answer as it reads, without its status lines and error box; "" if there is none. */
  async answer() {
    return (await this.text.allInnerTexts()).join("\n").trim();
  }

  /** Waits for an answer, which may still be under way then. */
  answered() {
    return this.text.first().waitFor({ timeout: 60_000 });
  }

  /** The sentence in the error box; "" if there is no box. */
  async error() {
    return (await this.errorBox.allInnerTexts()).join("\n").trim();
  }

  /** Whether anything looks as if it were still at work. */
  async spins() {
    return (await this.stopButton.count()) + (await this.pulse.count()) > 0;
  }

  stop() {
    return this.stopButton.click();
  }

  /** The status lines and toasts since the question, each once, in order. */
  async seen() {
    const { statuses, toasts } = await this.page.evaluate(() => window.seen);
    return { statuses, toasts };
  }

  /** The answer as Open WebUI keeps it. */
  saved() {
    return this.page.evaluate(async () => {
      const headers = { authorization: `Bearer ${localStorage.token}` };
      const response = await fetch(`/api/v1/chats/${location.pathname.split("/").pop()}`, { headers });
      const { history } = (await response.json()).chat;
      return history.messages[history.currentId];
    });
  }

  /** Opens the model picker; gives its rows, each a name and, if it has one, a description. */
  async models() {
    await this.page.getByRole("button", { name: "Selected model: " }).click();
    await this.page.getByRole("option").first().waitFor();
    return this.rows();
  }

  /** The rows of the picker that are left when only those with a tag are wanted. */
  async tagged(tag) {
    await this.page.getByRole("button", { name: "All", exact: true }).click();
    await this.page.getByRole("button", { name: tag, exact: true }).click();
    await this.page.getByRole("button", { name: "All", exact: true }).waitFor({ state: "hidden" });
    return this.rows();
  }

  async rows() {
    return (await this.page.getByRole("option").allInnerTexts()).map((row) => row.split("\n"));
  }

  /** Waits until a line of the status begins like this. */
  says(line) {
    return this.page.waitForFunction((text) => window.seen.statuses.at(-1)?.startsWith(text), line, { timeout: 20_000 });
  }

  /** A picture of the question and of what stands below it: narrow, without toasts, the lettering at rest. */
  async picture(path) {
    const usual = this.page.viewportSize();
    const width = 600;
    await this.page.setViewportSize({ ...usual, width });
    const question = await this.page.locator(".chat-user").last().boundingBox();
    const below = await this.last.boundingBox();
    const clip = { x: 0, y: question.y - 16, width, height: below.y + below.height - question.y + 32 };
    const style = `
      [data-sonner-toaster] { display: none !important; }
      .shimmer { animation: none !important; background: none !important; -webkit-text-fill-color: #777 !important; }`;
    await this.page.screenshot({ path, clip, style });
    await this.page.setViewportSize(usual);
  }

  title() {
    return this.page.title();
  }

  async close(screenshot) {
    await this.page.screenshot({ path: screenshot, scale: "css" });
    await this.page.close();
  }
}
