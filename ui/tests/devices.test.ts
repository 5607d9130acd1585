/** Devices, as a person chooses and hears them. */
import { cleanup, fireEvent, screen, waitFor } from "@testing-library/svelte";
import { afterEach, describe, expect, it } from "vitest";
import type { Me, MeetingView } from "../src/backend/view";
import { announce } from "../src/state/announcements";
import { open } from "./opened";
import { recorded } from "./recorded";

afterEach(cleanup);

const withMe = (view: MeetingView, me: Partial<Me>): MeetingView => ({ ...view, me: { ...view.me, ...me } });
const muted = withMe(recorded.active, { muted: true, talksWhileMuted: true });
const dialog = async (): Promise<void> => {
  await fireEvent.click(screen.getByTestId("devices-control"));
  await screen.findByTestId("close-devices");
};

describe("devices in a meeting", () => {
  it("are chosen while it runs, and the one in use is named", async () => {
    const backend = await open(recorded.active);
    await dialog();
    expect(screen.getByText("In use: Headset")).toBeTruthy();
    const microphone = screen.getByLabelText("Microphone") as HTMLSelectElement;
    await waitFor(() => expect(microphone.options).toHaveLength(2));
    await fireEvent.change(microphone, { target: { value: "m1" } });
    expect(backend.asked[0]).toContain('"microphone":"m1"');
  });

  it("are cameras too, and the picker works while the camera is off", async () => {
    const backend = await open(withMe(recorded.active, { camera: false, cameraInUse: { name: "", problem: null } }));
    await dialog();
    const camera = screen.getByLabelText("Camera") as HTMLSelectElement;
    await waitFor(() => expect(camera.options).toHaveLength(2));
    expect(screen.getByText("Your camera is off. This one is opened when you start it.")).toBeTruthy();
    await fireEvent.change(camera, { target: { value: "c1" } });
    expect(backend.asked[0]).toContain('"camera":"c1"');
    backend.show(recorded.active);
    expect(await screen.findByText("In use: Integrated camera")).toBeTruthy();
    expect(screen.queryByText("Your camera is off. This one is opened when you start it.")).toBeNull();
  });

  it("are listed anew when one is plugged in", async () => {
    const backend = await open(recorded.active);
    await dialog();
    const speaker = screen.getByLabelText("Speaker") as HTMLSelectElement;
    await waitFor(() => expect(speaker.options).toHaveLength(2));
    const before = await backend.devices();
    backend.devices = async () => ({ ...before, speakers: [...before.speakers, { id: "s2", name: "Screen" }] });
    await waitFor(() => expect([...speaker.options].map((option) => option.text)).toContain("Screen"), { timeout: 5000 });
  });

  it("say why another one is in use", async () => {
    const problem = 'The microphone "Headset" is not there. "Built-in microphone" is used until it comes back.';
    await open(withMe(recorded.active, { microphone: { name: "Built-in microphone", problem } }));
    await dialog();
    expect(screen.getByText(problem)).toBeTruthy();
  });

  it("stay as they were when the chosen one does not open", async () => {
    const backend = await open(recorded.active);
    await dialog();
    const microphone = screen.getByLabelText("Microphone") as HTMLSelectElement;
    await waitFor(() => expect(microphone.options).toHaveLength(2));
    backend.failure = "The microphone could not be opened";
    await fireEvent.change(microphone, { target: { value: "m1" } });
    await waitFor(() => expect(screen.getByTestId("error").textContent).toContain("could not be opened."));
    expect(microphone.value).toBe("");
  });

  it("can be heard before they are needed", async () => {
    const backend = await open(recorded.active);
    await dialog();
    await fireEvent.click(screen.getByTestId("test-speaker"));
    expect(backend.asked).toEqual(["playTone"]);
  });

  it("have each part of cleaning switched alone", async () => {
    const backend = await open(recorded.active);
    await dialog();
    for (const part of ["noise-suppression", "echo-cancelling", "automatic-gain"]) {
      await fireEvent.click(screen.getByTestId(part));
      await waitFor(() => expect(screen.getByTestId(part).getAttribute("aria-checked")).toBe("false"));
    }
    // Choices are saved one after the other: the switch turns before the last is said.
    await waitFor(() => expect(backend.asked).toHaveLength(3));
    expect(backend.asked[0]).toContain('"echoCancelling":true,"noiseSuppression":false,"automaticGain":true');
    expect(backend.asked[2]).toContain('"echoCancelling":false,"noiseSuppression":false,"automaticGain":false');
  });
});

