/**
 * The built UI in a real browser with simulated people: one meeting from end to end, and every
 * screen under axe, light and dark, small and enlarged. Exits 1 at the first thing that is wrong.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { SCREENS, withBrowser } from "./browser.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const LIMIT_MS = 180_000;

async function oneMeeting(open) {
  const page = await open();
  await page.getByTestId("new-meeting").click();
  await moves(page, "preview");
  await page.getByTestId("name-input").fill("Ravi Shah");
  await page.getByTestId("join").click();
  assert.match(await page.getByTestId("link-text").inputValue(), /^conclave:\/\//);

  await page.getByTestId("admit-b0").click();
  await moves(page, "tile-b0");
  await page.getByTestId("security").click();
  const code = await page.getByTestId("code").textContent();
  assert.match(code.trim(), /^\d{5}( \d{5}){5}$/);

  await page.keyboard.press("d");
  await page.getByTestId("mute").getByText("Unmute").waitFor();
  await page.getByTestId("leave").click();
  await page.getByTestId("confirm").click();
  assert.equal(await page.getByTestId("status").textContent(), "You left the meeting.");
  await page.getByTestId("home").click();
  await page.getByTestId("new-meeting").waitFor();
  assert.deepEqual(page.complaints, [], "the page complained");
}

/** A web view that cannot decode asks for decoded pictures, and shows them. */
async function withoutDecoder(open) {
  const page = await open(SCREENS.meeting, { before: () => delete globalThis.VideoDecoder });
  await moves(page, "tile-p1");
  assert.deepEqual(page.complaints, [], "the page complained");
}

/** Waits for a first picture, then asserts that pixels change: decoder, shader and loop all run. */
async function moves(page, testid) {
  const canvas = page.getByTestId(testid).locator("canvas.drawn");
  await canvas.waitFor();
  const before = await canvas.screenshot();
  await page.waitForTimeout(600);
  assert.notDeepEqual(await canvas.screenshot(), before, `${testid} stands still`);
}

async function accessible(open) {
  const looks = [
    ["light", { colorScheme: "light" }],
    ["dark", { colorScheme: "dark" }],
    ["small", { viewport: { width: 360, height: 560 } }],
    // 200 % text in the smallest supported window.
    ["enlarged", { viewport: { width: 640, height: 400 }, deviceScaleFactor: 2 }],
  ];
  for (const [look, options] of looks) {
    for (const [name, query] of Object.entries(SCREENS)) {
      const page = await open(query, options);
      await page.getByTestId("status").first().waitFor({ state: "attached" });
      await page.waitForTimeout(400);
      await judge(page, `${name}, ${look}`);
      if (name === "meeting") await judgeOverlays(page, look);
      await page.context().close();
    }
  }
}

async function judgeOverlays(page, look) {
  await page.getByTestId("security-control").click();
  await page.getByTestId("code").waitFor();
  await judge(page, `security, ${look}`);
  await page.keyboard.press("?");
  await page.getByRole("dialog").waitFor();
  await judge(page, `shortcuts, ${look}`);
}

async function judge(page, where) {
  // The policy forbids inline scripts, so axe comes in through the debugger.
  await page.evaluate(AXE);
  const violations = await page.evaluate(async () => {
    const { violations } = await globalThis.axe.run(document, { resultTypes: ["violations"] });
    return violations.map(({ id, impact, nodes }) => ({ id, impact, nodes: nodes.map((node) => node.html) }));
  });
  const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  assert.deepEqual(grave, [], `axe on ${where}`);
  const sideways = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(sideways <= 0, `${where} scrolls sideways by ${sideways} px`);
}

const clock = setTimeout(() => {
  console.error(`not finished after ${LIMIT_MS / 1000} s`);
  process.exit(1);
}, LIMIT_MS);

await withBrowser(async (open) => {
  await oneMeeting(open);
  console.log("one meeting from end to end: fine");
  await withoutDecoder(open);
  console.log("without a decoder: fine");
  await accessible(open);
  console.log("every screen under axe: fine");
});
clearTimeout(clock);
