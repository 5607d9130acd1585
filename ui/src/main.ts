import "@fontsource-variable/inter";
import "@fontsource-variable/jetbrains-mono";
import "./styles/tokens.css";
import "./styles/base.css";
import { isTauri } from "@tauri-apps/api/core";
import { mount } from "svelte";
import App from "./App.svelte";
import type { Backend } from "./backend/backend";

/** Only development and the tests' own build (`--mode fake`) know the simulated people at all. */
async function chooseBackend(): Promise<Backend> {
  const simulates = import.meta.env.DEV || import.meta.env.MODE === "fake";
  if (simulates && !isTauri()) {
    return new (await import("./backend/fake")).FakeBackend(new URLSearchParams(location.search));
  }
  return new (await import("./backend/tauri")).TauriBackend();
}

const target = document.getElementById("app");
if (!target) throw new Error("index.html has no #app element.");
mount(App, { target, props: { backend: await chooseBackend() } });
