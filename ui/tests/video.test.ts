import { describe, expect, it } from "vitest";
import { DamagedBatch, readBatch, writeBatch, type Picture } from "../src/video/batch";
import { colours, packedPlanes } from "../src/video/yuv";

const picture = (tile: number, bytes: number[], key = false): Picture => ({
  tile,
  seq: 1000 + tile,
  width: 640,
  height: 360,
  key,
  raw: false,
  data: new Uint8Array(bytes),
});

describe("a picture batch", () => {
  it("is read as the backend lays it out", () => {
    const bytes = new Uint8Array(4 + 28 + 3);
    const view = new DataView(bytes.buffer);
    [1, 2, 77, 640, 360, 1, 3, 0].forEach((value, index) => view.setUint32(index * 4, value, true));
    bytes.set([9, 8, 7], 32);
    const [only] = readBatch(bytes.buffer);
    expect(only).toMatchObject({ tile: 2, seq: 77, width: 640, height: 360, key: true, raw: false });
    expect([...only!.data]).toEqual([9, 8, 7]);
  });

  it("keeps payloads of several tiles apart", () => {
    const sent = [picture(0, [1], true), picture(3, []), picture(2, [4, 5, 6])];
    expect(readBatch(writeBatch(sent))).toEqual(sent);
  });

  it("may be empty", () => {
    expect(readBatch(new ArrayBuffer(0))).toEqual([]);
    expect(readBatch(new ArrayBuffer(4))).toEqual([]);
  });

  it("is refused at every cut", () => {
    const whole = writeBatch([picture(1, [1, 2, 3]), picture(2, [4, 5])]);
    for (let length = 1; length < whole.byteLength; length += 1) {
      expect(() => readBatch(whole.slice(0, length)), String(length)).toThrow(DamagedBatch);
    }
  });

  it("is refused when it promises more than a window can show", () => {
    const bytes = new ArrayBuffer(4);
    new DataView(bytes).setUint32(0, 0xffff_ffff, true);
    expect(() => readBatch(bytes)).toThrow(DamagedBatch);
  });
});

describe("colours", () => {
  /** What the shader computes for one sample of 8 bits each. */
  function rgb(y: number, u: number, v: number, height: number, matrix?: string): number[] {
    const { matrix: m, offset } = colours(height, matrix);
    const yuv = [y / 255 - offset[0], u / 255 - offset[1], v / 255 - offset[2]];
    return [0, 1, 2].map((row) => Math.round(255 * [0, 1, 2].reduce((sum, k) => sum + m[k * 3 + row]! * yuv[k]!, 0)));
  }

  it("are black and white at the ends of the limited range", () => {
    expect(rgb(16, 128, 128, 360)).toEqual([0, 0, 0]);
    expect(rgb(235, 128, 128, 360)).toEqual([255, 255, 255]);
  });

  it("follow BT.601 for small and BT.709 for high pictures unless the stream says", () => {
    // Pure red in each standard.
    expect(rgb(81, 90, 240, 360).map((value) => Math.abs(value))).toSatisfy(near([254, 0, 0]));
    expect(rgb(63, 102, 240, 720).map((value) => Math.abs(value))).toSatisfy(near([255, 1, 0]));
    expect(rgb(63, 102, 240, 360, "bt709")).toSatisfy(near([255, 1, 0]));
  });

  const near = (wanted: number[]) => (values: number[]) => values.every((value, index) => Math.abs(value - wanted[index]!) <= 3);
});

describe("planes", () => {
  it("of odd sizes round up", () => {
    const [luma, u, v] = packedPlanes(5, 3);
    expect(luma).toEqual({ offset: 0, stride: 5 });
    expect(u).toEqual({ offset: 15, stride: 3 });
    expect(v).toEqual({ offset: 21, stride: 3 });
  });
});
