/** Who the simulated people are. */
import { UNTOUCHED, type Settings } from "./backend";
import type { Invite, Knock, MeetingView, Member, Role, Trust } from "./view";

export const PEOPLE = ["Ana Costa", "Ben Okafor", "Lin Chen", "Mara Lindt", "Tom Weber", "Noor Haddad"];

/** One after the other, so that a meeting of four shows every mark but the alarming one. */
const TRUST: Pick<Member, "trust" | "knownAs">[] = [
  { trust: "verified", knownAs: null },
  { trust: "known", knownAs: null },
  { trust: "new", knownAs: null },
  { trust: "known", knownAs: "Mara Lindt-Keller" },
];

const DEVICES = {
  talksWhileMuted: false,
  cameraInUse: { name: "Integrated camera", problem: null },
  microphone: { name: "Built-in microphone", problem: null },
  speaker: { name: "Built-in speakers", problem: null },
  cleaning: { echo: true, noise: true, gain: true },
  sharing: null,
};

const FLOOR = { audience: false, called: false };

export const SETTINGS: Settings = { ...UNTOUCHED, name: "Ravi Shah" };

export function lobbyView(name: string, isHost: boolean): MeetingView {
  return {
    phase: "lobby",
    title: isHost ? "" : "Chen v. Harbour Trust: witness preparation",
    hostName: isHost ? name : "Ana Costa",
    policy: { locked: false, waitingRoom: true, highSecrecy: false, strict: false, openMicrophones: 25, hostsShare: false },
    invite: null,
    isHost,
    ownServer: false,
    epoch: 0,
    code: null,
    codeReason: null,
    me: { device: "a0", name, role: isHost ? "host" : "participant", muted: false, camera: true, level: 0, ...FLOOR, ...DEVICES },
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
    hand: null,
    screen: null,
    speaking: false,
    tile: index,
    problem: null,
    ...(knock ? { trust: knock.trust, knownAs: knock.knownAs } : (TRUST[(index - 1) % TRUST.length] ?? stranger())),
    successor: false,
    silent: false,
    voice: "verified",
    missingKey: false,
  };
}

const stranger = (): Pick<Member, "trust" | "knownAs"> => ({ trust: "new", knownAs: null });

export function knock(device: string, name: string, trust: Trust = "new", knownAs: string | null = null): Knock {
  return { device, name, trust, knownAs };
}

/** A link with another secret for each number. */
export function invite(number: number, singleUse = false, expiresAtMs: number | null = null): Invite {
  const secret = `mCk0hVQ2sF9bT4xR7yJ1uZ8aLwEoNdPiGvKqSjXt${String(number).padStart(3, "0")}`;
  return { link: `conclave://meet.example:8443/j/7f3a91c0#v1.${secret}`, singleUse, expiresAtMs };
}

/** Thirty digits that differ from epoch to epoch. */
export function code(epoch: number): string {
  return digits(6, epoch * 7919 + 31_337);
}

/** Groups of five digits, the same for the same seed. */
export function digits(groups: number, seed: number): string {
  const numbers = Array.from({ length: groups }, (_, group) => String((seed + group * 40_718) % 100_000));
  return numbers.map((number) => number.padStart(5, "0")).join(" ");
}
