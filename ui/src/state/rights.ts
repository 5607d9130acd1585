/**
 * Which controls the window offers to whom. Only an offer: every member's program judges for
 * itself what somebody may do.
 */
import type { MeetingView, Member } from "../backend/view";

/** Admits, refuses, keeps the door and makes links. */
export function keepsDoor(view: MeetingView): boolean {
  return view.me.role !== "participant";
}

/** A host removes everybody else; a co-host only participants. */
export function mayRemove(view: MeetingView, member: Member): boolean {
  if (member.isMe) return false;
  return view.me.role === "host" || (view.me.role === "coHost" && member.role === "participant");
}

/** Lets people speak and lowers their hands. */
export function leadsTalk(view: MeetingView): boolean {
  return view.me.role !== "participant";
}

/** More people than open microphones may be: the others listen. */
export function hasAudience(view: MeetingView): boolean {
  return view.members.length > view.policy.openMicrophones;
}

/** Only a host says how strict and how secret the meeting is. */
export function setsRules(view: MeetingView): boolean {
  return view.me.role === "host";
}

/** Only a host gives out roles and names successors. */
export function mayGiveRoles(view: MeetingView, member: Member): boolean {
  return !member.isMe && view.me.role === "host";
}