describe("talking while muted", () => {
  it("is told, over the pauses of speech, until the microphone is open", async () => {
    const backend = await open(muted);
    expect(screen.getByTestId("muted-hint").textContent).toContain("You are muted.");
    backend.show(withMe(muted, { talksWhileMuted: false }));
    await waitFor(() => expect(screen.getByTestId("muted-hint")).toBeTruthy());
    await fireEvent.click(screen.getByText("Unmute", { selector: ".hint button" }));
    expect(backend.asked).toEqual(["setMuted false"]);
    backend.show(withMe(muted, { muted: false, talksWhileMuted: false }));
    await waitFor(() => expect(screen.queryByTestId("muted-hint")).toBeNull());
  });

  it("is said once", () => {
    const quiet = withMe(muted, { talksWhileMuted: false });
    expect(announce(quiet, muted)).toEqual(["You are muted: nobody hears what you say."]);
    expect(announce(muted, muted)).toEqual([]);
  });

  it("another camera is said, and one that comes on only once", () => {
    const other = withMe(recorded.active, { cameraInUse: { name: "Desk camera", problem: null } });
    expect(announce(recorded.active, other)).toEqual(["Desk camera is in use."]);
    const off = withMe(recorded.active, { camera: false, cameraInUse: { name: "", problem: null } });
    const opening = withMe(off, { camera: true });
    expect(announce(off, opening)).toEqual(["Your camera is on."]);
    expect(announce(opening, recorded.active)).toEqual([]);
  });

  it("a device that is back is said", () => {
    const gone = withMe(recorded.active, { microphone: { name: "Built-in", problem: "Gone." } });
    expect(announce(gone, recorded.active)).toEqual(["Headset is in use."]);
    expect(announce(recorded.active, gone)).toEqual([]);
  });
});

describe("push to talk", () => {
  const space = (target: Element): Promise<boolean> => fireEvent.keyDown(target, { key: " " });
  const released = (): Promise<boolean> => fireEvent.keyUp(document.body, { key: " " });

  it("opens the microphone while space is held, if the setting is on", async () => {
    const backend = await open(withMe(recorded.active, { muted: true }));
    await space(document.body);
    await released();
    await waitFor(() => expect(backend.asked).toEqual(["setMuted false", "setMuted true"]));
    await dialog();
    await fireEvent.click(screen.getByTestId("push-to-talk"));
    await fireEvent.click(screen.getByTestId("close-devices"));
    await waitFor(() => expect(screen.queryByTestId("close-devices")).toBeNull());
    await space(document.body);
    expect(backend.asked.filter((asked) => asked.startsWith("setMuted"))).toHaveLength(2);
  });

  it("never fires in a field, nor beside a dialog", async () => {
    const backend = await open(withMe(recorded.host, { muted: true }));
    await space(screen.getByTestId("link-text"));
    await dialog();
    await space(document.body);
    await space(screen.getByTestId("close-devices"));
    expect(backend.asked).toEqual([]);
  });

  it("is over when the window loses the keyboard, and in the order of the keys", async () => {
    const backend = await open(withMe(recorded.active, { muted: true }));
    const opened: (() => void)[] = [];
    const note = backend.setMuted;
    backend.setMuted = async (on) => {
      await note(on);
      await new Promise<void>((resolve) => opened.push(resolve));
    };
    await space(document.body);
    await fireEvent.blur(window);
    expect(backend.asked).toEqual(["setMuted false"]);
    await waitFor(() => expect(opened).toHaveLength(1));
    opened[0]?.();
    await waitFor(() => expect(backend.asked).toEqual(["setMuted false", "setMuted true"]));
  });
});
