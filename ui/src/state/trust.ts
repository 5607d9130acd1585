/** Trust in words: what this computer knows of the key behind a name. */
import type { Trust } from "../backend/view";
import { m } from "../messages";

export interface Known {
  name: string;
  trust: Trust;
  knownAs: string | null;
}

/** A few words for beside the name. */
export function trustWords({ name, trust, knownAs }: Known): string {
  const another = knownAs !== null && knownAs !== name ? knownAs : null;
  if (trust === "known" && another) return m.trust.knownAs(another);
  if (trust === "verified" && another) return m.trust.verifiedAs(another);
  if (trust === "changed") return m.trust.changedAs(knownAs ?? name);
  return m.trust[trust];
}

/** A sentence or two that say what it means and what to do. */
export function trustSentence({ name, trust, knownAs }: Known): string {
  return m.trust.explain[trust](trust === "changed" ? (knownAs ?? name) : name);
}
