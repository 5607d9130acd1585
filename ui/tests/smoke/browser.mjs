/** Debian's Chromium on the built UI with simulated people. Shared by the smoke test and the screenshots. */
import { createReadStream, existsSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const ROOT = fileURLToPath(new URL("../../dist-fake", import.meta.url));
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const KINDS = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};
/** The app's own policy, as far as a plain browser has the same sources. */
const POLICY =
  "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'";

function serve() {
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, "http://localhost").pathname));
    const file = join(ROOT, path === "/" ? "index.html" : path);
    if (!file.startsWith(ROOT) || !existsSync(file)) return response.writeHead(404).end();
    response.writeHead(200, {
      "content-type": KINDS[extname(file)] ?? "application/octet-stream",
      "content-security-policy": POLICY,
    });
    createReadStream(file).pipe(response);
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

/** Runs `work` with a function that opens pages, then ends browser and server whatever happened. */
export async function withBrowser(work) {
  const server = await serve();
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--use-gl=swiftshader", "--enable-unsafe-swiftshader"] });
  const origin = `http://127.0.0.1:${server.address().port}/`;
  try {
    return await work(async (query = "", options = {}) => {
      const { before, ...look } = options;
      const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...look });
      if (before) await context.addInitScript(before);
      const page = await context.newPage();
      page.complaints = [];
      page.on("pageerror", (error) => page.complaints.push(String(error)));
      page.on("console", (message) => message.type() === "error" && page.complaints.push(message.text()));
      await page.goto(origin + query);
      return page;
    });
  } finally {
    await browser.close();
    server.close();
  }
}

/** Presses what has these test ids, one after the other. */
export async function press(page, ...testids) {
  for (const testid of testids) await page.getByTestId(testid).click();
}

/** Every screen, by the query that opens it. */
export const SCREENS = {
  home: "",
  locked: "?identity=locked",
  ephemeral: "?identity=ephemeral",
  lobby: "?scene=lobby",
  waiting: "?scene=waiting",
  meeting: "?scene=meeting&people=4",
  alone: "?scene=meeting&people=0",
  door: "?scene=door&people=3",
  alarm: "?scene=alarm&people=5",
  cohost: "?scene=cohost&people=3",
  guest: "?scene=guest&people=3",
  screen: "?scene=screen&people=4",
  sharing: "?scene=sharing&people=3",
  trouble: "?scene=trouble&people=4",
  hands: "?scene=hands&people=4",
  audience: "?scene=audience&people=4",
  called: "?scene=called&people=3",
  left: "?scene=left",
};

/** What is opened by pressing: the screen to begin at, and the way from there. */
export const OVERLAYS = {
  identity: ["home", "identity-page"],
  protect: ["ephemeral", "ephemeral-keep"],
  contacts: ["home", "contacts-page"],
  proxy: ["home", "proxy-heading"],
  forget: ["home", "contacts-page", "forget-c1"],
  actions: ["meeting", "actions-p1"],
  safety: ["meeting", "actions-p3", "compare-p3"],
  matched: ["meeting", "actions-p3", "compare-p3", "match"],
  scan: ["meeting", "actions-p3", "compare-p3", "scan"],
  "new-link": ["meeting", "new-link"],
  changed: ["door", "admit-d4"],
  share: ["meeting", "share"],
  devices: ["meeting", "devices-control"],
  accept: ["door", "accept-d4"],
  doubted: ["alarm", "actions-p4", "compare-p4"],
  "accept-unseen": ["alarm", "actions-p4", "compare-p4", "accept-key"],
  "host-rules": ["meeting", "security-control"],
  rules: ["alarm", "security-control"],
};

/** Opens an overlay on its screen. A narrow window opens its people first. */
export async function openOverlay(page, [, ...way]) {
  // Whether people are shown is known once the page stands: on a busy machine that takes a moment.
  await page.getByTestId("status").first().waitFor({ state: "attached" });
  await page.waitForTimeout(400);
  const people = page.getByTestId("people");
  const unasked = (await people.count()) > 0 && (await people.getAttribute("aria-expanded")) === "false";
  await press(page, ...(unasked && way[0] !== "security-control" ? ["people"] : []), ...way);
}
