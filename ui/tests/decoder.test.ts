import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Picture } from "../src/video/batch";
import { TileDecoder } from "../src/video/decoder";

/** Remembers what it is asked to decode; `decodeQueueSize` is the test's to set. */
class RecordingDecoder {
  static made: RecordingDecoder[] = [];
  state = "unconfigured";
  decodeQueueSize = 0;
  decoded: number[] = [];

  constructor() {
    RecordingDecoder.made.push(this);
  }
  configure(): void {
    this.state = "configured";
  }
  decode(chunk: { timestamp: number }): void {
    this.decoded.push(chunk.timestamp);
  }
  close(): void {
    this.state = "closed";
  }
}

beforeEach(() => {
  RecordingDecoder.made = [];
  vi.stubGlobal("VideoDecoder", RecordingDecoder);
  vi.stubGlobal(
    "EncodedVideoChunk",
    class {
      readonly timestamp: number;
      constructor(init: { timestamp: number }) {
        this.timestamp = init.timestamp;
      }
    },
  );
});
afterEach(() => vi.unstubAllGlobals());

const picture = (seq: number, key = false): Picture => ({
  tile: 1,
  seq,
  width: 320,
  height: 180,
  key,
  raw: false,
  data: new Uint8Array(1),
});

describe("a tile's decoder", () => {
  it("begins at a key frame and takes everything after it, however much that is", () => {
    const decoder = new TileDecoder(() => {});
    decoder.push(picture(1));
    decoder.push(picture(2, true));
    for (let seq = 3; seq < 400; seq += 1) {
      RecordingDecoder.made[0]!.decodeQueueSize = seq;
      decoder.push(picture(seq));
    }
    expect(RecordingDecoder.made).toHaveLength(1);
    expect(RecordingDecoder.made[0]!.decoded).toHaveLength(398);
    expect(RecordingDecoder.made[0]!.decoded[0]).toBe(2);
  });

  it("skips to a key frame when it is late", () => {
    const decoder = new TileDecoder(() => {});
    decoder.push(picture(1, true));
    RecordingDecoder.made[0]!.decodeQueueSize = 40;
    decoder.push(picture(2, true));
    expect(RecordingDecoder.made.map(({ state, decoded }) => [state, decoded])).toEqual([
      ["closed", [1]],
      ["configured", [2]],
    ]);
  });

  it("starts over when the numbers do", () => {
    const decoder = new TileDecoder(() => {});
    decoder.push(picture(50, true));
    decoder.push(picture(3));
    decoder.push(picture(4, true));
    expect(RecordingDecoder.made[1]!.decoded).toEqual([4]);
  });

  it("starts over at a key frame of another size, and at no other", () => {
    const decoder = new TileDecoder(() => {});
    decoder.push(picture(1, true));
    decoder.push(picture(2, true));
    decoder.push({ ...picture(3, true), width: 640, height: 360 });
    decoder.push(picture(4));
    expect(RecordingDecoder.made.map(({ state, decoded }) => [state, decoded])).toEqual([
      ["closed", [1, 2]],
      ["configured", [3, 4]],
    ]);
  });

  it("shows pictures that come decoded", () => {
    const shown = vi.fn();
    const decoder = new TileDecoder(shown);
    decoder.push({ ...picture(1), raw: true, width: 2, height: 2, data: new Uint8Array(6) });
    expect(shown).toHaveBeenCalledOnce();
    expect(decoder.picture).toMatchObject({ width: 2, height: 2 });
    expect(RecordingDecoder.made).toHaveLength(0);
  });

  it("is silent once closed", () => {
    const decoder = new TileDecoder(() => {});
    decoder.push(picture(1, true));
    decoder.close();
    decoder.push(picture(2, true));
    expect(RecordingDecoder.made).toHaveLength(1);
    expect(RecordingDecoder.made[0]!.state).toBe("closed");
  });
});
