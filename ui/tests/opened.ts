/** The whole window on a scripted backend, and snapshots changed for a test. */
import { render, screen, waitFor } from "@testing-library/svelte";
import { expect } from "vitest";
import App from "../src/App.svelte";
import type { Knock, MeetingView, Member } from "../src/backend/view";
import { ScriptedBackend } from "./scripted";

export async function open(
  view: MeetingView | null,
  prepare: (backend: ScriptedBackend) => void = () => {},
): Promise<ScriptedBackend> {
  const backend = new ScriptedBackend(view);
  prepare(backend);
  render(App, { backend });
  await screen.findAllByTestId("status");
  // The first snapshot arrives after settings and a look at the decoder.
  await waitFor(() => expect(document.querySelector("[data-phase]")?.getAttribute("data-phase")).toBe(view?.phase ?? "home"));
  return backend;
}

/** The same meeting with something else about everybody but this person. */
export function withOthers(view: MeetingView, change: Partial<Member>): MeetingView {
  return { ...view, members: view.members.map((member) => (member.isMe ? member : { ...member, ...change })) };
}

export function knocking(device: string, trust: Knock["trust"], knownAs: string | null = null): Knock {
  return { device, name: "Dora Varga", trust, knownAs };
}
