/**
 * Reads a batch of pictures from the frame loop.
 *
 * Little endian: u32 count; per picture a header of seven u32 (tile, seq, width, height, flags,
 * length, reserved); then the payloads in the same order.
 */

export interface Picture {
  tile: number;
  /** Number in the loop, over all tiles: the largest one seen is what to ask after. */
  seq: number;
  width: number;
  height: number;
  /** A decoder may start here. */
  key: boolean;
  /** The payload is I420 samples, already decoded, without padding between rows. */
  raw: boolean;
  data: Uint8Array<ArrayBuffer>;
}

const HEADER_BYTES = 28;
const FLAG_KEY = 1;
const FLAG_RAW = 2;
/** Far more than a window shows; a larger count means the batch is damaged. */
const MAX_PICTURES = 4096;

export class DamagedBatch extends Error {}

export function readBatch(buffer: ArrayBuffer): Picture[] {
  if (buffer.byteLength === 0) return [];
  if (buffer.byteLength < 4) throw new DamagedBatch("The picture batch is shorter than its count.");
  const view = new DataView(buffer);
  const count = view.getUint32(0, true);
  let payload = 4 + count * HEADER_BYTES;
  if (count > MAX_PICTURES || payload > buffer.byteLength) {
    throw new DamagedBatch("The picture batch is shorter than its headers.");
  }
  const pictures: Picture[] = [];
  for (let index = 0; index < count; index += 1) {
    const at = 4 + index * HEADER_BYTES;
    const flags = view.getUint32(at + 16, true);
    const length = view.getUint32(at + 20, true);
    if (payload + length > buffer.byteLength) {
      throw new DamagedBatch("The picture batch is shorter than its payloads.");
    }
    pictures.push({
      tile: view.getUint32(at, true),
      seq: view.getUint32(at + 4, true),
      width: view.getUint32(at + 8, true),
      height: view.getUint32(at + 12, true),
      key: (flags & FLAG_KEY) !== 0,
      raw: (flags & FLAG_RAW) !== 0,
      data: new Uint8Array(buffer, payload, length),
    });
    payload += length;
  }
  return pictures;
}

/** The inverse, for the fake backend and tests. */
export function writeBatch(pictures: Picture[]): ArrayBuffer {
  const bytes = pictures.reduce((sum, picture) => sum + HEADER_BYTES + picture.data.length, 4);
  const buffer = new ArrayBuffer(bytes);
  const view = new DataView(buffer);
  view.setUint32(0, pictures.length, true);
  let payload = 4 + pictures.length * HEADER_BYTES;
  pictures.forEach((picture, index) => {
    const flags = (picture.key ? FLAG_KEY : 0) | (picture.raw ? FLAG_RAW : 0);
    const header = [picture.tile, picture.seq, picture.width, picture.height, flags, picture.data.length, 0];
    header.forEach((value, field) => view.setUint32(4 + index * HEADER_BYTES + field * 4, value, true));
    new Uint8Array(buffer, payload).set(picture.data);
    payload += picture.data.length;
  });
  return buffer;
}
