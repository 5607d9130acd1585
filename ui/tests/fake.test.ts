import { beforeEach, describe, expect, it, vi } from "vitest";
import { FakeBackend } from "../src/backend/fake";
import { SCENES } from "../src/backend/fake-scenes";
import type { MeetingView } from "../src/backend/view";

/** Simulated people must behave as real ones, or a look at them proves nothing. */
async function scene(query: string): Promise<{ backend: FakeBackend; view: () => MeetingView }> {
  const backend = new FakeBackend(new URLSearchParams(query));
  let latest: MeetingView | null = null;
  await backend.watch((view) => (latest = view));
  return {
    backend,
    view: () => {
      if (!latest) throw new Error("no meeting");
      return latest;
    },
  };
}

beforeEach(() => {
  vi.useFakeTimers();
  return () => vi.useRealTimers();
});

describe("simulated people", () => {
  it("show every kind of trust and of trouble in some scene", async () => {
    const views = await Promise.all(Object.keys(SCENES).map(async (name) => (await scene(`scene=${name}`)).view()));
    const members = views.flatMap((view) => view.members);
    const trusts = new Set([...members, ...views.flatMap((view) => view.knocks)].map(({ trust }) => trust));
    expect([...trusts].sort()).toEqual(["changed", "known", "me", "new", "verified"]);
    expect(new Set(members.map(({ role }) => role)).size).toBe(3);
    expect(members.some(({ voice }) => voice === "forged")).toBe(true);
    expect(members.some(({ voice }) => voice === "unverified")).toBe(true);
    for (const flag of ["silent", "missingKey", "successor"] as const) expect(members.some((one) => one[flag])).toBe(true);
    expect(views.some(({ invite }) => invite?.singleUse && invite.expiresAtMs !== null)).toBe(true);
    expect(views.some(({ policy }) => policy.locked && policy.highSecrecy)).toBe(true);
  });

  it("do what a host tells them", async () => {
    const { backend, view } = await scene("scene=meeting&people=2");
    await backend.setLocked(true);
    await backend.setWaitingRoom(false);
    expect(view().policy).toMatchObject({ locked: true, waitingRoom: false });
    await backend.setRole("p1", "coHost");
    await backend.setSuccessor("p1", true);
    await backend.setVerified("p2", true);
    expect(view().members[1]).toMatchObject({ role: "coHost", successor: true });
    expect(view().members[2]?.trust).toBe("verified");
    const before = view().invite?.link;
    await backend.newLink(true, 60);
    expect(view().invite?.link).not.toBe(before);
    expect(view().invite).toMatchObject({ singleUse: true, expiresAtMs: Date.now() + 60_000 });
  });

  it("raise hands in order and speak when they may", async () => {
    const { backend, view } = await scene("scene=hands&people=4");
    const hands = (): [string, number | null][] => view().members.flatMap((one) => (one.hand ? [[one.device, one.hand]] : []));
    expect(hands()).toEqual([["p2", 2], ["p3", 1]]);
    await backend.raiseHand(true);
    expect(view().members[0]?.hand).toBe(3);
    await backend.letSpeak("p3");
    expect(hands()).toEqual([["a0", 2], ["p2", 1]]);
    vi.advanceTimersByTime(1000);
    expect(view().members[3]?.muted).toBe(false);
    await backend.setMuted(false);
    expect(hands()).toEqual([["p2", 1]]);
    const crowd = await scene("scene=audience&people=4");
    await crowd.backend.setMuted(false);
    expect(crowd.view().me.muted).toBe(true);
  });

  it("have a safety number for everybody who is there", async () => {
    const { backend } = await scene("scene=meeting&people=1");
    expect((await backend.safetyNumber("p1")).digits).toMatch(/^\d{5}( \d{5}){11}$/);
    await expect(backend.safetyNumber("nobody")).rejects.toThrow("no longer in the meeting");
  });

  it("keep an identity that locks, opens, forgets and is erased", async () => {
    const backend = new FakeBackend(new URLSearchParams("identity=locked"));
    expect(await backend.identity()).toMatchObject({ storage: "locked", fingerprint: "" });
    await expect(backend.unlockIdentity("wrong")).rejects.toThrow("does not open");
    await backend.unlockIdentity("five words picked by chance");
    expect((await backend.identity()).storage).toBe("passphrase");
    await backend.forgetContact("c1");
    expect((await backend.contacts()).map(({ id }) => id)).toEqual(["c2", "c3"]);
    await backend.eraseIdentity();
    expect(await backend.contacts()).toEqual([]);
  });
});
