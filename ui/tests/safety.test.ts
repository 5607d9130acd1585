import { cleanup, fireEvent, screen, waitFor, within } from "@testing-library/svelte";
import { afterEach, describe, expect, it } from "vitest";
import { digits } from "../src/backend/fake-people";
import type { MeetingView, Trust } from "../src/backend/view";
import { readQr } from "../src/state/qr";
import { knocking, open, withOthers } from "./opened";
import { recorded } from "./recorded";
import type { ScriptedBackend } from "./scripted";

afterEach(cleanup);

const click = (testid: string): Promise<boolean> => fireEvent.click(screen.getByTestId(testid));
const QR = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 3 3"><rect width="3" height="3" fill="#fff"/><path d="M1,1h1v1h-1z" fill="#000"/></svg>';

async function compare(trust: Trust, qrSvg = QR, view: MeetingView = recorded.active): Promise<ScriptedBackend> {
  const backend = await open(withOthers(view, { trust }), (backend) => {
    backend.number = { name: "Ana Costa", digits: digits(12, 5), qrSvg, trust };
  });
  await click("actions-h1");
  await click("compare-h1");
  await screen.findByTestId("safety-digits");
  return backend;
}

describe("the safety number", () => {
  it("is read in twelve groups of five, with a picture of it", async () => {
    await compare("known");
    const groups = [...screen.getByTestId("safety-digits").querySelectorAll("span")].map((span) => span.textContent);
    expect(groups).toEqual(digits(12, 5).split(" "));
    expect(groups).toHaveLength(12);
    expect(screen.getByTestId("qr").querySelector("path")?.getAttribute("d")).toBe("M1,1h1v1h-1z");
  });

  it("opens so that a hasty Enter decides nothing", async () => {
    await compare("new");
    await waitFor(() => expect(document.activeElement).toBe(screen.getByRole("dialog")));
  });

  it("verifies when it matches, and says what that means", async () => {
    const backend = await compare("new");
    await click("match");
    expect(backend.asked).toEqual(['safetyNumber "h1"', 'setVerified ["h1",true]']);
    await waitFor(() => expect(screen.getByTestId("safety-outcome").textContent).toContain("Ana Costa is verified."));
    expect(document.activeElement).toBe(screen.getByTestId("close-safety"));
    expect(screen.queryByTestId("match")).toBeNull();
  });

  it("verifies nothing when it differs, and says what to do", async () => {
    const backend = await compare("new");
    await click("differ");
    await waitFor(() => expect(screen.getByTestId("safety-outcome").textContent).toContain("Say nothing secret."));
    expect(backend.asked).toEqual(['safetyNumber "h1"']);
  });

  it("takes a verification back, by wish or because it differs now", async () => {
    for (const button of ["unverify", "differ"]) {
      const backend = await compare("verified");
      expect(screen.queryByTestId("match")).toBeNull();
      await click(button);
      expect(backend.asked[1]).toBe('setVerified ["h1",false]');
      cleanup();
    }
  });

  it("is not verified when the backend cannot keep it", async () => {
    const backend = await compare("new");
    backend.failure = "the contact book cannot be written; free some space";
    await click("match");
    expect(await screen.findByText("The contact book cannot be written; free some space.")).toBeTruthy();
    expect(screen.getByTestId("safety-outcome").textContent?.trim()).toBe("");
    expect(screen.getByTestId("match")).toBeTruthy();
  });

  it("says why there is none", async () => {
    const backend = await open(recorded.active);
    backend.failure = "their card has not come yet";
    await click("actions-h1");
    await click("compare-h1");
    expect(await screen.findByText("Their card has not come yet.")).toBeTruthy();
  });

  it("goes when its person goes", async () => {
    const backend = await compare("new");
    backend.show({ ...recorded.active, members: recorded.active.members.filter((member) => member.isMe) });
    await waitFor(() => expect(screen.queryByTestId("safety-digits")).toBeNull());
  });

  it("can be asked for where the code is", async () => {
    const view = withOthers(recorded.active, { trust: "verified" });
    const backend = await open(view);
    await click("security");
    expect(screen.getByTestId("verified-count").textContent).toBe("You verified everybody here.");
    await click("verify-h1");
    expect(backend.asked).toEqual(['safetyNumber "h1"']);
    backend.show(withOthers(view, { trust: "new" }));
    await waitFor(() => expect(screen.getByTestId("verified-count").textContent).toContain("You verified 0 of 1."));
  });

  it("is accompanied by the rules that are in force", async () => {
    const policy = { locked: true, waitingRoom: false, highSecrecy: true, strict: true, openMicrophones: 2, hostsShare: true };
    await open({ ...recorded.active, policy });
    await click("security");
    const rules = [...screen.getByTestId("rules").querySelectorAll("li")].map((line) => line.textContent?.split(":")[0]);
    expect(rules).toEqual([
      "Locked",
      "No waiting room",
      "High secrecy",
      "Strict",
      "Open microphones",
      "Only hosts and co-hosts share a screen.",
    ]);
    expect(screen.getByTestId("badge-high-secrecy")).toBeTruthy();
  });
});

