/** What a screen reader hears: the difference between two snapshots, in words. */
import type { MeetingView, Member } from "../backend/view";
import { m } from "../messages";

/** Sentences for everything that changed from `before` to `now`, oldest kind first. */
export function announce(before: MeetingView | null, now: MeetingView | null): string[] {
  if (!now || now.phase === "lobby" || now.phase === "waiting") return [];
  if (now.phase === "left") return before?.phase === "left" || !now.left ? [] : [now.left.reason];
  if (!before || before.phase === "lobby" || before.phase === "waiting") return [m.said.entered, ...knocks(before, now)];
  return [...link(before, now), ...people(before, now), ...knocks(before, now), ...own(before, now)];
}

function link(before: MeetingView, now: MeetingView): string[] {
  const was = before.linkUp && before.phase === "active";
  const is = now.linkUp && now.phase === "active";
  if (was === is) return [];
  return [is ? m.said.linkUp : m.said.linkDown];
}

function people(before: MeetingView, now: MeetingView): string[] {
  const known = new Map(named(before).map((member) => [member.device, member]));
  const here = new Set(now.members.map((member) => member.device));
  const said: string[] = [];
  for (const member of named(now)) {
    const earlier = known.get(member.device);
    if (!earlier) said.push(m.said.joined(member.name));
    else if (earlier.muted !== member.muted) said.push(muteOf(member));
  }
  for (const member of named(before)) {
    if (!here.has(member.device)) said.push(m.said.gone(member.name));
  }
  return said;
}

/** The others whose card has come: nobody is announced before there is a name to say. */
function named(view: MeetingView): Member[] {
  return view.members.filter((member) => !member.isMe && member.name !== "");
}

function muteOf(member: Member): string {
  return member.muted ? m.said.muted(member.name) : m.said.unmuted(member.name);
}

function knocks(before: MeetingView | null, now: MeetingView): string[] {
  const known = new Set(before?.knocks.map((knock) => knock.device));
  return now.knocks.filter((knock) => !known.has(knock.device)).map((knock) => m.said.knocks(knock.name));
}

function own(before: MeetingView, now: MeetingView): string[] {
  const said: string[] = [];
  if (before.me.muted !== now.me.muted) said.push(now.me.muted ? m.said.youMuted : m.said.youUnmuted);
  if (before.me.camera !== now.me.camera) said.push(now.me.camera ? m.said.cameraOn : m.said.cameraOff);
  return said;
}
