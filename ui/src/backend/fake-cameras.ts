/** Moving pictures of simulated people: drawn, then encoded as a real camera's would be. */
import { type Picture, writeBatch } from "../video/batch";
import { CODEC } from "../video/decoder";

const WIDTH = 320;
const HEIGHT = 180;
const INTERVAL_MS = 66;
const KEY_EVERY = 30;
const BITRATE_BPS = 300_000;

export class FakeCameras {
  readonly #cameras = new Map<number, FakeCamera>();
  #seq = 0;

  /** The next picture of every tile, after a pause of one interval. */
  async next(tiles: number[], after: number, raw: boolean, signal: AbortSignal): Promise<ArrayBuffer> {
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
    signal.throwIfAborted();
    const pictures: Picture[] = [];
    this.#seq = Math.max(this.#seq, after);
    for (const tile of tiles) {
      for (const picture of await this.#camera(tile).shoot(raw)) {
        this.#seq += 1;
        pictures.push({ ...picture, tile, seq: this.#seq });
      }
    }
    return writeBatch(pictures);
  }

  #camera(tile: number): FakeCamera {
    const known = this.#cameras.get(tile);
    if (known) return known;
    const made = new FakeCamera(tile);
    this.#cameras.set(tile, made);
    return made;
  }
}

class FakeCamera {
  readonly #canvas = new OffscreenCanvas(WIDTH, HEIGHT);
  readonly #number: number;
  #shots = 0;
  #encoder: VideoEncoder | null = null;
  #encoded: Picture[] = [];

  constructor(number: number) {
    this.#number = number;
  }

  /** Draws one picture; returns it encoded, or as samples if `raw` or without an encoder. */
  async shoot(raw: boolean): Promise<Picture[]> {
    const context = this.#canvas.getContext("2d", { willReadFrequently: true });
    if (!context) return [];
    draw(context, this.#number, performance.now() / 1000);
    this.#shots += 1;
    if (raw || typeof VideoEncoder === "undefined") return [samples(context)];
    this.#encoder ??= this.#open();
    const frame = new VideoFrame(this.#canvas, { timestamp: this.#shots * INTERVAL_MS * 1000 });
    this.#encoder.encode(frame, { keyFrame: this.#shots % KEY_EVERY === 1 });
    frame.close();
    return this.#encoded.splice(0);
  }

  #open(): VideoEncoder {
    const encoder = new VideoEncoder({
      output: (chunk) => {
        const data = new Uint8Array(chunk.byteLength);
        chunk.copyTo(data);
        this.#encoded.push(picture(data, chunk.type === "key", false));
      },
      error: () => (this.#encoder = null),
    });
    encoder.configure({ codec: CODEC, width: WIDTH, height: HEIGHT, bitrate: BITRATE_BPS, latencyMode: "realtime" });
    return encoder;
  }
}

function picture(data: Picture["data"], key: boolean, raw: boolean): Picture {
  return { tile: 0, seq: 0, width: WIDTH, height: HEIGHT, key, raw, data };
}

/** A head and shoulders that sway before a wall. */
function draw(context: OffscreenCanvasRenderingContext2D, number: number, seconds: number): void {
  const hue = (200 + number * 67) % 360;
  const sway = Math.sin(seconds * 1.3 + number * 2) * 9;
  const nod = Math.sin(seconds * 2.1 + number) * 3;
  const wall = context.createLinearGradient(0, 0, WIDTH, HEIGHT);
  wall.addColorStop(0, `hsl(${hue} 14% 46%)`);
  wall.addColorStop(1, `hsl(${hue} 18% 22%)`);
  context.fillStyle = wall;
  context.fillRect(0, 0, WIDTH, HEIGHT);
  context.fillStyle = `hsl(${(hue + 150) % 360} 28% 36%)`;
  context.beginPath();
  context.ellipse(WIDTH / 2 + sway * 0.5, HEIGHT + 22, 74, 92, 0, 0, Math.PI * 2);
  context.fill();
  context.fillStyle = `hsl(26 ${32 + ((number * 9) % 24)}% ${42 + ((number * 13) % 28)}%)`;
  context.beginPath();
  context.ellipse(WIDTH / 2 + sway, 74 + nod, 29, 35, 0, 0, Math.PI * 2);
  context.fill();
}

/** I420 in BT.601's limited range, as the decoder would give it. */
function samples(context: OffscreenCanvasRenderingContext2D): Picture {
  const rgba = context.getImageData(0, 0, WIDTH, HEIGHT).data;
  const luma = WIDTH * HEIGHT;
  const data = new Uint8Array(luma + luma / 2);
  for (let row = 0; row < HEIGHT; row += 1) {
    for (let column = 0; column < WIDTH; column += 1) {
      const at = (row * WIDTH + column) * 4;
      const [red, green, blue] = [rgba[at] ?? 0, rgba[at + 1] ?? 0, rgba[at + 2] ?? 0];
      data[row * WIDTH + column] = 16 + 0.257 * red + 0.504 * green + 0.098 * blue;
      if (row % 2 || column % 2) continue;
      const chroma = luma + (row / 2) * (WIDTH / 2) + column / 2;
      data[chroma] = 128 - 0.148 * red - 0.291 * green + 0.439 * blue;
      data[chroma + luma / 4] = 128 + 0.439 * red - 0.368 * green - 0.071 * blue;
    }
  }
  return picture(data, true, true);
}
