/** Paints YUV pictures on one canvas: three luminance textures and a shader. */
import type { YuvPicture } from "./yuv";

const VERTEX = `#version 300 es
in vec2 corner;
out vec2 spot;
void main() {
  spot = vec2(corner.x, 1.0 - corner.y);
  gl_Position = vec4(corner * 2.0 - 1.0, 0.0, 1.0);
}`;

const FRAGMENT = `#version 300 es
precision mediump float;
in vec2 spot;
out vec4 colour;
uniform sampler2D plane0, plane1, plane2;
uniform mat3 matrix;
uniform vec3 offset;
void main() {
  vec3 yuv = vec3(texture(plane0, spot).r, texture(plane1, spot).r, texture(plane2, spot).r);
  colour = vec4(matrix * (yuv - offset), 1.0);
}`;

/** What one GL context holds; lost and made anew together with it. */
interface Stage {
  gl: WebGL2RenderingContext;
  textures: [WebGLTexture, WebGLTexture, WebGLTexture];
  matrix: WebGLUniformLocation | null;
  offset: WebGLUniformLocation | null;
  /** Size that the textures have room for. */
  width: number;
  height: number;
}

export class Painter {
  readonly #canvas: HTMLCanvasElement;
  #stage: Stage | null;

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas;
    this.#stage = build(canvas);
    canvas.addEventListener("webglcontextlost", this.#onLost);
    canvas.addEventListener("webglcontextrestored", this.#onRestored);
  }

  /** False where the computer offers no WebGL at all. */
  get works(): boolean {
    return this.#stage !== null;
  }

  paint(picture: YuvPicture): void {
    const stage = this.#stage;
    if (!stage || stage.gl.isContextLost()) return;
    const { gl } = stage;
    this.#resize(stage, picture.width, picture.height);
    stage.textures.forEach((texture, index) => {
      const plane = picture.planes[index as 0 | 1 | 2];
      const [width, height] = planeSize(picture.width, picture.height, index);
      gl.activeTexture(gl.TEXTURE0 + index);
      gl.bindTexture(gl.TEXTURE_2D, texture);
      gl.pixelStorei(gl.UNPACK_ROW_LENGTH, plane.stride);
      gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, width, height, gl.RED, gl.UNSIGNED_BYTE, picture.data, plane.offset);
    });
    gl.uniformMatrix3fv(stage.matrix, false, picture.matrix);
    gl.uniform3fv(stage.offset, picture.offset);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }

  /** Gives the context back at once: browsers allow only a handful at a time. */
  close(): void {
    this.#canvas.removeEventListener("webglcontextlost", this.#onLost);
    this.#canvas.removeEventListener("webglcontextrestored", this.#onRestored);
    this.#stage?.gl.getExtension("WEBGL_lose_context")?.loseContext();
    this.#stage = null;
  }

  readonly #onLost = (event: Event): void => event.preventDefault();

  readonly #onRestored = (): void => {
    this.#stage = build(this.#canvas);
  };

  #resize(stage: Stage, width: number, height: number): void {
    if (stage.width === width && stage.height === height) return;
    const { gl } = stage;
    stage.width = width;
    stage.height = height;
    this.#canvas.width = width;
    this.#canvas.height = height;
    gl.viewport(0, 0, width, height);
    stage.textures.forEach((texture, index) => {
      const [planeWidth, planeHeight] = planeSize(width, height, index);
      gl.activeTexture(gl.TEXTURE0 + index);
      gl.bindTexture(gl.TEXTURE_2D, texture);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8, planeWidth, planeHeight, 0, gl.RED, gl.UNSIGNED_BYTE, null);
    });
  }
}

function planeSize(width: number, height: number, plane: number): [number, number] {
  return plane === 0 ? [width, height] : [(width + 1) >> 1, (height + 1) >> 1];
}

function build(canvas: HTMLCanvasElement): Stage | null {
  const gl = canvas.getContext("webgl2", {
    alpha: false,
    antialias: false,
    depth: false,
    // A tile without a new picture must survive a repaint of the page around it.
    preserveDrawingBuffer: true,
  });
  if (!gl) return null;
  const program = link(gl);
  if (!program) return null;
  gl.useProgram(program);
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);

  gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([0, 0, 1, 0, 0, 1, 1, 1]), gl.STATIC_DRAW);
  const corner = gl.getAttribLocation(program, "corner");
  gl.enableVertexAttribArray(corner);
  gl.vertexAttribPointer(corner, 2, gl.FLOAT, false, 0, 0);

  const textures = [0, 1, 2].map((unit) => texture(gl, program, unit)) as Stage["textures"];
  return {
    gl,
    textures,
    matrix: gl.getUniformLocation(program, "matrix"),
    offset: gl.getUniformLocation(program, "offset"),
    width: 0,
    height: 0,
  };
}

function link(gl: WebGL2RenderingContext): WebGLProgram | null {
  const program = gl.createProgram();
  for (const [kind, source] of [
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT],
  ] as const) {
    const shader = gl.createShader(kind);
    if (!shader) return null;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  return gl.getProgramParameter(program, gl.LINK_STATUS) ? program : null;
}

function texture(gl: WebGL2RenderingContext, program: WebGLProgram, unit: number): WebGLTexture {
  const made = gl.createTexture();
  gl.activeTexture(gl.TEXTURE0 + unit);
  gl.bindTexture(gl.TEXTURE_2D, made);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.LINEAR);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  gl.uniform1i(gl.getUniformLocation(program, `plane${unit}`), unit);
  return made;
}
