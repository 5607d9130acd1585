/** Which key does what in a meeting. */

export type Action = "mute" | "camera" | "hand" | "people" | "leave" | "list";

const KEYS: Record<string, Action> = { d: "mute", e: "camera", h: "hand", p: "people", l: "leave", "?": "list" };

/** The action of a key press, or null when the key belongs to what has the focus. */
export function actionOf(event: KeyboardEvent): Action | null {
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return null;
  if (typesText(event.target) || inDialog(event.target)) return null;
  return KEYS[event.key.toLowerCase()] ?? null;
}

/** Space talks while held, unless the focused control needs it for itself. */
export function isTalkKey(event: KeyboardEvent): boolean {
  if (event.key !== " " || event.ctrlKey || event.metaKey || event.altKey) return false;
  const target = event.target;
  return !typesText(target) && !(target instanceof Element && target.closest("button, a, select, [role=dialog]"));
}

function inDialog(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest("[role=dialog]") !== null;
}

function typesText(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest("input, textarea, select, [contenteditable]") !== null;
}
