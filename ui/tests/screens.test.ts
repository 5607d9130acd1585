import { cleanup, fireEvent, screen, waitFor, within } from "@testing-library/svelte";
import { afterEach, describe, expect, it } from "vitest";
import type { MeetingView } from "../src/backend/view";
import { open, withOthers } from "./opened";
import { recorded } from "./recorded";

afterEach(cleanup);

const press = (key: string): Promise<boolean> => fireEvent.keyDown(document.body, { key });

describe("home", () => {
  it("opens a meeting of one's own", async () => {
    const backend = await open(null);
    await fireEvent.click(screen.getByTestId("new-meeting"));
    expect(backend.asked).toEqual(['openLobby {"kind":"host"}']);
  });

  it("joins by a pasted link, spaces around it or not", async () => {
    const backend = await open(null);
    await fireEvent.input(screen.getByTestId("link-input"), { target: { value: " conclave://h/j/x#v1.a.b\n" } });
    await fireEvent.click(screen.getByTestId("join"));
    expect(backend.asked).toEqual(['openLobby {"kind":"join","link":"conclave://h/j/x#v1.a.b"}']);
  });

  it("says what is wrong with another link, and asks nothing of the backend", async () => {
    const backend = await open(null);
    await fireEvent.input(screen.getByTestId("link-input"), { target: { value: "https://example.org" } });
    await fireEvent.click(screen.getByTestId("join"));
    expect(screen.getByText(/no Conclave link/)).toBeTruthy();
    expect(backend.asked).toEqual([]);
  });

  it("shows the backend's sentence when something fails", async () => {
    const backend = await open(null);
    backend.failure = "the server cannot be reached; check the network, then try again";
    await fireEvent.click(screen.getByTestId("new-meeting"));
    const sentence = "The server cannot be reached; check the network, then try again.";
    await waitFor(() => expect(screen.getByTestId("error").textContent?.trim()).toBe(sentence));
  });
});

describe("the proxy on the first screen", () => {
  const write = (value: string): Promise<boolean> => fireEvent.input(screen.getByTestId("proxy-input"), { target: { value } });

  it("is kept and named", async () => {
    const backend = await open(null);
    await write(" http://proxy.example:3128 ");
    await fireEvent.click(screen.getByTestId("proxy-keep"));
    await screen.findByText("Through the proxy http://proxy.example:3128");
    await screen.findByText(/It counts from the next meeting on/);
    expect(backend.asked[0]).toContain('"proxy":"http://proxy.example:3128"');
  });

  it("is kept beside a name that is written at the same time", async () => {
    const backend = await open(null);
    const save = backend.saveSettings;
    let writeOn = (): void => {};
    const disk = new Promise<void>((resolve) => (writeOn = resolve));
    backend.saveSettings = (settings) => disk.then(() => save(settings));
    await write("http://proxy.example:3128");
    await fireEvent.click(screen.getByTestId("proxy-keep"));
    await fireEvent.change(screen.getByTestId("name-input"), { target: { value: "Ravi S." } });
    writeOn();
    await waitFor(() => expect(backend.asked).toHaveLength(2));
    expect(backend.asked[1]).toContain('"name":"Ravi S."');
    expect(backend.asked[1]).toContain('"proxy":"http://proxy.example:3128"');
  });

  it("says what is wrong, and leaves what was written", async () => {
    const backend = await open(null);
    backend.failure = "Conclave speaks to HTTP proxies only.";
    await write("socks5://proxy.example");
    await fireEvent.click(screen.getByTestId("proxy-keep"));
    await screen.findByText("Conclave speaks to HTTP proxies only.");
    const input = screen.getByTestId("proxy-input") as HTMLInputElement;
    expect([input.value, input.getAttribute("aria-invalid")]).toEqual(["socks5://proxy.example", "true"]);
    expect(screen.getByTestId("proxy").textContent).toContain("Behind a proxy?");
  });
});

