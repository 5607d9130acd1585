import { cleanup, fireEvent, screen, waitFor, within } from "@testing-library/svelte";
import { afterEach, describe, expect, it } from "vitest";
import type { MeetingView, Trust } from "../src/backend/view";
import { knocking, open, withOthers } from "./opened";
import { recorded } from "./recorded";

afterEach(cleanup);

const { active, host } = recorded;
const click = (testid: string): Promise<boolean> => fireEvent.click(screen.getByTestId(testid));
const textOf = (testid: string): string => screen.getByTestId(testid).textContent ?? "";

describe("the door", () => {
  it("says of everybody whether the key is known, in words", async () => {
    const words: [Trust, string | null, string][] = [
      ["new", null, "New person"],
      ["known", null, "Met before"],
      ["known", "Dora V.", "Met before as Dora V."],
      ["verified", null, "Verified by you"],
      ["changed", "Dora", "Not the key you know as Dora"],
    ];
    const knocks = words.map(([trust, knownAs], index) => knocking(`k${index}`, trust, knownAs));
    await open({ ...host, knocks });
    words.forEach(([trust, , text], index) => {
      const knock = screen.getByTestId(`knock-k${index}`);
      expect(within(knock).getByText(text)).toBeTruthy();
      expect(knock.querySelector(`[data-trust=${trust}] svg`)).toBeTruthy();
    });
  });

  it("admits and refuses by name", async () => {
    const backend = await open({ ...host, knocks: [knocking("k1", "new"), knocking("k2", "known")] });
    expect(screen.getByTestId("admit-k1").getAttribute("aria-label")).toBe("Admit Dora Varga");
    await click("admit-k1");
    await click("refuse-k2");
    expect(backend.asked).toEqual(['admit "k1"', 'refuse "k2"']);
  });

  it("lets a changed key in only after a second, explicit step", async () => {
    const backend = await open({ ...host, knocks: [knocking("k1", "changed", "Dora")] });
    await click("admit-k1");
    expect(backend.asked).toEqual([]);
    expect(screen.getByRole("dialog").textContent).toContain("not the key that you know as Dora");
    expect(textOf("confirm")).toBe("Let in although the key changed");
    await fireEvent.click(screen.getByText("Keep waiting"));
    expect(backend.asked).toEqual([]);
    await click("admit-k1");
    await fireEvent.click(await screen.findByTestId("confirm"));
    expect(backend.asked).toEqual(['admit "k1"']);
  });

  it("leaves changed keys out when all are admitted, and says so", async () => {
    const sound = [knocking("k1", "new"), knocking("k2", "verified")];
    const backend = await open({ ...host, knocks: [...sound, knocking("k3", "changed", "Dora")] });
    expect(textOf("admit-all").trim()).toBe("Admit the others");
    await click("admit-all");
    await waitFor(() => expect(backend.asked).toEqual(['admit "k1"', 'admit "k2"']));
    backend.show({ ...host, knocks: sound });
    await waitFor(() => expect(textOf("admit-all").trim()).toBe("Admit all"));
  });

  it("is locked and opened again", async () => {
    const backend = await open(host);
    expect(screen.getByTestId("lock").getAttribute("aria-checked")).toBe("false");
    await click("lock");
    expect(backend.asked).toEqual(["setLocked true"]);
    expect(screen.queryByTestId("badge-locked")).toBeNull();
    backend.show({ ...host, policy: { ...host.policy, locked: true } });
    await waitFor(() => expect(screen.getByTestId("lock").getAttribute("aria-checked")).toBe("true"));
    expect(textOf("badge-locked").trim()).toBe("Locked");
    expect(screen.getByText(/this link opens nothing until you unlock/)).toBeTruthy();
  });

  it("says what it means when the waiting room is off", async () => {
    const backend = await open({ ...host, policy: { ...host.policy, waitingRoom: true } });
    await click("waiting-room");
    expect(backend.asked).toEqual(["setWaitingRoom false"]);
    backend.show({ ...host, policy: { ...host.policy, waitingRoom: false } });
    await waitFor(() => expect(screen.getAllByText(/comes in without being asked/)).toHaveLength(2));
  });

  it("is kept by a co-host too, and by nobody else", async () => {
    const coHost: MeetingView = { ...host, isHost: false, me: { ...host.me, role: "coHost" }, knocks: [knocking("k1", "new")] };
    await open(coHost);
    for (const testid of ["admit-k1", "lock", "waiting-room", "new-link"]) expect(screen.getByTestId(testid)).toBeTruthy();
    cleanup();
    await open({ ...active, knocks: [knocking("k1", "new")] });
    for (const testid of ["admit-k1", "lock", "waiting-room", "new-link"]) expect(screen.queryByTestId(testid)).toBeNull();
  });
});

