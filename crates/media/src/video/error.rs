//! Why a capture did not start, stopped, or does less than it should.

use std::path::PathBuf;

/// A capture that could not start, that ended by itself, or that does less than it should. Every message says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VideoError {
    /// The machine has no camera.
    #[error("No camera was found on this computer. Connect one, or go on without.")]
    NoCamera,
    /// The named camera is not there.
    #[error("The camera “{id}” was not found. Check that it is connected, or choose another one.")]
    UnknownCamera {
        /// The id that was asked for.
        id: String,
    },
    /// The camera is there but gives no picture.
    #[error(
        "The camera “{name}” gives no picture: {reason}. Close other programs that use it, connect it again, \
         or choose another one."
    )]
    CameraFailed {
        /// The camera's name.
        name: String,
        /// What the system said.
        reason: String,
    },
    /// The file cannot be played as a picture.
    #[error(
        "The file {path} cannot be shown as a picture: {reason}. Choose a film or picture that \
         gst-play-1.0 can play."
    )]
    FileFailed {
        /// The file that was asked for.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No picture came in time.
    #[error(
        "{source_name} has given no picture for {seconds} seconds. Connect it again, or choose \
         another one."
    )]
    Silent {
        /// What was being read.
        source_name: String,
        /// How long nothing came.
        seconds: u64,
    },
    /// The computer is too slow.
    #[error(
        "This computer is too busy for your whole picture: fewer and smaller pictures are sent, so that \
         sound stays whole. Close other programs to get them back."
    )]
    Strained,
    /// There is no screen to share.
    #[error(
        "No screen was found that can be shared: this program runs in no graphical session. Start it \
         from one, where DISPLAY or WAYLAND_DISPLAY is set."
    )]
    NoScreen,
    /// A Wayland session without the service that shares screens.
    #[error(
        "This desktop offers no way to share the screen. Install the package xdg-desktop-portal and \
         the one for your desktop (such as xdg-desktop-portal-gnome or -kde), and log in again."
    )]
    NoPortal,
    /// The named screen or window is not there.
    #[error("“{id}” is no screen or window here. It may have been closed; choose another one.")]
    UnknownScreen {
        /// The id that was asked for.
        id: String,
    },
    /// A screen or window cannot be read, or not any more.
    #[error("“{name}” is not shared: {reason}. Share it again, or choose something else.")]
    ScreenFailed {
        /// What was shared.
        name: String,
        /// What happened.
        reason: String,
    },
    /// The person, or the system, said no.
    #[error(
        "Nothing is shared: nothing was chosen, or the system does not allow it. Share again and \
         choose, or allow this program to record the screen in the system's settings."
    )]
    ScreenRefused,
    /// All pictures of a share are black.
    #[error(
        "“{name}” is all black for the others. If it is not black here, allow this program to record \
         the screen in the system's settings, or share something else."
    )]
    ScreenBlack {
        /// What is shared.
        name: String,
    },
    /// A shared window shows nothing.
    #[error(
        "“{name}” shows nothing now: it may be minimised. The others see its last picture until it \
         is back."
    )]
    ScreenHidden {
        /// What is shared.
        name: String,
    },
    /// A part of GStreamer is not installed.
    #[error(
        "The GStreamer element “{element}” is missing. Install the package {package} and start again."
    )]
    MissingElement {
        /// The element that could not be made.
        element: String,
        /// The Debian package that brings it.
        package: &'static str,
    },
    /// GStreamer itself does not start.
    #[error(
        "GStreamer does not start: {reason}. Reinstall the package libgstreamer1.0-0 and start again."
    )]
    Runtime {
        /// What GStreamer said.
        reason: String,
    },
    /// GStreamer failed at its own work: not the source's fault.
    #[error(
        "GStreamer could not process the picture: {reason}. Check that the packages gstreamer1.0-plugins-base \
         and gstreamer1.0-plugins-good are whole, and start again."
    )]
    Pipeline {
        /// What GStreamer said.
        reason: String,
    },
}
