/** Writes a picture of every screen, light and dark, to the folder given or ./screenshots. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { OVERLAYS, openOverlay, SCREENS, withBrowser } from "./browser.mjs";

const folder = process.argv[2] ?? "screenshots";
await mkdir(folder, { recursive: true });
await withBrowser(async (open) => {
  for (const colorScheme of ["light", "dark"]) {
    for (const [name, query] of Object.entries(SCREENS)) {
      const page = await open(query, { colorScheme });
      await page.waitForTimeout(1500);
      await page.screenshot({ path: join(folder, `${name}-${colorScheme}.png`) });
      if (name === "meeting") {
        await page.getByTestId("security").click();
        await page.screenshot({ path: join(folder, `security-${colorScheme}.png`) });
      }
      if (page.complaints.length > 0) console.error(name, page.complaints);
      await page.context().close();
    }
  }
  // Sizes that people have: a small laptop and half of a large screen.
  for (const [width, height] of [
    [1280, 720],
    [800, 600],
  ]) {
    const viewport = { width, height };
    for (const [name, way] of [...Object.entries(SCREENS).map(([screen]) => [screen, [screen]]), ...Object.entries(OVERLAYS)]) {
      const page = await open(SCREENS[way[0]], { viewport, colorScheme: "light" });
      await page.waitForTimeout(800);
      await openOverlay(page, way);
      await page.waitForTimeout(400);
      await page.screenshot({ path: join(folder, `${name}-${width}.png`) });
      if (page.complaints.length > 0) console.error(name, page.complaints);
      await page.context().close();
    }
  }
  const small = await open(SCREENS.meeting, { viewport: { width: 360, height: 560 } });
  await small.waitForTimeout(1500);
  await small.screenshot({ path: join(folder, "small.png") });
});
console.log(`written to ${folder}`);
