/**
 * Decodes one tile's stream and keeps its newest picture.
 *
 * It outlives the canvas it feeds: a tile that moves to another screen shows its last picture at
 * once instead of waiting for a key frame. Old pictures are dropped wherever newer ones wait.
 */
import type { Picture } from "./batch";
import { colours, packedPlanes, type Plane, type YuvPicture } from "./yuv";

/** VP9 profile 0 up to 1280x720 at 30 pictures a second, 8 bits. */
export const CODEC = "vp09.00.31.08";
/** With more pictures than this still waiting, a key frame is a reason to skip them. */
const LATE = 12;
/** Past this many, decoding is hopeless until the next key frame. The backend keeps fewer. */
const MAX_QUEUE = 900;

/** True when this web view can decode what Conclave sends. */
export async function decodes(): Promise<boolean> {
  if (typeof VideoDecoder === "undefined") return false;
  try {
    return (await VideoDecoder.isConfigSupported({ codec: CODEC })).supported === true;
  } catch {
    return false;
  }
}

export class TileDecoder {
  /** The newest picture. Its buffer is reused: paint it, do not keep it. */
  picture: YuvPicture | null = null;
  readonly #onPicture: () => void;
  #decoder: VideoDecoder | null = null;
  #needsKey = true;
  #last = 0;
  /** Of the last key frame. */
  #size = "";
  #waiting: VideoFrame | null = null;
  #copying = false;
  #closed = false;
  #samples = new Uint8Array(0);

  constructor(onPicture: () => void) {
    this.#onPicture = onPicture;
  }

  push(picture: Picture): void {
    if (this.#closed) return;
    if (picture.raw) return this.#show(picture.data, picture.width, picture.height);
    const queued = this.#decoder?.decodeQueueSize ?? 0;
    // Smaller numbers than before come from another camera or meeting: another stream.
    const restarted = picture.seq <= this.#last;
    // WebKitGTK's decoder garbles pictures of another size than its first.
    const size = `${picture.width}x${picture.height}`;
    const resized = picture.key && size !== this.#size;
    if (restarted || resized || queued > MAX_QUEUE || (picture.key && queued > LATE)) this.#startOver();
    if (picture.key) this.#size = size;
    this.#last = picture.seq;
    if (this.#needsKey && !picture.key) return;
    this.#decoder ??= this.#open();
    this.#needsKey = false;
    try {
      this.#decoder.decode(
        new EncodedVideoChunk({
          type: picture.key ? "key" : "delta",
          // Only the order matters here: pictures are shown as soon as they are ready.
          timestamp: picture.seq,
          data: picture.data,
        }),
      );
    } catch {
      this.#startOver();
    }
  }

  close(): void {
    this.#closed = true;
    this.#startOver();
  }

  #open(): VideoDecoder {
    const decoder = new VideoDecoder({
      output: (frame) => this.#take(frame),
      error: () => this.#startOver(),
    });
    decoder.configure({ codec: CODEC, optimizeForLatency: true });
    return decoder;
  }

  #startOver(): void {
    if (this.#decoder && this.#decoder.state !== "closed") this.#decoder.close();
    this.#decoder = null;
    this.#needsKey = true;
    this.#waiting?.close();
    this.#waiting = null;
  }

  #take(frame: VideoFrame): void {
    this.#waiting?.close();
    this.#waiting = frame;
    if (!this.#copying) void this.#copyAll();
  }

  /** Copies the newest frame out of the decoder until none is left. */
  async #copyAll(): Promise<void> {
    this.#copying = true;
    for (let frame = this.#next(); frame; frame = this.#next()) {
      try {
        await this.#copy(frame);
      } catch {
        this.#needsKey = true;
      } finally {
        frame.close();
      }
    }
    this.#copying = false;
  }

  #next(): VideoFrame | null {
    const frame = this.#waiting;
    this.#waiting = null;
    return frame;
  }

  async #copy(frame: VideoFrame): Promise<void> {
    const size = frame.allocationSize();
    if (this.#samples.length !== size) this.#samples = new Uint8Array(size);
    const layout = await frame.copyTo(this.#samples);
    if (this.#closed) return;
    const area = frame.visibleRect ?? { width: frame.codedWidth, height: frame.codedHeight };
    const { width, height } = area;
    const { matrix, fullRange } = frame.colorSpace;
    if (frame.format === "NV12") return this.#show(planar(this.#samples, layout, width, height), width, height);
    if (frame.format !== "I420" || layout.length < 3) throw new Error(`cannot draw ${frame.format}`);
    this.#offer(this.#samples, width, height, layout as [Plane, Plane, Plane], matrix, fullRange);
  }

  #show(data: Uint8Array, width: number, height: number): void {
    this.#offer(data, width, height, packedPlanes(width, height));
  }

  #offer(
    data: Uint8Array,
    width: number,
    height: number,
    planes: [Plane, Plane, Plane],
    matrix?: string | null,
    fullRange?: boolean | null,
  ): void {
    this.picture = { width, height, data, planes, ...colours(height, matrix, fullRange) };
    this.#onPicture();
  }
}

/** I420 from NV12, whose two colour planes are interleaved. */
function planar(samples: Uint8Array, layout: PlaneLayout[], width: number, height: number): Uint8Array {
  const [luma, chroma] = layout;
  if (!luma || !chroma) throw new Error("NV12 without its two planes");
  const planes = packedPlanes(width, height);
  const halfWidth = (width + 1) >> 1;
  const halfHeight = (height + 1) >> 1;
  const out = new Uint8Array(planes[2].offset + halfWidth * halfHeight);
  for (let row = 0; row < height; row += 1) {
    const from = luma.offset + row * luma.stride;
    out.set(samples.subarray(from, from + width), row * width);
  }
  for (let row = 0; row < halfHeight; row += 1) {
    const from = chroma.offset + row * chroma.stride;
    for (let column = 0; column < halfWidth; column += 1) {
      out[planes[1].offset + row * halfWidth + column] = samples[from + 2 * column] ?? 128;
      out[planes[2].offset + row * halfWidth + column] = samples[from + 2 * column + 1] ?? 128;
    }
  }
  return out;
}