describe("the invite link", () => {
  it("says whom it is for and when it ends", async () => {
    const expiresAtMs = new Date(2026, 10, 24, 15, 30).getTime();
    await open({ ...host, invite: { link: "conclave://h/j/x#v1.a", singleUse: true, expiresAtMs } });
    expect(textOf("link-limits")).toMatch(/For one person only\. Ends Nov 24, 2026, 3:30.PM\./u);
    cleanup();
    await open({ ...host, invite: { link: "conclave://h/j/x#v1.a", singleUse: false, expiresAtMs: null } });
    expect(screen.queryByTestId("link-limits")).toBeNull();
  });

  it("is replaced with the choices made, after saying what happens to the old one", async () => {
    const backend = await open(host);
    await click("new-link");
    expect(screen.getByRole("dialog").textContent).toContain("The old link stops working at once");
    await click("single-use");
    await click("expiry-hour");
    await click("make-link");
    expect(backend.asked).toEqual(["newLink [true,3600]"]);
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(screen.getByText(/The new link is ready\. The old one no longer works\./)).toBeTruthy();
  });

  it("lasts as long as the meeting unless somebody chooses otherwise", async () => {
    const backend = await open(host);
    await click("new-link");
    await click("make-link");
    expect(backend.asked).toEqual(["newLink [false,null]"]);
  });

  it("stays when the server refuses another, with the reason", async () => {
    const backend = await open(host);
    await click("new-link");
    backend.failure = "the server cannot be reached";
    await click("make-link");
    const dialog = within(screen.getByRole("dialog"));
    expect(await dialog.findByText("The server cannot be reached.")).toBeTruthy();
  });
});

describe("people", () => {
  const unfold = async (view: MeetingView): ReturnType<typeof open> => {
    const backend = await open(view);
    await click("actions-h1");
    expect(screen.getByTestId("actions-h1").getAttribute("aria-expanded")).toBe("true");
    return backend;
  };

  it("explain in words what their mark means", async () => {
    await unfold(withOthers(host, { trust: "changed", knownAs: "Ana" }));
    const row = textOf("member-h1");
    expect(row).toContain("Not the key you know as Ana");
    expect(row).toContain("This is another key than the one you know as Ana.");
  });

  it("get roles from a host, who is asked before making another host", async () => {
    const backend = await unfold(withOthers(host, { role: "participant" }));
    expect(screen.queryByTestId("role-participant-h1")).toBeNull();
    await click("role-coHost-h1");
    await click("successor-h1");
    await click("role-host-h1");
    expect(backend.asked).toEqual(['setRole ["h1","coHost"]', 'setSuccessor ["h1",true]']);
    await fireEvent.click(await screen.findByTestId("confirm"));
    expect(backend.asked[2]).toBe('setRole ["h1","host"]');
  });

  it("show their role, and a successor can be unnamed", async () => {
    const backend = await unfold(withOthers(host, { role: "coHost", successor: true }));
    expect(textOf("member-h1")).toContain("Co-host, Successor");
    expect(screen.getByTestId("role-participant-h1")).toBeTruthy();
    await click("successor-h1");
    expect(backend.asked).toEqual(['setSuccessor ["h1",false]']);
  });

  it("are removed by a co-host only if they are participants, and get no roles from one", async () => {
    const coHost: MeetingView = { ...host, isHost: false, me: { ...host.me, role: "coHost" } };
    await unfold(withOthers(coHost, { role: "participant" }));
    expect(screen.getByTestId("remove-h1")).toBeTruthy();
    expect(screen.queryByTestId("role-coHost-h1")).toBeNull();
    cleanup();
    await unfold(withOthers(coHost, { role: "host" }));
    expect(screen.queryByTestId("remove-h1")).toBeNull();
  });

  it("say what is wrong with somebody now, the gravest thing first", async () => {
    const backend = await open(withOthers(active, { silent: true, missingKey: true }));
    expect(textOf("member-h1")).toContain("No sign of life");
    backend.show(withOthers(active, { silent: true, voice: "forged" }));
    await waitFor(() => expect(textOf("member-h1")).toContain("Forged picture and sound, muted"));
  });
});

