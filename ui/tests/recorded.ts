/** Snapshots as the Rust side writes them; its own test holds them to its types. */
import type { MeetingView } from "../src/backend/view";
import active from "./snapshots/active.json";
import host from "./snapshots/host.json";
import left from "./snapshots/left.json";
import lobby from "./snapshots/lobby.json";
import recovering from "./snapshots/recovering.json";
import waiting from "./snapshots/waiting.json";

export const recorded = { active, host, left, lobby, recovering, waiting } as Record<
  "active" | "host" | "left" | "lobby" | "recovering" | "waiting",
  MeetingView
>;