describe("lobby and waiting", () => {
  it("says which devices it opened without", async () => {
    const backend = await open(null);
    backend.missing = ["No camera was found. Plug one in."];
    await fireEvent.click(screen.getByTestId("new-meeting"));
    backend.show(recorded.lobby);
    await waitFor(() => expect(screen.getByTestId("missing").textContent).toContain("No camera was found."));
  });

  it("says when another camera cannot be opened", async () => {
    const backend = await open(recorded.lobby);
    backend.missing = ["The camera is in use by another program."];
    // The list of devices comes with the way into the lobby; here only the system's is offered.
    const camera = screen.getByLabelText("Camera") as HTMLSelectElement;
    camera.add(new Option("Desk camera", "c1"));
    await fireEvent.change(camera, { target: { value: "c1" } });
    await waitFor(() => expect(screen.getByTestId("missing").textContent).toContain("in use by another program"));
    expect(backend.asked[0]).toContain('"camera":"c1"');
  });

  it("remembers the name and knocks with it", async () => {
    const backend = await open(recorded.lobby);
    await fireEvent.input(screen.getByTestId("name-input"), { target: { value: "Ravi S." } });
    await fireEvent.click(screen.getByTestId("join"));
    await waitFor(() => expect(backend.asked).toHaveLength(2));
    expect(backend.asked[0]).toContain('saveSettings {"name":"Ravi S."');
    expect(backend.asked[1]).toContain('enter {"name":"Ravi S."');
  });

  it("asks for a name before it knocks", async () => {
    const backend = await open(recorded.lobby);
    await fireEvent.input(screen.getByTestId("name-input"), { target: { value: "  " } });
    await fireEvent.click(screen.getByTestId("join"));
    expect(screen.getByText(/Write your name first/)).toBeTruthy();
    expect(backend.asked).toEqual([]);
  });

  it("shows the microphone's level", async () => {
    await open(recorded.lobby);
    expect(screen.getByRole("meter").getAttribute("aria-valuenow")).toBe("50");
  });

  it("says who will open the door", async () => {
    await open(recorded.waiting);
    expect(screen.getByRole("heading", { level: 1 }).textContent).toBe("Ana Costa will let you in");
  });
});

