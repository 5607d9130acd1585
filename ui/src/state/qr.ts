/**
 * Takes the dark modules out of a QR code in SVG. The document itself never enters the page: only
 * numbers and drawing letters pass, so that nothing in it can become markup, style or script.
 */

export interface QrPicture {
  viewBox: string;
  /** Everything dark, as the data of one path. */
  path: string;
}

const LONGEST = 400_000;
const BOX = /^\s*-?\d+(\.\d+)?([\s,]+-?\d+(\.\d+)?){3}\s*$/;
const DRAWING = /^[\sMmHhVvLlZz\d.,-]+$/;
const LIGHT = new Set(["#fff", "#ffffff", "white", "none", "transparent"]);

/** The picture, or null when the text is no QR code that this can read. */
export function readQr(svg: string): QrPicture | null {
  if (svg.length > LONGEST) return null;
  const root = new DOMParser().parseFromString(svg, "image/svg+xml").documentElement;
  if (root.localName !== "svg") return null;
  const viewBox = root.getAttribute("viewBox") ?? sizeOf(root);
  if (!viewBox || !BOX.test(viewBox)) return null;
  const parts = [...root.querySelectorAll("path, rect")].filter(isDark).map(dataOf);
  const path = parts.filter((part) => part !== null).join(" ");
  return path === "" ? null : { viewBox, path };
}

function sizeOf(root: Element): string | null {
  const [width, height] = [root.getAttribute("width"), root.getAttribute("height")];
  return width && height ? `0 0 ${parseFloat(width)} ${parseFloat(height)}` : null;
}

function isDark(element: Element): boolean {
  const fill = element.closest("[fill]")?.getAttribute("fill")?.trim().toLowerCase() ?? "black";
  return !LIGHT.has(fill);
}

function dataOf(element: Element): string | null {
  if (element.localName === "path") {
    const data = element.getAttribute("d") ?? "";
    return DRAWING.test(data) ? data : null;
  }
  const [x, y, width, height] = ["x", "y", "width", "height"].map((name) => Number(element.getAttribute(name) ?? 0));
  const sound = [x, y, width, height].every((value) => Number.isFinite(value));
  return sound ? `M${x} ${y}h${width}v${height}h-${width}z` : null;
}
