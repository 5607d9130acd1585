/** What jsdom lacks and the components ask for. */
import { vi } from "vitest";

// Without a drawing context a tile says so in words, which is what the tests want to see anyway.
HTMLCanvasElement.prototype.getContext = () => null;
Element.prototype.scrollIntoView = vi.fn();
globalThis.ResizeObserver ??= class {
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
};
