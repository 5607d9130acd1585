/** Icons that show a state: crossed out when the thing is off. */
import Mic from "@lucide/svelte/icons/mic";
import MicOff from "@lucide/svelte/icons/mic-off";
import Video from "@lucide/svelte/icons/video";
import VideoOff from "@lucide/svelte/icons/video-off";
import type { Component } from "svelte";

export type Icon = Component<{ size?: number; "aria-hidden"?: "true" }>;

export const micIcon = (muted: boolean): Icon => (muted ? MicOff : Mic) as Icon;
export const cameraIcon = (on: boolean): Icon => (on ? Video : VideoOff) as Icon;
