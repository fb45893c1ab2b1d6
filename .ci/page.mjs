// Looks at a page of `plan --html` with Chromium: `page.mjs PAGE PLANS SHOTS`, where PLANS.start.json and others are what `plan --json` prints and
// SHOTS is where screenshots go, if anywhere. `page.mjs --faults PAGE PLANS` puts faults into the page, each of which a look has to find.

import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const NARROW = 360;

// every statement of an action, as Action::statements of core has them
const statements = (action) => {
  const [[kind, of]] = Object.entries(action);
  const locks = (of.locks ?? []).map((lock) => lock.sql);
  const all = (...keys) => keys.flatMap((key) => of[key] ?? []);
  switch (kind) {
    case "check": return all("before", "sql");
    case "statement": return all("sql");
    case "create_index": case "create_partitioned_index": return all("bind", "sql");
    case "transaction": return [...locks, ...all("statements")];
    case "script": return [...all("scope", "watch", "path", "text", "leave", "after"), ...locks, ...all("aside", "back")];
    case "backfill": return all("update", "vacuum", "verify");
    case "delete": return all("delete", "vacuum", "verify");
    default: throw new Error(`an action of a kind that is not known here: ${kind}`);
  }
};

// in the browser: texts whose colour is not far enough from what is behind it
const faint = () => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], below) => [r, g, b].map((part, at) => part * a + below[at] * (1 - a));
  const behind = (element) => {
    const grounds = [];
    for (let at = element; at; at = at.parentElement) grounds.push(rgba(getComputedStyle(at).backgroundColor));
    return grounds.reverse().reduce((below, ground) => over(ground, below), [255, 255, 255]);
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const found = { texts: 0, least: 21, faint: [] };
  const look = (style, ground, what) => {
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const has = ratio(over(rgba(style.color), ground), ground);
    found.texts += 1;
    found.least = Math.min(found.least, has);
    if (has < (isLarge ? 3 : 4.5)) found.faint.push(`${what}: ${has.toFixed(2)}`);
  };
  for (const element of document.body.querySelectorAll("*")) {
    const hasText = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if (!element.checkVisibility()) continue;
    const ground = behind(element);
    if (hasText) look(getComputedStyle(element), ground, `${element.tagName}.${element.className} ${element.textContent.slice(0, 30)}`);
    const before = getComputedStyle(element, "::before");
    if (!["none", "normal"].includes(before.content)) look(before, over(rgba(before.backgroundColor), ground), `::before of ${element.className}`);
  }
  return found;
};

// in the browser: what is said of a page without looking at it
const structure = () => {
  const wrong = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  if (document.documentElement.lang !== "en") wrong.push("no language");
  for (const landmark of ["header", "nav", "main", "footer"]) {
    if (all(landmark).length !== 1) wrong.push(`${all(landmark).length} of ${landmark}`);
  }
  const levels = all("h1,h2,h3,h4,h5,h6").map((heading) => Number(heading.tagName[1]));
  if (levels[0] !== 1 || levels.filter((level) => level === 1).length !== 1) wrong.push("not one first heading");
  levels.forEach((level, at) => at > 0 && level > levels[at - 1] + 1 && wrong.push(`heading ${at} skips a level`));
  const ids = all("[id]").map((element) => element.id);
  if (new Set(ids).size !== ids.length) wrong.push("an id is there twice");
  for (const element of all("[aria-labelledby]")) {
    if (!document.getElementById(element.getAttribute("aria-labelledby"))) wrong.push(`no label of ${element.id}`);
  }
  for (const link of all("a")) {
    if (!document.getElementById(link.getAttribute("href").slice(1))) wrong.push(`no place for ${link.textContent}`);
  }
  for (const [mark, sign, word] of [["added", "+", "added"], ["removed", "−", "removed"], ["changed", "≠", "changed"]]) {
    for (const line of all(`li.${mark}`)) {
      const says = [line.querySelector(".sign")?.textContent, line.querySelector(".aloud")?.textContent];
      if (says[0] !== sign || says[1] !== `${word}: `) wrong.push(`a line is ${mark} by its colour alone`);
    }
  }
  if (all("script,img,link,iframe,object,embed,svg,base,form").length > 0) wrong.push("an element that has no place here");
  return wrong;
};

// in the browser: opens everything that is folded by its own handle
const unfold = () => {
  const folded = [...document.querySelectorAll("details")];
  const stuck = folded.filter((details) => {
    details.open = false;
    details.querySelector("summary")?.click();
    return !details.open;
  });
  const hidden = folded.filter((details) => [...details.children].some((child) => child.tagName !== "SUMMARY" && !child.checkVisibility()));
  return { count: folded.length, wrong: [...stuck, ...hidden].map((details) => details.textContent.slice(0, 40)) };
};

