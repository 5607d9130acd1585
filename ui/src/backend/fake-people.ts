/** Who the simulated people are. */
import type { Knock, MeetingView, Member, Role } from "./view";

export const PEOPLE = ["Ana Costa", "Ben Okafor", "Lin Chen", "Mara Lindt", "Tom Weber", "Noor Haddad"];

export function lobbyView(name: string, isHost: boolean): MeetingView {
  return {
    phase: "lobby",
    title: isHost ? "" : "Chen v. Harbour Trust: witness preparation",
    hostName: isHost ? name : "Ana Costa",
    link: null,
    isHost,
    epoch: 0,
    code: null,
    codeReason: null,
    me: { device: "a0", name, muted: false, camera: true, level: 0 },
    members: [],
    knocks: [],
    linkUp: true,
    warnings: [],
    left: null,
  };
}

export function other(index: number, role: Role, knock?: Knock): Member {
  return {
    device: knock?.device ?? `p${index}`,
    name: knock?.name ?? PEOPLE[(index - 1) % PEOPLE.length] ?? "Somebody",
    role,
    isMe: false,
    muted: false,
    camera: true,
    speaking: false,
    tile: index,
    problem: null,
  };
}

/** Thirty digits that differ from epoch to epoch. */
export function code(epoch: number): string {
  const groups = Array.from({ length: 6 }, (_, group) => String((epoch * 7919 + group * 40_718 + 31_337) % 100_000));
  return groups.map((group) => group.padStart(5, "0")).join(" ");
}