describe("meeting", () => {
  it("gives every member a tile with a canvas", async () => {
    await open(recorded.active);
    for (const device of ["h1", "a1"]) {
      expect(screen.getByTestId(`tile-${device}`).querySelector("canvas")).toBeTruthy();
    }
  });

  it("says a sentence where a picture is missing", async () => {
    await open(recorded.recovering);
    expect(screen.getByTestId("tile-h1").textContent).toContain("Ana's key has not arrived. Asking again.");
    expect(screen.getByTestId("status").textContent).toContain("Reconnecting");
    expect(screen.getByTestId("warnings").textContent).toContain("The microphone was unplugged.");
  });

  it("removes only after asking, and only as a host", async () => {
    const backend = await open(recorded.host);
    await fireEvent.click(screen.getByTestId("actions-h1"));
    await fireEvent.click(screen.getByTestId("remove-h1"));
    expect(backend.asked).toEqual([]);
    await fireEvent.click(await screen.findByTestId("confirm"));
    expect(backend.asked).toEqual(['remove "h1"']);
    cleanup();
    await open(recorded.active);
    await fireEvent.click(screen.getByTestId("actions-h1"));
    expect(screen.queryByTestId("remove-h1")).toBeNull();
  });

  it("shows the link to copy, to a host", async () => {
    await open(recorded.host);
    expect((screen.getByTestId("link-text") as HTMLInputElement).value).toBe(recorded.host.invite?.link);
    cleanup();
    await open(recorded.active);
    expect(screen.queryByTestId("link-text")).toBeNull();
  });

  it("shows the code in six groups, and why it is what it is", async () => {
    await open(recorded.active);
    await fireEvent.click(screen.getByTestId("security"));
    expect(screen.getByTestId("code").textContent?.trim()).toBe(recorded.active.code);
    expect(screen.getByTestId("code").querySelectorAll("span")).toHaveLength(6);
    expect(screen.getByTestId("code-reason").textContent).toBe("New because Ravi Shah joined.");
  });

  it("shows one person large, and asks for pictures in the sizes that are shown", async () => {
    const view = recorded.active;
    const backend = await open(view);
    const ana = view.members.find((member) => !member.isMe)!;
    expect(screen.queryByTestId("pinned")).toBeNull();
    await fireEvent.click(screen.getByRole("button", { name: `Show ${ana.name} large` }));
    expect(within(screen.getByTestId("pinned")).getByTestId(`tile-${ana.device}`)).toBeTruthy();
    await fireEvent.click(screen.getByRole("button", { name: `Show ${ana.name} among the others` }));
    expect(screen.queryByTestId("pinned")).toBeNull();
    expect(Object.keys(backend.shownTiles)).not.toContain(view.me.device);
  });

  it("keeps the focus on a person's button wherever the tile goes", async () => {
    const me = recorded.active.members.find((member) => member.isMe)!;
    const other = recorded.active.members.find((member) => !member.isMe)!;
    const crowd = Array.from({ length: 30 }, (_, index) => ({ ...other, device: `x${index}`, name: `Person ${index}`, tile: 9 + index }));
    await open({ ...recorded.active, members: [me, ...crowd] });
    await fireEvent.click(screen.getByRole("button", { name: "Next page" }));
    const large = screen.getByRole("button", { name: "Show Person 20 large" });
    large.focus();
    await fireEvent.click(large);
    const back = within(screen.getByTestId("pinned")).getByRole("button", { name: "Show Person 20 among the others" });
    await waitFor(() => expect(document.activeElement).toBe(back));
    await fireEvent.click(back);
    const again = await screen.findByRole("button", { name: "Show Person 20 large" });
    await waitFor(() => expect(document.activeElement).toBe(again));
    expect(screen.queryByTestId("pinned")).toBeNull();
    // Who only comes back to a page is not given the focus.
    await fireEvent.click(screen.getByRole("button", { name: "Previous page" }));
    const next = screen.getByRole("button", { name: "Next page" });
    next.focus();
    await fireEvent.click(next);
    expect(document.activeElement).not.toBe(screen.getByRole("button", { name: "Show Person 20 large" }));
  });

  it("obeys the keyboard", async () => {
    const backend = await open(recorded.active);
    await press("d");
    await press("E");
    expect(backend.asked).toEqual(["setMuted true", "setCamera false"]);
    await press("p");
    expect(screen.queryByTestId("member-h1")).toBeNull();
    await press("?");
    expect(await screen.findByText("Hold to talk while muted")).toBeTruthy();
  });

  it("leaves keys to whoever types", async () => {
    const backend = await open(recorded.host);
    await fireEvent.keyDown(screen.getByTestId("link-text"), { key: "d" });
    expect(backend.asked).toEqual([]);
  });

  it("talks while space is held, and is muted again after it", async () => {
    const muted = { ...recorded.active, me: { ...recorded.active.me, muted: true } };
    const backend = await open(muted);
    await press(" ");
    await fireEvent.keyUp(document.body, { key: " " });
    expect(backend.asked).toEqual(["setMuted false", "setMuted true"]);
  });

  it("asks a host before leaving others behind, but not a guest", async () => {
    const backend = await open(recorded.host);
    await press("l");
    expect(await screen.findByText("Leave the meeting?")).toBeTruthy();
    expect(backend.asked).toEqual([]);
    cleanup();
    const guest = await open(recorded.active);
    await fireEvent.click(screen.getByTestId("leave"));
    expect(guest.asked).toEqual(["leave"]);
  });

  it("says what becomes of the meeting when a host leaves", async () => {
    const others = (role: "host" | "coHost" | "participant"): MeetingView["members"] =>
      withOthers(recorded.host, { role, successor: false }).members;
    const cases: [Partial<MeetingView>, string][] = [
      [{ members: others("participant") }, "the meeting ends for everyone"],
      [{ members: others("coHost") }, "Ana Costa goes on as host."],
      [{ members: others("coHost"), ownServer: true }, "this computer's own server"],
      // Made host by another one, or host no more on a server of one's own.
      [{ members: others("host"), isHost: false }, "Ana Costa goes on as host."],
      [{ members: others("host"), ownServer: true, me: { ...recorded.host.me, role: "participant" } }, "ends for everyone"],
    ];
    for (const [change, words] of cases) {
      const backend = await open({ ...recorded.host, ...change });
      await fireEvent.click(screen.getByTestId("leave"));
      expect((await screen.findByRole("dialog")).textContent).toContain(words);
      expect(screen.queryByTestId("confirm-other") !== null).toBe(words.includes("goes on"));
      await fireEvent.click(screen.getByTestId("confirm"));
      expect(backend.asked).toEqual(["leave"]);
      cleanup();
    }
  });

  it("says aloud who comes", async () => {
    const backend = await open(recorded.active);
    const member = { ...recorded.active.members[0]!, device: "b7", name: "Ben Okafor", tile: 2 };
    backend.show({ ...recorded.active, members: [...recorded.active.members, member] });
    await waitFor(() => expect(screen.getByTestId("announcements").textContent).toBe("Ben Okafor joined."));
  });
});

describe("left", () => {
  it("says why, and leads home", async () => {
    const backend = await open(recorded.left);
    expect(screen.getByTestId("status").textContent).toBe("A host removed you from the meeting.");
    await fireEvent.click(screen.getByTestId("home"));
    expect(backend.asked).toEqual(["close"]);
  });
});
