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

  it("say when a key at the door changed", () => {
    const ana = { device: "k9", name: "Ana", trust: "changed", knownAs: "Ana Costa" } as const;
    const said = announce({ ...host, knocks: [] }, { ...host, knocks: [ana] });
    expect(said).toEqual(["Ana wants to come in, with another key than the one you know as Ana Costa."]);
  });

  it("say what happens to the rules", () => {
    const locked: MeetingView = { ...host, policy: { ...host.policy, locked: true, waitingRoom: false } };
    expect(announce(host, locked)).toEqual(["The meeting is locked.", "The waiting room is off."]);
    expect(announce(locked, host)).toEqual(["The meeting is unlocked.", "The waiting room is on."]);
  });

  it("say how strict and secret it is from now on", () => {
    const strict: MeetingView = { ...host, policy: { ...host.policy, strict: true, highSecrecy: true } };
    expect(announce(host, strict)).toEqual(["High secrecy is on.", "What is not proven is muted from now on."]);
    expect(announce(strict, host)).toEqual(["High secrecy is off.", "What is not proven is marked and played from now on."]);
  });

  it("say when a key is trusted otherwise than before", () => {
    const as = (trust: "changed" | "known"): MeetingView => ({
      ...active,
      members: active.members.map((member) => (member.isMe ? member : { ...member, trust, knownAs: null })),
    });
    expect(announce(as("changed"), as("known"))).toEqual(["Ana Costa: Met before."]);
    expect(announce(as("known"), as("changed"))).toEqual(["Ana Costa: Not the key you know as Ana Costa."]);
  });

  it("say who gets which role, oneself too", () => {
    const changed: MeetingView = {
      ...active,
      me: { ...active.me, role: "coHost" },
      members: active.members.map((member) => (member.isMe ? member : { ...member, role: "participant" })),
    };
    expect(announce(active, changed)).toEqual(["Ana Costa is a participant now.", "You are a co-host now."]);
  });

  it("say once that media is forged and that somebody is silent", () => {
    const members = active.members.map((member) =>
      member.isMe ? member : { ...member, voice: "forged" as const, silent: true },
    );
    const bad: MeetingView = { ...active, members };
    expect(announce(active, bad)).toEqual([
      "Somebody else's picture and sound were sent under Ana Costa's name. They are muted.",
      "No sign of life from Ana Costa for 15 s: the server may be holding their messages back.",
    ]);
    expect(announce(bad, bad)).toEqual([]);
    expect(announce(bad, active)).toEqual(["Ana Costa gives signs of life again."]);
  });

  it("say that the link is a new one", () => {
    const invite = { link: "conclave://h/j/x#v1.new", singleUse: false, expiresAtMs: null };
    expect(announce(host, { ...host, invite })).toEqual(["The invite link is a new one."]);
    expect(announce({ ...host, invite: null }, host)).toEqual([]);
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
    expect(announce(active, left)).toEqual(["A host removed you from the meeting."]);
  });
});
