/** How tiles share the stage. */
import type { Member } from "../backend/view";

/** Tiles on one page. Browsers keep some 16 drawing contexts alive; a page stays below. */
export const PAGE_SIZE = 12;

const WIDEST = 16 / 9;
const NARROWEST = 4 / 3;

export interface Grid {
  columns: number;
  /** Size of one tile in CSS pixels. */
  width: number;
  height: number;
}

/** The sizes in which pictures are sent: 180, 360 and 720 lines. */
export type PictureSize = "low" | "medium" | "high";

/** Blurring by so much is not seen. */
const STRETCH = 1.25;

/** The smallest size that looks right on a tile of so many CSS pixels in height. */
export function pictureSize(height: number, pixelRatio: number): PictureSize {
  const lines = (height * pixelRatio) / STRETCH;
  if (lines <= 180) return "low";
  return lines <= 360 ? "medium" : "high";
}

/** Of a shared screen there are two sizes: letters want the large one even on a middling tile. */
export function screenSize(height: number, pixelRatio: number): PictureSize {
  return pictureSize(height, pixelRatio) === "low" ? "low" : "high";
}

/** Somebody, or the screen that somebody shares. */
export interface StageTile {
  key: string;
  member: Member;
  isScreen: boolean;
}

/** What of a member stands on the stage: the screen first. One's own screen is on one's own screen. */
export function tilesOf(member: Member): StageTile[] {
  const person = { key: member.device, member, isScreen: false };
  if (!member.screen || member.isMe) return [person];
  return [{ key: `screen:${member.device}`, member, isScreen: true }, person];
}

/**
 * What takes the stage, if anything: what is pinned, or else the first shared screen; and the others,
 * screens first.
 */
export function layOut(members: Member[], pinned: string | null): { main: StageTile | null; others: StageTile[] } {
  const tiles = members.flatMap(tilesOf).sort((a, b) => Number(b.isScreen) - Number(a.isScreen));
  const main = tiles.find(({ key }) => key === pinned) ?? tiles.find(({ isScreen }) => isScreen) ?? null;
  return { main, others: tiles.filter((tile) => tile !== main) };
}

/** Beside a pinned tile the others stand in a strip of this width. */
export const STRIP_WIDTH = 208;

/** So many tiles of the strip's width stand one above the other. */
export function stripPlaces(height: number, gap: number): number {
  return Math.max(1, Math.floor((height + gap) / (STRIP_WIDTH / WIDEST + gap)));
}

/** The arrangement of `count` tiles that covers most of the stage. */
export function arrange(count: number, width: number, height: number, gap: number): Grid {
  let best: Grid = { columns: 1, width: 0, height: 0 };
  let bestArea = -1;
  for (let columns = 1; columns <= Math.max(count, 1); columns += 1) {
    const rows = Math.ceil(Math.max(count, 1) / columns);
    const cellWidth = (width - gap * (columns - 1)) / columns;
    const cellHeight = (height - gap * (rows - 1)) / rows;
    if (cellWidth <= 0 || cellHeight <= 0) continue;
    const tile = tileIn(cellWidth, cellHeight);
    const area = tile.width * tile.height;
    if (area <= bestArea) continue;
    bestArea = area;
    best = { columns, ...tile };
  }
  return best;
}

/** Fills the cell, but keeps a shape in which a face looks right. */
function tileIn(width: number, height: number): { width: number; height: number } {
  return {
    width: Math.floor(Math.min(width, height * WIDEST)),
    height: Math.floor(Math.min(height, width / NARROWEST)),
  };
}
