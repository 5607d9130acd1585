/**
 * What this computer keeps of its own: the identity, and whom it knows.
 *
 * Every verb rejects with the backend's error; the form that called it shows the sentence.
 */
import type { Backend, Contact, Identity } from "../backend/backend";

export class Own {
  /** Null until read. */
  identity: Identity | null = $state.raw(null);
  contacts: Contact[] | null = $state.raw(null);
  readonly #backend: Backend;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  async readIdentity(): Promise<void> {
    this.identity = await this.#backend.identity();
  }

  async readContacts(): Promise<void> {
    this.contacts = await this.#backend.contacts();
  }

  async forget(id: string): Promise<void> {
    await this.#backend.forgetContact(id);
    await this.readContacts();
  }

  async unlock(passphrase: string): Promise<void> {
    await this.#backend.unlockIdentity(passphrase);
    await this.readIdentity();
  }

  async protect(passphrase: string): Promise<void> {
    await this.#backend.protectIdentity(passphrase);
    await this.readIdentity();
  }

  /** Returns the path of the copy. */
  export(passphrase: string): Promise<string> {
    return this.#backend.exportIdentity(passphrase);
  }

  async import(path: string, passphrase: string): Promise<void> {
    await this.#backend.importIdentity(path, passphrase);
    this.contacts = null;
    await this.readIdentity();
  }

  async erase(): Promise<void> {
    await this.#backend.eraseIdentity();
    this.contacts = null;
    await this.readIdentity();
  }
}
