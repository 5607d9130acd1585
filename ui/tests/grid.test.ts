import { describe, expect, it } from "vitest";
import { arrange, PAGE_SIZE, pictureSize, stripPlaces } from "../src/state/grid";

describe("the stage", () => {
  it("fits every number of tiles into every window", () => {
    for (const [width, height] of [[360, 420], [900, 650], [1240, 640], [3800, 1900]] as const) {
      for (let count = 1; count <= PAGE_SIZE; count += 1) {
        const grid = arrange(count, width, height, 10);
        const rows = Math.ceil(count / grid.columns);
        expect(grid.width * grid.columns + 10 * (grid.columns - 1)).toBeLessThanOrEqual(width);
        expect(grid.height * rows + 10 * (rows - 1)).toBeLessThanOrEqual(height);
        expect(grid.width).toBeGreaterThan(0);
      }
    }
  });

  it("puts two people side by side on a wide stage and one above the other on a narrow one", () => {
    expect(arrange(2, 1240, 640, 10).columns).toBe(2);
    expect(arrange(2, 360, 640, 10).columns).toBe(1);
  });

  it("keeps a lone tile no wider than a camera sees", () => {
    const { width, height } = arrange(1, 2000, 500, 10);
    expect(width / height).toBeLessThan(1.79);
  });

  it("survives a stage of no size", () => {
    expect(arrange(3, 0, 0, 10)).toEqual({ columns: 1, width: 0, height: 0 });
  });
});

describe("the size that is asked for", () => {
  it("is the smallest that looks right", () => {
    expect(pictureSize(124, 1)).toBe("low");
    expect(pictureSize(225, 1)).toBe("low");
    expect(pictureSize(226, 1)).toBe("medium");
    expect(pictureSize(225, 2)).toBe("medium");
    expect(pictureSize(700, 1)).toBe("high");
  });
});

describe("the strip beside a pinned tile", () => {
  it("holds what fits, and never nothing", () => {
    expect(stripPlaces(640, 10)).toBe(5);
    expect(stripPlaces(0, 10)).toBe(1);
  });
});
