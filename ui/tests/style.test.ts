import { describe, expect, it } from "vitest";

const PARTS = import.meta.glob<string>("../src/**/*.svelte", { query: "?raw", import: "default", eager: true });

/** Leaving, removing, erasing, and what threatens: forged voices, changed keys, failures. */
const MAY_BE_RED = [
  "AcceptKeyDialog",
  "BottomBar",
  "ChangedKeys",
  "ConfirmDialog",
  "EraseIdentity",
  "ErrorNotice",
  "MemberActions",
  "MemberRow",
  "SafetyDialog",
  "Tile",
  "TrustMark",
  "Warnings",
];

describe("red", () => {
  it("is for leaving and for danger, not for a microphone or camera that is off", () => {
    const red = Object.entries(PARTS)
      .filter(([, source]) => source.includes("--danger") || /class="[^"]*\bdanger\b/.test(source))
      .map(([path]) => path.replace(/^.*\//, "").replace(".svelte", ""))
      .sort();
    expect(red.filter((name) => !MAY_BE_RED.includes(name))).toEqual([]);
    expect(PARTS["../src/parts/ControlButton.svelte"]).toContain("class:off");
    const tile = PARTS["../src/parts/Tile.svelte"] ?? "";
    const rules = [...tile.matchAll(/\.([\w:-]+)[^{}]*\{[^}]*--danger/g)].map(([, name]) => name);
    expect(rules).toEqual(["forged::after", "alarm"]);
  });
});
