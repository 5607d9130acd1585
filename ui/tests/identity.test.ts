import { cleanup, fireEvent, screen, waitFor, within } from "@testing-library/svelte";
import { afterEach, describe, expect, it } from "vitest";
import type { Identity } from "../src/backend/backend";
import { open } from "./opened";
import { recorded } from "./recorded";
import type { ScriptedBackend } from "./scripted";

afterEach(cleanup);

const click = (testid: string): Promise<boolean> => fireEvent.click(screen.getByTestId(testid));
const write = (testid: string, value: string): Promise<boolean> =>
  fireEvent.input(screen.getByTestId(testid), { target: { value } });
const valueOf = (testid: string): string => (screen.getByTestId(testid) as HTMLInputElement).value;
const EPHEMERAL: Identity = { fingerprint: "7F3A", storage: "ephemeral", path: null };
const LOCKED: Identity = { fingerprint: "", storage: "locked", path: "/media/ravi/identity" };

async function identityPage(own?: Identity): Promise<ScriptedBackend> {
  const backend = await open(null, (backend) => own && (backend.own = own));
  await click("identity-page");
  await screen.findByTestId("fingerprint");
  return backend;
}

describe("a locked identity", () => {
  it("asks for its passphrase on the first screen, and is gone from there when open", async () => {
    const backend = await open(null, (backend) => (backend.own = LOCKED));
    await screen.findByTestId("unlock-form");
    await write("unlock-passphrase", "right one");
    backend.own = { ...LOCKED, storage: "passphrase", fingerprint: "7F3A" };
    await click("unlock");
    expect(backend.asked).toEqual(['unlockIdentity "right one"']);
    await waitFor(() => expect(screen.queryByTestId("unlock-form")).toBeNull());
  });

  it("says that the passphrase is wrong, and does not leave it standing", async () => {
    const backend = await open(null, (backend) => (backend.own = LOCKED));
    await screen.findByTestId("unlock-form");
    backend.failure = "this passphrase does not open the file";
    await write("unlock-passphrase", "wrong");
    await click("unlock");
    expect(await screen.findByText("This passphrase does not open the file.")).toBeTruthy();
    expect(valueOf("unlock-passphrase")).toBe("");
  });

  it("is not opened with nothing", async () => {
    const backend = await open(null, (backend) => (backend.own = LOCKED));
    await screen.findByTestId("unlock-form");
    await click("unlock");
    expect(screen.getByText("Write the passphrase first.")).toBeTruthy();
    expect(backend.asked).toEqual([]);
  });

  it("cannot be copied, but can be replaced and erased", async () => {
    await identityPage(LOCKED);
    expect(screen.queryByTestId("export")).toBeNull();
    expect(screen.getByTestId("import")).toBeTruthy();
    expect(screen.getByTestId("erase")).toBeTruthy();
  });
});

