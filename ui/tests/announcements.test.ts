import { describe, expect, it } from "vitest";
import type { MeetingView } from "../src/backend/view";
import { announce } from "../src/state/announcements";
import { recorded } from "./recorded";

const { active, host, left, waiting } = recorded;

describe("announcements", () => {
  it("are silent while nothing changes", () => {
    expect(announce(active, active)).toEqual([]);
    expect(announce(active, { ...active, me: { ...active.me, level: 0.9 } })).toEqual([]);
  });

  it("say that one is in, without naming everybody", () => {
    expect(announce(waiting, active)).toEqual(["You are in the meeting."]);
  });

  it("wait for the name of who comes", () => {
    const unnamed = { ...active, members: active.members.map((member) => ({ ...member, name: member.isMe ? "Me" : "" })) };
    expect(announce({ ...active, members: [] }, unnamed)).toEqual([]);
    expect(announce(unnamed, active)).toEqual(["Ana Costa joined."]);
  });

  it("say who goes", () => {
    const without = { ...active, members: active.members.filter((member) => member.isMe) };
    expect(announce(active, without)).toEqual(["Ana Costa left."]);
  });

  it("say each knock once", () => {
    const none: MeetingView = { ...host, knocks: [] };
    expect(announce(none, host)).toEqual(["Dora Varga wants to come in.", "Ben Okafor wants to come in."]);
    expect(announce(host, none)).toEqual([]);
  });

  it("say mute changes, one's own as such", () => {
    const muted: MeetingView = {
      ...active,
      me: { ...active.me, muted: true, camera: false },
      members: active.members.map((member) => ({ ...member, muted: true })),
    };
    expect(announce(active, muted)).toEqual(["Ana Costa is muted.", "You are muted.", "Your camera is off."]);
  });

  it("say when the connection goes and comes", () => {
    const down: MeetingView = { ...active, linkUp: false };
    expect(announce(active, down)).toEqual(["Connection lost. Reconnecting."]);
    expect(announce(down, active)).toEqual(["Connected again."]);
  });

  it("say why the meeting is over", () => {
    expect(announce(active, left)).toEqual(["Ana Costa removed you from the meeting."]);
  });
});
