/** Icons that show a state: crossed out when the thing is off. */
import DiamondPlus from "@lucide/svelte/icons/diamond-plus";
import Mic from "@lucide/svelte/icons/mic";
import MicOff from "@lucide/svelte/icons/mic-off";
import Monitor from "@lucide/svelte/icons/monitor";
import OctagonAlert from "@lucide/svelte/icons/octagon-alert";
import ShieldCheck from "@lucide/svelte/icons/shield-check";
import UserRoundCheck from "@lucide/svelte/icons/user-round-check";
import Video from "@lucide/svelte/icons/video";
import VideoOff from "@lucide/svelte/icons/video-off";
import type { Component } from "svelte";
import type { Trust } from "../backend/view";

export type Icon = Component<{ size?: number; "aria-hidden"?: "true" }>;

export const micIcon = (muted: boolean): Icon => (muted ? MicOff : Mic) as Icon;
export const cameraIcon = (on: boolean): Icon => (on ? Video : VideoOff) as Icon;

/** One shape for each: a mark is told apart without its colour. */
const TRUST: Record<Trust, Icon> = {
  me: Monitor as Icon,
  new: DiamondPlus as Icon,
  known: UserRoundCheck as Icon,
  verified: ShieldCheck as Icon,
  changed: OctagonAlert as Icon,
};
export const trustIcon = (trust: Trust): Icon => TRUST[trust];