// everything that is wrong with a page, by the look that finds it
const looks = async (browser, path, plans, shots) => {
  const wrong = {};
  const say = (look, what) => what.length > 0 && ((wrong[look] ??= []).push(...what.slice(0, 5)));
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  const url = pathToFileURL(path).href;
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && say("console", [message.text()]));
  page.on("pageerror", (error) => say("console", [String(error)]));
  page.on("dialog", (dialog) => (say("console", [`a dialog: ${dialog.message()}`]), dialog.dismiss()));
  page.on("request", (request) => request.url() !== url && say("network", [request.url()]));
  await page.goto(url);
  const shot = async (name) => shots && page.screenshot({ path: `${shots}/${basename(path, ".html")}-${name}.png`, fullPage: true });
  for (const scheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: scheme });
    for (const width of [1280, NARROW]) {
      await page.setViewportSize({ width, height: 900 });
      await shot(`${scheme}-${width}`);
    }
  }
  await page.emulateMedia({ media: "print", colorScheme: "dark" });
  say("print", await page.evaluate(() => getComputedStyle(document.body).backgroundColor === "rgb(255, 255, 255)" ? [] : ["dark paper"]));
  say("print", await page.evaluate(() => [...document.querySelectorAll("pre")].filter((pre) => !pre.checkVisibility() && !pre.closest("details.phase")).map((pre) => `not on paper: ${pre.textContent.slice(0, 40)}`)));
  if (shots) writeFileSync(`${shots}/${basename(path, ".html")}.pdf`, await page.pdf({ format: "A4", margin: { top: "15mm", bottom: "15mm", left: "12mm", right: "12mm" } }));
  await page.emulateMedia({ media: "screen" });
  say("structure", await page.evaluate(structure));
  const narrow = async (when) => {
    const width = await page.evaluate(() => document.scrollingElement.scrollWidth);
    say("narrow", width > NARROW ? [`${width} px wide ${when}`] : []);
  };
  await narrow("with everything folded");
  const folded = await page.evaluate(unfold);
  say("folds", folded.wrong);
  await narrow("with everything open");
  const contrast = {};
  for (const scheme of ["light", "dark"]) {
    await page.emulateMedia({ media: "screen", colorScheme: scheme });
    contrast[scheme] = await page.evaluate(faint);
    say("contrast", contrast[scheme].faint);
  }
  let count = 0;
  const commands = path.endsWith("-started.html") ? ["complete", "rollback"] : ["start"];
  for (const command of commands) {
    const plan = JSON.parse(readFileSync(`${plans}.${command}.json`, "utf8"));
    const expected = plan.steps.flatMap((step) => statements(step.action)).map((sql) => `${sql};`);
    const shown = await page.evaluate((id) => [...document.querySelectorAll(`#${id} pre`)].map((pre) => pre.textContent), command);
    count += shown.length;
    say("statements", shown.length === expected.length ? [] : [`${shown.length} of ${command}, and the plan has ${expected.length}`]);
    say("statements", expected.filter((sql, at) => shown[at] !== sql));
  }
  await context.close();
  return { wrong, folded: folded.count, contrast, count, commands };
};

// a fault, and the look that has to find it
const FAULTS = [
  ["console", "an event handler", (html) => html.replace("<h1>", '<h1 onclick="alert(1)" tabindex="0">')],
  ["console", "a script", (html) => html.replace("<main>", "<main><script>alert(1)</script>")],
  ["network", "a picture from elsewhere", (html) => html.replace(/<meta http-equiv[^>]*>/, "").replace("<main>", '<main><img src="https://127.0.0.1:9/a.png">')],
  ["narrow", "a line that does not break", (html) => html.replace("overflow-wrap: anywhere;\n}", "overflow-wrap: normal; white-space: nowrap;\n}")],
  ["contrast", "a faint colour in the light", (html) => html.replace("--quiet: #4d5761", "--quiet: #a9b4bf")],
  ["contrast", "a faint colour in the dark", (html) => html.replace("--quiet: #a9b4bf", "--quiet: #4d5761")],
  ["folds", "a fold without a handle", (html) => html.replace(/<details class="step"([^>]*)><summary>.*?<\/summary>/s, '<details class="step"$1>')],
  ["statements", "a statement that is left out", (html) => html.replace(/<pre.*?<\/pre>/s, "")],
  ["statements", "another statement", (html) => html.replace(/<pre([^>]*)><code>/, "<pre$1><code>--")],
  ["structure", "a heading that skips a level", (html) => html.replace(/<h2([^>]*)>(.*?)<\/h2>/, "<h5$1>$2</h5>")],
  ["structure", "a colour alone", (html) => html.replace('aria-hidden="true">+<', 'aria-hidden="true"><')],
  ["print", "dark paper", (html) => html.replace("@media screen and", "@media")],
  ["print", "what is folded is not printed", (html) => html.replace("content-visibility: visible", "content-visibility: hidden")],
];

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
let failed = 0;
if (process.argv[2] === "--faults") {
  const [, , , path, plans] = process.argv;
  const html = readFileSync(path, "utf8");
  for (const [look, what, put] of FAULTS) {
    const copy = path.replace(/\.html$/, "-fault.html");
    writeFileSync(copy, put(html));
    const { wrong } = put(html) === html ? { wrong: {} } : await looks(browser, copy, plans, "");
    const isFound = look in wrong;
    failed += isFound ? 0 : 1;
    console.log(`${isFound ? "found" : "NOT FOUND"}: ${what} (${look})`);
  }
} else {
  const [, , path, plans, shots] = process.argv;
  const { wrong, folded, contrast, count, commands } = await looks(browser, path, plans, shots);
  const least = Object.entries(contrast).map(([scheme, { texts, least }]) => `${texts} texts in ${scheme}, the faintest ${least.toFixed(1)} : 1`);
  console.log(`${basename(path)}: ${folded} folds open, ${count} statements of ${commands.join(" and ")} as in the plan, ${least.join("; ")}`);
  for (const [look, what] of Object.entries(wrong)) console.log(`  NOT RIGHT: ${look}: ${what.join(" | ")}`);
  failed = Object.keys(wrong).length;
}
await browser.close();
process.exit(failed > 0 ? 1 : 0);
