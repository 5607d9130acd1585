/** What a screen reader hears: the difference between two snapshots, in words. */
import type { MeetingView, Member } from "../backend/view";
import { m } from "../messages";
import { trustWords } from "./trust";

/** Sentences for everything that changed from `before` to `now`, oldest kind first. */
export function announce(before: MeetingView | null, now: MeetingView | null): string[] {
  if (!now || now.phase === "lobby" || now.phase === "waiting") return [];
  if (now.phase === "left") return before?.phase === "left" || !now.left ? [] : [now.left.reason];
  if (!before || before.phase === "lobby" || before.phase === "waiting") return [m.said.entered, ...knocks(before, now)];
  return [...link(before, now), ...people(before, now), ...knocks(before, now), ...rules(before, now), ...own(before, now)];
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
    else said.push(...changes(earlier, member));
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

function changes(earlier: Member, member: Member): string[] {
  const said: string[] = [];
  if (earlier.muted !== member.muted) said.push(muteOf(member));
  if (earlier.hand === null && member.hand !== null) said.push(m.said.handUp(member.name));
  if (earlier.hand !== null && member.hand === null) said.push(m.said.handDown(member.name));
  if ((earlier.screen === null) !== (member.screen === null)) {
    said.push(member.screen ? m.said.shares(member.name) : m.said.sharesNoMore(member.name));
  }
  if (earlier.role !== member.role) said.push(m.said.role[member.role](member.name));
  if (earlier.trust !== member.trust) said.push(m.said.trust(member.name, trustWords(member)));
  if (earlier.voice !== "forged" && member.voice === "forged") said.push(m.tile.forged(member.name));
  if (earlier.silent !== member.silent) said.push(member.silent ? m.tile.silent(member.name) : m.said.alive(member.name));
  return said;
}

function muteOf(member: Member): string {
  return member.muted ? m.said.muted(member.name) : m.said.unmuted(member.name);
}

function knocks(before: MeetingView | null, now: MeetingView): string[] {
  const known = new Set(before?.knocks.map((knock) => knock.device));
  return now.knocks
    .filter((knock) => !known.has(knock.device))
    .map(({ name, trust, knownAs }) =>
      trust === "changed" ? m.said.knocksChanged(name, knownAs ?? name) : m.said.knocks(name),
    );
}

function rules(before: MeetingView, now: MeetingView): string[] {
  const said: string[] = [];
  const [was, is] = [before.policy, now.policy];
  if (was.locked !== is.locked) said.push(is.locked ? m.said.locked : m.said.unlocked);
  if (was.waitingRoom !== is.waitingRoom) said.push(is.waitingRoom ? m.said.waitingRoomOn : m.said.waitingRoomOff);
  if (was.highSecrecy !== is.highSecrecy) said.push(is.highSecrecy ? m.said.highSecrecyOn : m.said.highSecrecyOff);
  if (was.strict !== is.strict) said.push(is.strict ? m.said.strictOn : m.said.strictOff);
  if (was.openMicrophones !== is.openMicrophones) said.push(m.said.openMicrophones(is.openMicrophones));
  if (was.hostsShare !== is.hostsShare) said.push(is.hostsShare ? m.said.hostsShare : m.said.allShare);
  // The first link comes with the meeting or with a role, which is said already.
  if (before.invite && now.invite && before.invite.link !== now.invite.link) said.push(m.said.newLink);
  return said;
}

function ownHand(view: MeetingView): number | null {
  return view.members.find((member) => member.isMe)?.hand ?? null;
}

function own(before: MeetingView, now: MeetingView): string[] {
  const said: string[] = [];
  if (before.me.muted !== now.me.muted) said.push(now.me.muted ? m.said.youMuted : m.said.youUnmuted);
  const [handBefore, hand] = [ownHand(before), ownHand(now)];
  if (handBefore === null && hand !== null) said.push(m.said.yourHandUp(hand));
  if (handBefore !== null && hand === null) said.push(m.said.yourHandDown);
  if (!before.me.called && now.me.called) said.push(m.said.called);
  else if (before.me.audience !== now.me.audience && now.me.muted) {
    said.push(now.me.audience ? m.said.audience : m.said.noAudience);
  }
  if (!before.me.talksWhileMuted && now.me.talksWhileMuted) said.push(m.said.talksWhileMuted);
  for (const device of ["cameraInUse", "microphone", "speaker"] as const) {
    // A problem is said by the warning that comes with it.
    const [was, is] = [before.me[device], now.me[device]];
    // One that only comes on has been said.
    if (device === "cameraInUse" && was.name === "" && was.problem === null) continue;
    if (is.problem === null && is.name !== "" && (was.problem !== null || was.name !== is.name)) {
      said.push(m.said.deviceInUse(is.name));
    }
  }
  if (before.me.role !== now.me.role) said.push(m.said.yourRole[now.me.role]);
  if (before.me.sharing?.name !== now.me.sharing?.name) {
    said.push(now.me.sharing ? m.said.sharing(now.me.sharing.name) : m.said.sharingNoMore);
  }
  const [heard, hears] = [before.me.sharing?.sound ?? false, now.me.sharing?.sound ?? false];
  if (now.me.sharing && heard !== hears) said.push(hears ? m.said.sharingSound : m.said.sharingNoSound);
  if (before.me.camera !== now.me.camera) said.push(now.me.camera ? m.said.cameraOn : m.said.cameraOff);
  return said;
}