describe("the code on the other screen", () => {
  const scan = async (trust: Trust): Promise<ScriptedBackend> => {
    const backend = await compare(trust);
    await click("scan");
    await screen.findByTestId("viewfinder");
    expect(backend.asked).toEqual(['safetyNumber "h1"', 'scanSafetyNumber "h1"']);
    return backend;
  };
  const said = (): string => screen.getByTestId("safety-outcome").textContent ?? "";

  it("is looked for with the camera, while the own code stays on the screen", async () => {
    await scan("new");
    expect(screen.getByTestId("qr").classList.contains("large")).toBe(true);
    expect(screen.getByRole("dialog").textContent).toContain("a picture of it in this meeting proves nothing");
    expect(screen.queryByTestId("match")).toBeNull();
    await waitFor(() => expect(document.activeElement).toBe(screen.getByTestId("stop-scan")));
  });

  it("says that nobody sees a camera that is off, and only then", async () => {
    const backend = await scan("new");
    const words = (): string => screen.getByRole("dialog").textContent ?? "";
    expect(words()).not.toContain("they see nothing of this");
    const off = { ...recorded.active, me: { ...recorded.active.me, camera: false } };
    backend.show(withOthers(off, { trust: "new" }));
    await waitFor(() => expect(words()).toContain("they see nothing of this"));
  });

  it("verifies when it matches, and records it once", async () => {
    const backend = await scan("new");
    backend.scanned("matches");
    await waitFor(() => expect(said()).toContain("Ana Costa is verified."));
    expect(screen.queryByTestId("viewfinder")).toBeNull();
    await waitFor(() => expect(document.activeElement).toBe(screen.getByTestId("close-safety")));
    expect(backend.asked).toHaveLength(2);
  });

  it("warns when it does not match, and says what to do", async () => {
    const backend = await scan("verified");
    backend.scanned("differs");
    await waitFor(() => expect(said()).toContain("Say nothing secret."));
    expect(screen.getByTestId("safety-outcome").querySelector(".bad")).toBeTruthy();
    expect(screen.queryByTestId("match")).toBeNull();
  });

  it("is asked for again when another code or none was seen", async () => {
    const backend = await scan("new");
    for (const [outcome, words] of [
      ["ownCode", "on your own screen"],
      ["otherVersion", "another version of Conclave"],
      ["otherCode", "the code of something else"],
      ["nothingSeen", "No code was seen for a minute"],
    ] as const) {
      backend.scanned(outcome);
      expect(await screen.findByText(new RegExp(words))).toBeTruthy();
      await waitFor(() => expect(document.activeElement).toBe(screen.getByTestId("scan")));
      expect(said().trim()).toBe("");
      await click("scan");
      expect(screen.queryByText(new RegExp(words))).toBeNull();
    }
  });

  it("is looked for no longer when the person stops, closes or loses whom it is about", async () => {
    const backend = await scan("new");
    await click("stop-scan");
    await waitFor(() => expect(screen.queryByTestId("viewfinder")).toBeNull());
    expect(screen.getByTestId("match")).toBeTruthy();
    await click("scan");
    await click("close-safety");
    await waitFor(() => expect(backend.asked.filter((order) => order === "stopScan")).toHaveLength(2));
    cleanup();
    const other = await scan("new");
    other.show({ ...recorded.active, members: recorded.active.members.filter((member) => member.isMe) });
    await waitFor(() => expect(other.asked).toContain("stopScan"));
  });

  it("is not looked for without a camera, and says why", async () => {
    const backend = await compare("new");
    backend.failure = "the camera “Desk camera” gives no picture: it is busy";
    await click("scan");
    expect(await screen.findByText("The camera “Desk camera” gives no picture: it is busy.")).toBeTruthy();
    expect(screen.queryByTestId("viewfinder")).toBeNull();
    await waitFor(() => expect(document.activeElement).toBe(screen.getByTestId("scan")));
  });
});

