/** A passphrase that is made up: written twice alike, and long enough. */
import { m } from "../messages";

const SHORTEST = 10;

export class NewPassphrase {
  value = $state("");
  again = $state("");
  short = $state("");
  differs = $state("");

  /** Whether it may be used; otherwise the fields say what is wrong. */
  check(): boolean {
    this.short = [...this.value].length < SHORTEST ? m.identity.passphraseShort : "";
    this.differs = !this.short && this.value !== this.again ? m.identity.passphraseDiffers : "";
    return !this.short && !this.differs;
  }

  /** It is not left standing in the page. */
  clear(): void {
    this.value = this.again = "";
  }
}
