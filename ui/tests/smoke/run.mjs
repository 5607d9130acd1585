/**
 * The built UI in a real browser with simulated people: one meeting from end to end, and every
 * screen under axe, light and dark, small and enlarged. Exits 1 at the first thing that is wrong.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { OVERLAYS, openOverlay, press, SCREENS, withBrowser } from "./browser.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const LIMIT_MS = 900_000;

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

/** A host at work: a changed key at the door, roles, a comparison, the rules and another link. */
async function oneHost(open) {
  const page = await open(SCREENS.door);
  await press(page, "admit-d4");
  await page.getByRole("dialog").getByText("not the key that you know").waitFor();
  await page.keyboard.press("Escape");
  assert.equal(await page.getByTestId("knock-d4").count(), 1, "a changed key came in without a second step");
  await press(page, "admit-d4", "confirm");
  await page.getByTestId("member-d4").waitFor();

  await page.getByTestId("changed-d4").getByText("another key").waitFor();
  await press(page, "changed-accept-d4", "confirm");
  await page.getByTestId("changed-d4").waitFor({ state: "detached" });

  await press(page, "actions-p3", "role-coHost-p3", "compare-p3");
  assert.match((await page.getByTestId("safety-digits").textContent()).trim(), /^\d{5}( \d{5}){11}$/);
  await page.getByTestId("qr").waitFor();
  await press(page, "match", "close-safety");
  await holdsFocus(page, "[data-testid=compare-p3]", "the comparison gave the focus back to nobody");
  assert.match(await page.getByTestId("member-p3").textContent(), /Co-host[^]*Verified by you/);

  await press(page, "actions-p1", "compare-p1", "scan");
  await moves(page, "viewfinder");
  await page.getByTestId("safety-outcome").getByText("is verified").waitFor();
  await holdsFocus(page, "[data-testid=close-safety]", "the scan gave the focus back to nobody");
  await press(page, "close-safety");
  assert.match(await page.getByTestId("member-p1").textContent(), /Verified by you/);
  // The stage went on showing this person beside the dialog, and does so after it.
  await moves(page, await page.locator("[data-testid^=tile-]").first().getAttribute("data-testid"));

  await press(page, "actions-p2", "remove-p2", "confirm");
  await page.getByTestId("member-p2").waitFor({ state: "detached" });
  await holdsFocus(page, "aside, aside *", "the focus went down with the removed person");

  await press(page, "lock");
  await page.getByTestId("badge-locked").waitFor();
  const old = await page.getByTestId("link-text").inputValue();
  await press(page, "new-link", "make-link");
  await page.getByText("The old one no longer works.").waitFor();
  assert.notEqual(await page.getByTestId("link-text").inputValue(), old);
  assert.deepEqual(page.complaints, [], "the page complained");
  await page.context().close();
}

async function holdsFocus(page, selector, complaint) {
  const held = (selector) => document.activeElement?.matches(selector) === true;
  await page.waitForFunction(held, selector, { timeout: 10_000 }).catch(() => assert.fail(complaint));
}

/** A key under a passphrase: opened, copied, erased. */
async function oneIdentity(open) {
  const fleeting = await open(SCREENS.ephemeral);
  await press(fleeting, "ephemeral-keep");
  await fleeting.getByTestId("protect-passphrase").fill("another long passphrase");
  await fleeting.getByTestId("protect-again").fill("another long passphrase");
  await press(fleeting, "protect");
  await fleeting.getByText("is kept on this computer now").waitFor();
  await fleeting.context().close();

  const page = await open(SCREENS.locked);
  await page.getByTestId("unlock-passphrase").fill("five words picked by chance");
  await press(page, "unlock");
  await page.getByTestId("unlock-form").waitFor({ state: "detached" });
  await press(page, "identity-page");
  await page.getByTestId("export-passphrase").fill("another long passphrase");
  await page.getByTestId("export-again").fill("another long passphrase");
  await press(page, "export");
  await page.getByText("Written to").waitFor();
  await page.getByTestId("erase-word").fill("erase");
  await press(page, "erase");
  await page.getByText("are erased from this computer").waitFor();
  await press(page, "back", "contacts-page");
  await page.getByText("Nobody yet").waitFor();
  assert.deepEqual(page.complaints, [], "the page complained");
  await page.context().close();
}

/** Another camera is chosen while the meeting runs, and while the camera is off. */
async function oneCamera(open) {
  const page = await open(SCREENS.meeting);
  await press(page, "devices-control");
  const camera = page.getByRole("dialog").getByLabel("Camera");
  await camera.selectOption({ label: "Desk camera" });
  await page.getByRole("dialog").getByText("In use: Desk camera").waitFor();
  await press(page, "close-devices", "camera", "devices-control");
  await page.getByRole("dialog").getByText("Your camera is off").waitFor();
  assert.equal(await camera.inputValue(), "cam-2", "the choice was forgotten");
  await camera.selectOption({ label: "Integrated camera" });
  await press(page, "close-devices", "camera", "devices-control");
  await page.getByRole("dialog").getByText("In use: Integrated camera").waitFor();
  assert.deepEqual(page.complaints, [], "the page complained");
  await page.context().close();
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
      assert.deepEqual(page.complaints, [], `${name}, ${look} complained`);
      await page.context().close();
    }
    // What opens over a screen keeps its colours and its scale: wide and narrow are enough.
    if (look !== "light" && look !== "small") continue;
    for (const [name, way] of Object.entries(OVERLAYS)) {
      const page = await open(SCREENS[way[0]], options);
      await openOverlay(page, way);
      await page.waitForTimeout(300);
      await judge(page, `${name}, ${look}`);
      assert.deepEqual(page.complaints, [], `${name}, ${look} complained`);
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
  await oneHost(open);
  console.log("one host at work: fine");
  await oneCamera(open);
  console.log("one camera after the other: fine");
  await oneIdentity(open);
  console.log("one identity: fine");
  await withoutDecoder(open);
  console.log("without a decoder: fine");
  await accessible(open);
  console.log("every screen under axe: fine");
});
clearTimeout(clock);