describe("a changed key", () => {
  const changed = withOthers(recorded.active, { trust: "changed", knownAs: "Ana" });
  const accepted = withOthers(recorded.active, { trust: "known", knownAs: null });

  it("is warned of for as long as somebody with it is here, with what to do", async () => {
    const backend = await open(changed);
    const warning = screen.getByTestId("changed-h1");
    expect(warning.textContent).toContain("Danger: Ana Costa is here with another key than the one you know as Ana.");
    expect(screen.getByTestId("dangers").contains(warning)).toBe(true);
    await click("changed-compare-h1");
    expect(backend.asked).toEqual(['safetyNumber "h1"']);
    backend.show(accepted);
    await waitFor(() => expect(screen.queryByTestId("changed-h1")).toBeNull());
  });

  it("is warned of no longer once that was heard, and keeps its mark", async () => {
    await open(changed);
    await fireEvent.click(within(screen.getByTestId("changed-h1")).getByLabelText("Dismiss"));
    expect(screen.queryByTestId("changed-h1")).toBeNull();
    expect(screen.getByTestId("member-h1").textContent).toContain("Not the key you know as Ana");
  });

  it("is accepted beside the warning, after saying what that means", async () => {
    const backend = await open(changed);
    await click("changed-accept-h1");
    const dialog = await screen.findByRole("dialog");
    expect(dialog.textContent).toContain("Accept this key as Ana Costa's?");
    expect(dialog.textContent).toContain("although nothing was compared");
    await fireEvent.click(screen.getByText("Keep the warning"));
    expect(backend.asked).toEqual([]);
    await click("changed-accept-h1");
    await fireEvent.click(await screen.findByTestId("confirm"));
    expect(backend.asked).toEqual(['acceptKey "h1"']);
  });

  it("is not accepted by letting its person in, and the list says so", async () => {
    const backend = await open(changed);
    await click("actions-h1");
    expect(screen.getByTestId("member-h1").textContent).toContain("does not mean that the key was accepted");
    await click("accept-h1");
    await fireEvent.click(await screen.findByTestId("confirm"));
    expect(backend.asked).toEqual(['acceptKey "h1"']);
    backend.show(accepted);
    await waitFor(() => expect(screen.queryByTestId("accept-h1")).toBeNull());
  });

  it("is accepted at the door too, without letting anybody in", async () => {
    const backend = await open({ ...recorded.host, knocks: [knocking("k1", "changed", "Dora"), knocking("k2", "known")] });
    expect(screen.queryByTestId("accept-k2")).toBeNull();
    await click("accept-k1");
    await fireEvent.click(await screen.findByTestId("confirm"));
    expect(backend.asked).toEqual(['acceptKey "k1"']);
    await click("admit-k1");
    expect(await screen.findByText(/Letting them in does not accept the key/)).toBeTruthy();
  });

  it("is accepted where it cannot be compared, by a second step", async () => {
    const backend = await compare("changed");
    await click("accept-key");
    await waitFor(() => expect(document.activeElement).toBe(screen.getByTestId("keep-warning")));
    expect(screen.getByRole("dialog").textContent).toContain("although nothing was compared");
    await click("keep-warning");
    await waitFor(() => expect(document.activeElement).toBe(screen.getByTestId("close-safety")));
    expect(backend.asked).toEqual(['safetyNumber "h1"']);
    await click("accept-key");
    await click("accept-sure");
    expect(backend.asked[1]).toBe('acceptKey "h1"');
    // As long as the snapshot says that it is changed, nothing is claimed.
    expect(screen.getByTestId("safety-outcome").textContent?.trim()).toBe("");
    backend.show(accepted);
    await waitFor(() => expect(screen.getByTestId("safety-outcome").textContent).toContain("not as verified"));
  });

  it("is offered to be accepted only where it changed", async () => {
    await compare("known");
    expect(screen.queryByTestId("accept-key")).toBeNull();
    expect(screen.queryByTestId("accept-h1")).toBeNull();
  });
});

