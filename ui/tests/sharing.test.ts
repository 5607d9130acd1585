import { cleanup, fireEvent, screen, waitFor, within } from "@testing-library/svelte";
import { afterEach, describe, expect, it } from "vitest";
import type { MeetingView } from "../src/backend/view";
import { announce } from "../src/state/announcements";
import { layOut, screenSize } from "../src/state/grid";
import { open, withOthers } from "./opened";
import { recorded } from "./recorded";

const ANA = recorded.active.members[0]?.device ?? "";
const click = async (testid: string): Promise<boolean> => fireEvent.click(screen.getByTestId(testid));

/** Ana and nobody else shares a screen, or does not. */
const shared = (on: boolean): MeetingView =>
  withOthers(recorded.active, { screen: on ? { tile: 2, problem: null } : null });

const sharing: MeetingView = {
  ...shared(false),
  me: { ...recorded.active.me, sharing: { name: "Slides", motion: false, sound: false, problem: null } },
};

const heard: MeetingView = {
  ...sharing,
  me: { ...sharing.me, sharing: { name: "Slides", motion: false, sound: true, problem: null } },
};

afterEach(cleanup);

describe("sharing one's own screen", () => {
  it("asks what to share and how, and shares that", async () => {
    const backend = await open(shared(false));
    await click("share");
    const dialog = await screen.findByRole("dialog");
    const slides = await within(dialog).findByLabelText("Slides");
    expect(within(dialog).getByLabelText<HTMLInputElement>("Whole screen").checked).toBe(true);
    await fireEvent.click(slides);
    await fireEvent.click(screen.getByTestId("share-motion"));
    await click("share-start");
    expect(backend.asked).toContain('share ["window:0x20",true,false]');
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  });

  it("lets sound go along only if that is wanted, and says whether it does", async () => {
    const backend = await open(shared(false));
    await click("share");
    const sound = await screen.findByLabelText<HTMLInputElement>(/^Share sound too/);
    expect(sound.checked).toBe(false);
    await fireEvent.click(sound);
    await click("share-start");
    expect(backend.asked.at(-1)).toMatch(/^share \[".*",false,true\]$/);
    backend.show(sharing);
    const bar = await screen.findByTestId("sharing");
    expect(bar.textContent).toContain("Without sound.");
    backend.show(heard);
    await waitFor(() => expect(bar.textContent).toContain("The others hear the sound of this computer."));
    expect(bar.textContent).not.toContain("Without sound.");
  });

  it("tells who cannot see the bar when sound begins and ceases to go along", () => {
    expect(announce(sharing, heard)).toEqual(["The others hear the sound of this computer."]);
    expect(announce(heard, sharing)).toEqual(["The others do not hear the sound of this computer any more."]);
    expect(announce(heard, shared(false))).toEqual(["You are not sharing a screen any more."]);
  });

  it("says why it could not, and stays", async () => {
    const backend = await open(shared(false));
    await click("share");
    await screen.findByLabelText("Slides");
    backend.failure = "In this meeting only hosts and co-hosts may share a screen.";
    await click("share-start");
    expect((await screen.findByTestId("share-error")).textContent).toBe(backend.failure);
    expect(screen.getByRole("dialog")).toBeTruthy();
  });

  it("is said for as long as it lasts, and ends at a click", async () => {
    const backend = await open(sharing);
    expect(screen.getByTestId("sharing").textContent).toContain("You are sharing “Slides”.");
    await click("stop-sharing");
    expect(backend.asked).toContain("stopSharing");
    // The button in the bar does not ask again what to share.
    await click("share");
    expect(backend.asked.filter((command) => command === "stopSharing")).toHaveLength(2);
    backend.show(shared(false));
    await waitFor(() => expect(screen.queryByTestId("sharing")).toBeNull());
  });

  it("tells when the others see nothing of it", async () => {
    const problem = "“Slides” shows nothing now: it may be minimised.";
    await open({ ...sharing, me: { ...sharing.me, sharing: { name: "Slides", motion: false, sound: false, problem } } });
    expect(screen.getByTestId("sharing").textContent).toContain(problem);
  });
});

describe("somebody else's screen", () => {
  it("takes the stage, with the people beside it, and gives it back", async () => {
    const backend = await open(shared(true));
    const main = screen.getByTestId("pinned");
    expect(within(main).getByTestId(`screen-${ANA}`)).toBeTruthy();
    expect(screen.getByTestId(`tile-${ANA}`)).toBeTruthy();
    backend.show(shared(false));
    await waitFor(() => expect(screen.queryByTestId(`screen-${ANA}`)).toBeNull());
    expect(screen.queryByTestId("pinned")).toBeNull();
  });

  it("makes room for who is pinned, and can be pinned itself", async () => {
    await open(shared(true));
    const name = recorded.active.members[0]?.name ?? "";
    await fireEvent.click(screen.getByRole("button", { name: `Show ${name} large` }));
    expect(within(screen.getByTestId("pinned")).getByTestId(`tile-${ANA}`)).toBeTruthy();
    await fireEvent.click(screen.getByRole("button", { name: `Show ${name}'s screen large` }));
    expect(within(screen.getByTestId("pinned")).getByTestId(`screen-${ANA}`)).toBeTruthy();
  });

  it("shows a sentence instead of black", async () => {
    const problem = "Ana's screen has stopped. Waiting for more.";
    await open(withOthers(recorded.active, { screen: { tile: 2, problem } }));
    expect(screen.getByTestId(`screen-${ANA}`).textContent).toContain(problem);
  });

  it("is announced when it comes and goes", () => {
    const name = recorded.active.members[0]?.name ?? "";
    expect(announce(shared(false), shared(true))).toEqual([`${name} shares a screen.`]);
    expect(announce(shared(true), shared(false))).toEqual([`${name} does not share a screen any more.`]);
    expect(announce(shared(false), sharing)).toEqual(["You are sharing Slides."]);
  });
});

describe("the layout", () => {
  const [ana, me] = shared(true).members;
  if (!ana || !me) throw new Error("two people are recorded");

  it("puts screens before people and never this person's own", () => {
    const own = { ...me, screen: { tile: 0, problem: null } };
    const { main, others } = layOut([own, ana], null);
    expect(main?.key).toBe(`screen:${ana.device}`);
    expect(others.map(({ key }) => key)).toEqual([own.device, ana.device]);
  });

  it("asks for letters large unless the tile is tiny", () => {
    expect(screenSize(120, 1)).toBe("low");
    expect(screenSize(300, 1)).toBe("high");
    expect(screenSize(900, 2)).toBe("high");
  });
});

describe("who may share", () => {
  it("is set by a host", async () => {
    const backend = await open(recorded.host);
    await click("security-control");
    await click("hosts-share");
    expect(backend.asked).toContain("setHostsShare true");
  });
});
