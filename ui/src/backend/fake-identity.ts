/** The identity and contacts of a simulated computer, kept until the page is closed. */
import type { Contact, Identity, SafetyNumber } from "./backend";
import { digits } from "./fake-people";
import type { Knock, Member } from "./view";

const FINGERPRINT = "7F3A 91C0 55E2 0B4D 9A61 C8F7 12DE 4470";
const DAY_MS = 86_400_000;
/** What opens the simulated file. */
const PASSPHRASE = "five words picked by chance";

export class FakeIdentity {
  #storage: Identity["storage"];
  #fingerprint = FINGERPRINT;
  #contacts: Contact[];

  constructor(storage: string | null, now = Date.now()) {
    this.#storage = storage === "locked" || storage === "passphrase" || storage === "ephemeral" ? storage : "keyring";
    const met = (id: string, name: string, verified: boolean, first: number): Contact => ({
      id,
      name,
      verified,
      firstSeenMs: now - first * DAY_MS,
    });
    this.#contacts = [
      met("c1", "Ana Costa", true, 240),
      met("c2", "Ben Okafor", false, 31),
      met("c3", "Mara Lindt-Keller", false, 12),
    ];
  }

  contacts(): Contact[] {
    this.#mustBeOpen();
    return this.#contacts;
  }

  forget(id: string): void {
    this.#contacts = this.#contacts.filter((contact) => contact.id !== id);
  }

  identity(): Identity {
    const inFile = this.#storage === "passphrase" || this.#storage === "locked";
    return {
      fingerprint: this.#storage === "locked" ? "" : this.#fingerprint,
      storage: this.#storage,
      path: inFile ? "~/.local/share/conclave/identity" : null,
    };
  }

  unlock(passphrase: string): void {
    if (passphrase !== PASSPHRASE) throw new Error("This passphrase does not open the file. Try again.");
    this.#storage = "passphrase";
  }

  protect(passphrase: string): void {
    if (this.#storage !== "ephemeral") throw new Error("Your identity is kept already. Nothing was changed.");
    if (passphrase === "") throw new Error("The passphrase is empty.");
    this.#storage = "passphrase";
  }

  export(passphrase: string): string {
    this.#mustBeOpen();
    if (passphrase === "") throw new Error("A copy needs a passphrase.");
    return "/media/ravi/conclave-identity";
  }

  import(path: string, passphrase: string): void {
    if (path.includes("missing")) throw new Error(`There is no file at ${path}. Check the path.`);
    if (passphrase !== PASSPHRASE) throw new Error("This passphrase does not open the file. Try again.");
    this.#fingerprint = "02B6 77AC 4E19 D3F0 8C25 61BA F948 3E5D";
  }

  erase(): void {
    this.#contacts = [];
    this.#fingerprint = "C41D 0A9E 6672 B8F3 57E0 1D24 90AB 36CF";
    if (this.#storage === "locked") this.#storage = "passphrase";
  }

  #mustBeOpen(): void {
    if (this.#storage === "locked") throw new Error("Your identity is locked. Unlock it first.");
  }
}

export function safetyNumber(person: Member | Knock): SafetyNumber {
  const seed = [...person.name].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 99_991, 7);
  return { name: person.name, digits: digits(12, seed), qrSvg: picture(seed), trust: person.trust };
}

/** Looks like a QR code, as the real one is written; nothing can be read from it. */
function picture(seed: number): string {
  const size = 37;
  const quiet = 4;
  let state = seed;
  let path = "";
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
      if (finder(x, y, size) ?? state > 1_073_741_824) path += `M${x + quiet},${y + quiet}h1v1h-1z`;
    }
  }
  const all = size + 2 * quiet;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${all} ${all}"><rect width="100%" height="100%" fill="#ffffff"/><path d="${path}" fill="#000000"/></svg>`;
}

/** Whether a module of one of the three corner marks is dark; null outside of them. */
function finder(x: number, y: number, size: number): boolean | null {
  for (const [left, top] of [[0, 0], [size - 7, 0], [0, size - 7]] as const) {
    const ring = Math.max(Math.abs(x - left - 3), Math.abs(y - top - 3));
    if (ring <= 4) return ring !== 2 && ring !== 4;
  }
  return null;
}
