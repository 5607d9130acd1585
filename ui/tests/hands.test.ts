import { cleanup, fireEvent, screen, waitFor, within } from "@testing-library/svelte";
import { afterEach, describe, expect, it } from "vitest";
import type { Me, MeetingView, Member } from "../src/backend/view";
import { announce } from "../src/state/announcements";
import { open, withOthers } from "./opened";
import { recorded } from "./recorded";

afterEach(cleanup);

const { active, host } = recorded;
const click = (testid: string): Promise<boolean> => fireEvent.click(screen.getByTestId(testid));

function withMe(view: MeetingView, me: Partial<Me>, member: Partial<Member> = {}): MeetingView {
  const members = view.members.map((one) => (one.isMe ? { ...one, ...member } : one));
  return { ...view, me: { ...view.me, ...me }, members };
}

describe("a hand", () => {
  it("is raised and lowered by its button and by H", async () => {
    const backend = await open(active);
    expect(screen.getByTestId("hand").textContent).toContain("Raise hand");
    await click("hand");
    backend.show(withMe(active, {}, { hand: 1 }));
    await waitFor(() => expect(screen.getByTestId("hand").textContent).toContain("Lower hand"));
    await fireEvent.keyDown(window, { key: "h" });
    expect(backend.asked).toEqual(["raiseHand true", "raiseHand false"]);
  });

  it("is a mark on the tile and in the list, in words", async () => {
    await open(withOthers(active, { hand: 3 }));
    expect(within(screen.getByTestId("tile-h1")).getByText("hand raised, number 3")).toBeTruthy();
    expect(within(screen.getByTestId("member-h1")).getByText("hand raised, number 3")).toBeTruthy();
  });

  it("is listed in the order of hands, and a host says who speaks", async () => {
    const third: Member = { ...(host.members[1] as Member), device: "h2", name: "Ben Okafor", hand: 1, tile: 2 };
    const view = { ...withOthers(host, { hand: 2 }), members: [...withOthers(host, { hand: 2 }).members, third] };
    const backend = await open(view);
    const listed = [...screen.getByTestId("hands").querySelectorAll(".who")].map((who) => who.textContent);
    expect(listed).toEqual(["Ben Okafor", "Ana Costa"]);
    expect(screen.getByTestId("let-speak-h2").getAttribute("aria-label")).toBe("Let speak: Ben Okafor");
    await click("let-speak-h2");
    await click("lower-h1");
    expect(backend.asked).toEqual(['letSpeak "h2"', 'lowerHand "h1"']);
  });

  it("of another is lowered by nobody but who leads", async () => {
    await open(withOthers(withMe(active, {}, { hand: 2 }), { hand: 1 }));
    expect(screen.getByTestId("hands").querySelectorAll("li").length).toBe(2);
    expect(screen.queryByTestId("lower-h1")).toBeNull();
    expect(screen.queryByTestId("let-speak-h1")).toBeNull();
    expect(screen.getByTestId("lower-a1")).toBeTruthy();
  });

  it("is heard of by a screen reader, and so is the turn", () => {
    expect(announce(active, withOthers(active, { hand: 1 }))).toEqual(["Ana Costa raises a hand."]);
    expect(announce(active, withMe(active, {}, { hand: 2 }))).toEqual(["Your hand is up, number 2."]);
    const muted = withMe(active, { muted: true });
    expect(announce(muted, withMe(muted, { called: true }))).toEqual(["You may speak now. Unmute when you are ready."]);
    expect(announce(muted, withMe(muted, { audience: true }))).toEqual([
      "You are in the audience: all open microphones are taken. Raise your hand to speak.",
    ]);
  });
});

describe("a small meeting", () => {
  it("shows nothing of turns", async () => {
    await open(withMe(active, { muted: true }));
    for (const testid of ["called", "audience", "hands"]) expect(screen.queryByTestId(testid)).toBeNull();
  });
});

describe("the audience", () => {
  const audience = withMe(active, { muted: true, audience: true });

  it("is told plainly what to do, and its place once the hand is up", async () => {
    const backend = await open({ ...audience, policy: { ...audience.policy, openMicrophones: 2 } });
    const text = screen.getByTestId("audience").textContent ?? "";
    expect(text).toContain("You are in the audience.");
    expect(text).toContain("2 microphones may be open here, and all are taken. Raise your hand to speak.");
    await click("audience-hand");
    expect(backend.asked).toEqual(["raiseHand true"]);
    backend.show(withMe(audience, {}, { hand: 4 }));
    await waitFor(() => expect(screen.getByTestId("audience").textContent).toContain("number 4 in the order"));
  });

  it("unmutes when it is called, or declines; nothing opens by itself", async () => {
    const backend = await open(withMe(active, { muted: true, called: true }));
    expect(screen.getByTestId("called").textContent).toContain("opens only when you unmute");
    expect(backend.asked).toEqual([]);
    await click("speak");
    await click("decline");
    expect(backend.asked).toEqual(["setMuted false", "raiseHand false"]);
  });
});

describe("a host", () => {
  it("asks somebody to speak or to mute, by what the microphone is", async () => {
    const backend = await open(host);
    await click("actions-h1");
    expect(screen.getByTestId("ask-to-mute-h1").textContent).toBe("Ask to mute");
    await click("ask-to-mute-h1");
    backend.show(withOthers(host, { muted: true }));
    await waitFor(() => expect(screen.queryByTestId("ask-to-speak-h1")).toBeTruthy());
    await click("ask-to-speak-h1");
    expect(backend.asked).toEqual(['askToMute "h1"', 'letSpeak "h1"']);
    backend.show({ ...host, policy: { ...host.policy, openMicrophones: 1 } });
    await waitFor(() => expect(screen.getByTestId("ask-to-mute-h1").textContent).toBe("End turn"));
  });

  it("says how many microphones may be open, within bounds", async () => {
    const backend = await open(host);
    await click("security-control");
    const field = screen.getByTestId<HTMLInputElement>("open-microphones");
    expect(field.value).toBe("25");
    await fireEvent.change(field, { target: { value: "0" } });
    expect(screen.getByTestId("open-microphones-wrong").textContent).toBe("Write a whole number from 1 to 500.");
    expect(backend.asked).toEqual([]);
    await fireEvent.change(field, { target: { value: "3" } });
    expect(screen.queryByTestId("open-microphones-wrong")).toBeNull();
    expect(backend.asked).toEqual(["setOpenMicrophones 3"]);
  });

  it("and nobody else", async () => {
    await open(active);
    await click("actions-h1");
    expect(screen.queryByTestId("ask-to-mute-h1")).toBeNull();
    await click("security-control");
    expect(screen.queryByTestId("open-microphones")).toBeNull();
    expect(screen.getByTestId("rules").textContent).toContain("Open microphones: at most 25 at the same time.");
  });
});