describe("the rules", () => {
  it("are set by a host where they are shown, and by nobody else", async () => {
    const backend = await open(recorded.host);
    await click("security");
    expect(screen.getByTestId("strict").getAttribute("aria-checked")).toBe("false");
    await click("strict");
    await click("high-secrecy");
    expect(backend.asked).toEqual(["setStrict true", "setHighSecrecy true"]);
    backend.show({ ...recorded.host, policy: { ...recorded.host.policy, strict: true, highSecrecy: true } });
    await waitFor(() => expect(screen.getByTestId("strict").getAttribute("aria-checked")).toBe("true"));
    expect(screen.getByText(/What is not proven to be its sender's is not played/)).toBeTruthy();
    backend.show({ ...recorded.host, isHost: false, me: { ...recorded.host.me, role: "coHost" } });
    await waitFor(() => expect(screen.queryByTestId("strict")).toBeNull());
    expect(screen.queryByTestId("high-secrecy")).toBeNull();
  });
});

describe("a QR code", () => {
  const svg = (inside: string, attributes = 'viewBox="0 0 9 9"'): string =>
    `<svg xmlns="http://www.w3.org/2000/svg" ${attributes}>${inside}</svg>`;

  it("is taken from paths and rectangles, without what is light", () => {
    const read = readQr(svg('<rect width="9" height="9" fill="#FFFFFF"/><g fill="#000"><rect x="1" y="2" width="3" height="4"/></g><path d="M0 0h1v1z"/>'));
    expect(read).toEqual({ viewBox: "0 0 9 9", path: "M1 2h3v4h-3z M0 0h1v1z" });
  });

  it("finds its size without a view box", () => {
    expect(readQr(svg('<path d="M0 0h1"/>', 'width="296" height="296"'))?.viewBox).toBe("0 0 296 296");
  });

  it("lets nothing through but drawing", () => {
    expect(readQr(svg('<path d="M0 0&quot; onload=&quot;alert(1)"/>'))).toBeNull();
    expect(readQr(svg('<script>alert(1)</script><image href="https://example.org/x.png"/>'))).toBeNull();
    expect(readQr(svg('<path d="M0 0h1"/>', 'viewBox="0 0 9 url(x)"'))).toBeNull();
    expect(readQr(svg('<rect x="a" y="0" width="1" height="1"/>'))).toBeNull();
  });

  it("is refused when it is no SVG at all, or endless", () => {
    expect(readQr("<p>no</p>")).toBeNull();
    expect(readQr("<svg")).toBeNull();
    expect(readQr(svg(`<path d="M0 0${"h1".repeat(400_000)}"/>`))).toBeNull();
  });

  it("is replaced by a sentence when it cannot be drawn", async () => {
    await compare("new", "<svg>");
    expect(screen.queryByTestId("qr")).toBeNull();
    expect(screen.getByText(/could not be drawn\. Compare the digits/)).toBeTruthy();
  });
});
