/** States that simulated people can be shown in, beyond a meeting that goes well. */
import { invite, knock } from "./fake-people";
import type { MeetingView, Member } from "./view";

const UNPLUGGED = 'The microphone "Headset" is not there. "Built-in microphone" is used until it comes back.';
const HOUR_MS = 3_600_000;

/** What a scene changes of a meeting with four others. */
export const SCENES: Record<string, (view: MeetingView) => Partial<MeetingView>> = {
  meeting: () => ({ knocks: [knock("d9", "Dora Varga")] }),

  /** Somebody of each kind waits; the link is for one person and ends. */
  door: () => ({
    knocks: [
      knock("d1", "Dora Varga"),
      knock("d2", "Ivo Marin", "known", "Ivo Marin-Diaz"),
      knock("d3", "Sofia Rossi", "verified"),
      knock("d4", "Kemal Aydin", "changed", "Kemal Aydın"),
    ],
    invite: invite(7, true, Date.now() + HOUR_MS),
  }),

  /** An insider and a server at work, and the rules that answer them. */
  alarm: (view) => ({
    policy: { locked: true, waitingRoom: true, highSecrecy: true, strict: false, openMicrophones: 25, hostsShare: true },
    members: each(view, {
      1: { voice: "forged", speaking: true },
      2: { silent: true },
      3: { missingKey: true },
      4: { trust: "changed", knownAs: "Mara Lindt", voice: "unverified" },
    }),
    warnings: [
      {
        id: 1,
        level: "danger",
        text: "Somebody in this meeting sent picture and sound under Ana Costa's name. They are muted. Compare the security code, then remove whom you do not know.",
      },
      { id: 2, level: "notice", text: "Ben Okafor gives no sign of life. The connection may be bad, or the server holds messages back." },
    ],
  }),

  /** The connection and a microphone are gone. */
  trouble: (view) => ({
    phase: "recovering",
    linkUp: false,
    members: each(view, {
      2: { problem: `${view.members[2]?.name ?? ""}'s camera stopped. It comes back by itself.` },
      3: { camera: false, muted: true },
    }),
    me: { ...view.me, microphone: { name: "Built-in microphone", problem: UNPLUGGED } },
    warnings: [{ id: 1, level: "notice", text: UNPLUGGED }],
  }),

  /** Somebody talks and has forgotten that nobody hears it. */
  muted: (view) => ({ me: { ...view.me, muted: true, talksWhileMuted: true } }),

  /** Two want to speak, and this person says who does. */
  hands: (view) => ({
    members: each(view, { 2: { hand: 2, muted: true }, 3: { hand: 1, muted: true } }),
  }),

  /** More people than open microphones may be: this person listens. */
  audience: (view) => ({
    isHost: false,
    hostName: "Ana Costa",
    invite: null,
    policy: { ...view.policy, openMicrophones: 2 },
    me: { ...view.me, role: "participant", muted: true, audience: true },
    members: each(view, {
      0: { role: "participant", hand: 2 },
      1: { role: "host" },
      3: { muted: true, hand: 1 },
      4: { muted: true },
    }),
  }),

  /** A host lets this person speak. */
  called: (view) => ({
    isHost: false,
    hostName: "Ana Costa",
    invite: null,
    me: { ...view.me, role: "participant", muted: true, called: true },
    members: each(view, { 0: { role: "participant" }, 1: { role: "host" } }),
  }),

  /** Somebody shows a screen to all. */
  screen: (view) => ({ members: each(view, { 2: { screen: { tile: 20, problem: null } } }) }),

  /** This person shows a screen to all. */
  sharing: (view) => ({
    me: { ...view.me, sharing: { name: "Quarterly figures.ods", motion: false, sound: true, problem: null } },
  }),

  /** This person keeps the door for somebody else. */
  cohost: (view) => ({
    isHost: false,
    hostName: "Ana Costa",
    me: { ...view.me, role: "coHost" },
    members: each(view, { 0: { role: "coHost" }, 1: { role: "host" }, 2: { role: "coHost", successor: true } }),
    knocks: [knock("d9", "Dora Varga")],
  }),

  /** This person only takes part. */
  guest: (view) => ({
    isHost: false,
    hostName: "Ana Costa",
    invite: null,
    me: { ...view.me, role: "participant" },
    members: each(view, { 0: { role: "participant" }, 1: { role: "host" }, 2: { role: "coHost", successor: true } }),
  }),
};

function each(view: MeetingView, changes: Record<number, Partial<Member>>): Member[] {
  return view.members.map((member, index) => ({ ...member, ...changes[index] }));
}
