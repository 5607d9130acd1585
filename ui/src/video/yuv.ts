/** A decoded picture in three planes, and how its numbers become colours. */

export interface Plane {
  offset: number;
  /** Bytes from one row to the next; at least the row's width. */
  stride: number;
}

export interface YuvPicture {
  width: number;
  height: number;
  data: Uint8Array;
  planes: [Plane, Plane, Plane];
  /** Column-major 3x3 matrix from (y, u, v) after `offset` to RGB. */
  matrix: Float32Array;
  offset: [number, number, number];
}

/** Planes of I420 without padding, as the backend sends it. */
export function packedPlanes(width: number, height: number): [Plane, Plane, Plane] {
  const chroma = (width + 1) >> 1;
  const luma = width * height;
  return [
    { offset: 0, stride: width },
    { offset: luma, stride: chroma },
    { offset: luma + chroma * ((height + 1) >> 1), stride: chroma },
  ];
}

/** Luma weights of red and blue: ITU-R BT.601 and BT.709. */
const WEIGHTS = { bt601: [0.299, 0.114], bt709: [0.2126, 0.0722] } as const;

export type Colours = Pick<YuvPicture, "matrix" | "offset">;

/**
 * How to turn samples into RGB. A stream that does not say gets what encoders assume: BT.709
 * from 720 lines on, BT.601 below.
 */
export function colours(height: number, matrix?: string | null, fullRange?: boolean | null): Colours {
  const hd = matrix ? matrix === "bt709" : height >= 720;
  const [red, blue] = WEIGHTS[hd ? "bt709" : "bt601"];
  const green = 1 - red - blue;
  const scaleY = fullRange ? 1 : 255 / 219;
  const scaleC = fullRange ? 1 : 255 / 224;
  const rv = 2 * (1 - red) * scaleC;
  const bu = 2 * (1 - blue) * scaleC;
  const gu = (-bu * blue) / green;
  const gv = (-rv * red) / green;
  return {
    matrix: new Float32Array([scaleY, scaleY, scaleY, 0, gu, bu, rv, gv, 0]),
    offset: [fullRange ? 0 : 16 / 255, 128 / 255, 128 / 255],
  };
}