describe("the identity", () => {
  it("shows its fingerprint and says where it is kept", async () => {
    await identityPage();
    expect(screen.getByTestId("fingerprint").textContent).toBe("7F3A 91C0");
    expect(screen.getByTestId("storage").textContent).toContain("keyring");
    cleanup();
    await identityPage({ fingerprint: "7F3A", storage: "passphrase", path: "/media/ravi/identity" });
    expect(screen.getByTestId("storage").textContent).toContain("File: /media/ravi/identity");
    cleanup();
    await identityPage({ fingerprint: "7F3A", storage: "ephemeral", path: null });
    expect(screen.getByTestId("storage").textContent).toContain("gone when Conclave closes");
  });

  it("says on the first screen that it is kept nowhere, and where to change that", async () => {
    await open(null);
    expect(screen.queryByTestId("ephemeral")).toBeNull();
    cleanup();
    await open(null, (backend) => (backend.own = EPHEMERAL));
    await screen.findByTestId("ephemeral");
    await click("ephemeral-keep");
    expect(await screen.findByTestId("protect-form")).toBeTruthy();
  });

  it("is kept under a passphrase from now on, as it is", async () => {
    const backend = await identityPage(EPHEMERAL);
    await write("protect-passphrase", "long enough one");
    await write("protect-again", "another one");
    await click("protect");
    expect(screen.getByText(/The two passphrases differ/)).toBeTruthy();
    expect(backend.asked).toEqual([]);
    await write("protect-again", "long enough one");
    backend.failure = "the disk is full";
    await click("protect");
    expect(await screen.findByText("The disk is full.")).toBeTruthy();
    backend.failure = null;
    backend.own = { ...EPHEMERAL, storage: "passphrase", path: "/media/ravi/identity" };
    await click("protect");
    await waitFor(() => expect(screen.getByTestId("protected").textContent).toContain("is kept on this computer now"));
    expect(backend.asked.at(-1)).toBe('protectIdentity "long enough one"');
    expect(screen.queryByTestId("protect-form")).toBeNull();
    expect(document.activeElement).toBe(screen.getByTestId("protected"));
    expect(screen.getByTestId("storage").textContent).toContain("only your passphrase opens");
  });

  it("is copied under a passphrase that was written twice alike and is long enough", async () => {
    const backend = await identityPage();
    await write("export-passphrase", "short");
    await write("export-again", "short");
    await click("export");
    expect(screen.getByText(/Write at least 10 characters/)).toBeTruthy();
    await write("export-passphrase", "long enough one");
    await click("export");
    expect(screen.getByText(/The two passphrases differ/)).toBeTruthy();
    expect(backend.asked).toEqual([]);
    await write("export-again", "long enough one");
    await click("export");
    await waitFor(() => expect(screen.getByTestId("exported").textContent).toBe("Written to /media/ravi/copy"));
    expect(backend.asked).toEqual(['exportIdentity "long enough one"']);
    expect(valueOf("export-passphrase") + valueOf("export-again")).toBe("");
  });

  it("is replaced by a copy only after asking", async () => {
    const backend = await identityPage();
    await click("import");
    expect(screen.getByText(/Write the path of the file and its passphrase first/)).toBeTruthy();
    await write("import-path", " /media/copy ");
    await write("import-passphrase", "long enough one");
    await click("import");
    expect(backend.asked).toEqual([]);
    await fireEvent.click(await screen.findByTestId("confirm"));
    await waitFor(() => expect(screen.getByTestId("imported").textContent).toContain("is yours now"));
    expect(backend.asked).toEqual(['importIdentity ["/media/copy","long enough one"]']);
    expect(valueOf("import-passphrase")).toBe("");
  });

  it("is erased only when the word was written", async () => {
    const backend = await identityPage();
    await click("erase");
    await write("erase-word", "yes");
    await click("erase");
    expect(screen.getByText(/Nothing was erased/)).toBeTruthy();
    expect(backend.asked).toEqual([]);
    await write("erase-word", " Erase ");
    await click("erase");
    await waitFor(() => expect(screen.getByTestId("erased").textContent).toContain("are erased"));
    expect(backend.asked).toEqual(["eraseIdentity"]);
  });

  it("has a way back, and makes room for a meeting", async () => {
    const backend = await identityPage();
    await click("back");
    expect(screen.getByTestId("new-meeting")).toBeTruthy();
    expect(document.activeElement).toBe(screen.getByTestId("identity-page"));
    await click("identity-page");
    backend.show(recorded.lobby);
    await waitFor(() => expect(screen.getByTestId("preview")).toBeTruthy());
    backend.show(null);
    await waitFor(() => expect(screen.getByTestId("new-meeting")).toBeTruthy());
  });
});

describe("contacts", () => {
  const DAY = 86_400_000;
  const people = [
    { id: "c1", name: "Ana Costa", verified: true, firstSeenMs: 10 * DAY },
    { id: "c2", name: "Ben Okafor", verified: false, firstSeenMs: 30 * DAY },
  ];

  async function contactsPage(): Promise<ScriptedBackend> {
    const backend = await open(null, (backend) => (backend.people = people));
    await click("contacts-page");
    await screen.findByTestId("contact-c1");
    return backend;
  }

  it("say who is verified and since when they are known", async () => {
    await contactsPage();
    expect(screen.getByTestId("contact-c1").textContent).toContain("Verified by you");
    expect(screen.getByTestId("contact-c1").textContent).toContain("Met first on Jan 11, 1970");
    expect(screen.getByTestId("contact-c2").textContent).toContain("Met, not compared");
    expect(screen.getByTestId("contact-c2").textContent).toContain("Met first on Jan 31, 1970");
    expect(screen.getByTestId("status").textContent).toContain("2 people");
  });

  it("are forgotten only after asking", async () => {
    const backend = await contactsPage();
    await click("forget-c1");
    expect(backend.asked).toEqual([]);
    expect(within(screen.getByRole("dialog")).getByText(/as new/)).toBeTruthy();
    backend.people = people.slice(1);
    await click("confirm");
    expect(backend.asked).toEqual(['forgetContact "c1"']);
    await waitFor(() => expect(screen.queryByTestId("contact-c1")).toBeNull());
  });

  it("say that there is nobody yet", async () => {
    await open(null);
    await click("contacts-page");
    expect(await screen.findByText(/Nobody yet/)).toBeTruthy();
  });
});