describe("tiles", () => {
  it("show neither picture nor speech of a forger, and say so", async () => {
    await open(withOthers(active, { voice: "forged", speaking: true, muted: false }));
    const tile = screen.getByTestId("tile-h1");
    expect(tile.textContent).toContain("Somebody else's picture and sound were sent under Ana Costa's name. They are muted.");
    expect(tile.textContent).toContain("muted");
    expect(tile.dataset["drawn"]).toBe("false");
    expect(tile.classList.contains("speaking")).toBe(false);
  });

  it("name the key that is missing in place of black", async () => {
    await open(withOthers(active, { missingKey: true }));
    expect(textOf("tile-h1")).toContain("Waiting for Ana Costa's key; asked again");
  });

  it("say when somebody is silent, and what it may mean", async () => {
    await open(withOthers(active, { silent: true }));
    const sentence = "No sign of life from Ana Costa for 15 s: the server may be holding their messages back.";
    expect(textOf("tile-h1")).toContain(sentence);
  });

  it("mark what is not proven, and nothing while it is or may be yet", async () => {
    const backend = await open(withOthers(active, { voice: "unverified" }));
    expect(textOf("tile-h1")).toContain("not proven");
    for (const voice of ["pending", "verified"] as const) {
      backend.show(withOthers(active, { voice }));
      await waitFor(() => expect(textOf("tile-h1")).not.toContain("not proven"));
    }
  });

  it("keep back what is not proven where the rules are strict", async () => {
    const strict: MeetingView = { ...active, policy: { ...active.policy, strict: true } };
    const backend = await open(withOthers(strict, { voice: "unverified", speaking: true }));
    expect(textOf("tile-h1")).toContain("It is not proven that picture and sound are Ana Costa's. They are muted");
    expect(screen.getByTestId("tile-h1").classList.contains("speaking")).toBe(false);
    backend.show(withOthers(strict, { voice: "verified" }));
    await waitFor(() => expect(textOf("tile-h1")).not.toContain("not proven"));
  });

  it("carry the mark of trust, with words for who does not see it", async () => {
    await open(withOthers(active, { trust: "verified" }));
    const mark = screen.getByTestId("tile-h1").querySelector("[data-trust=verified]");
    expect(mark?.getAttribute("title")).toBe("Verified by you");
    expect(mark?.textContent).toContain("Verified by you");
  });
});

describe("warnings", () => {
  it("interrupt for a danger and wait their turn for a notice", async () => {
    const backend = await open({
      ...active,
      warnings: [
        { id: 4, level: "danger", text: "Somebody forges." },
        { id: 5, level: "notice", text: "A microphone was unplugged." },
      ],
    });
    const dangers = screen.getByTestId("dangers");
    expect(dangers.getAttribute("role")).toBe("alert");
    expect(dangers.textContent).toContain("Danger: Somebody forges.");
    const notices = screen.getByTestId("notices");
    expect(notices.getAttribute("aria-live")).toBe("polite");
    expect(notices.textContent).toContain("A microphone was unplugged.");
    await fireEvent.click(within(dangers).getByRole("button"));
    expect(backend.asked).toEqual(["dismissWarning 4"]);
  });
});
