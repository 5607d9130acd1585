/**
 * The pull loop: asks the backend for pictures and hands each to its tile's decoder.
 *
 * Asking is the back-pressure. While the window is busy nothing is asked for, and the backend
 * throws away what has grown old.
 */
import type { Backend } from "../backend/backend";
import { readBatch } from "./batch";
import { TileDecoder } from "./decoder";
import { Painter } from "./painter";

/** More tiles than a page shows; further streams are not decoded. */
const MAX_TILES = 32;
const RETRY_MS = 500;

interface Tile {
  decoder: TileDecoder;
  /** Each canvas that shows it, and who hears of its first picture there. */
  painters: Map<Painter, (() => void) | null>;
  /** A repaint is booked for the next animation frame. */
  booked: boolean;
}

export class FramePump {
  /** Ask for decoded pictures, because this web view cannot decode. */
  raw = false;
  readonly #backend: Backend;
  readonly #tiles = new Map<number, Tile>();
  #running: AbortController | null = null;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  start(): void {
    if (this.#running) return;
    this.#running = new AbortController();
    void this.#run(this.#running.signal);
  }

  stop(): void {
    this.#running?.abort();
    this.#running = null;
    for (const number of [...this.#tiles.keys()]) this.#drop(number);
  }

  /** Begins to count anew, for a backend that did: its devices were changed. */
  restart(): void {
    if (!this.#running) return;
    this.#running.abort();
    this.#running = null;
    this.start();
  }

  /** Forgets the streams of those who left. */
  retain(numbers: Set<number>): void {
    for (const number of [...this.#tiles.keys()]) {
      if (!numbers.has(number)) this.#drop(number);
    }
  }

  /**
   * Draws tile `number` on `canvas` until the returned function is called; other canvases may show
   * it too. `onFirst` hears of the first picture. Null when the computer cannot draw.
   */
  attach(number: number, canvas: HTMLCanvasElement, onFirst: () => void): (() => void) | null {
    const painter = new Painter(canvas);
    if (!painter.works) return null;
    const tile = this.#tile(number);
    if (!tile) return null;
    tile.painters.set(painter, onFirst);
    if (tile.decoder.picture) this.#book(tile);
    return () => {
      painter.close();
      tile.painters.delete(painter);
    };
  }

  async #run(signal: AbortSignal): Promise<void> {
    let after = 0;
    while (!signal.aborted) {
      try {
        for (const picture of readBatch(await this.#backend.frames(after, this.raw, signal))) {
          after = Math.max(after, picture.seq);
          this.#tile(picture.tile)?.decoder.push(picture);
        }
      } catch {
        // Between two meetings there is no source; sound and the snapshot do not depend on it.
        await pause(RETRY_MS, signal);
      }
    }
  }

  #tile(number: number): Tile | null {
    const known = this.#tiles.get(number);
    if (known) return known;
    if (this.#tiles.size >= MAX_TILES) return null;
    const tile: Tile = {
      decoder: new TileDecoder(() => this.#book(tile)),
      painters: new Map(),
      booked: false,
    };
    this.#tiles.set(number, tile);
    return tile;
  }

  #book(tile: Tile): void {
    if (tile.booked || tile.painters.size === 0) return;
    tile.booked = true;
    requestAnimationFrame(() => {
      tile.booked = false;
      if (!tile.decoder.picture) return;
      for (const [painter, onFirst] of tile.painters) {
        painter.paint(tile.decoder.picture);
        onFirst?.();
        tile.painters.set(painter, null);
      }
    });
  }

  #drop(number: number): void {
    const tile = this.#tiles.get(number);
    this.#tiles.delete(number);
    tile?.decoder.close();
    for (const painter of tile?.painters.keys() ?? []) painter.close();
    tile?.painters.clear();
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
