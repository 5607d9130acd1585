//! Wayland: the portal asks the person what to share and gives a PipeWire stream of it.
//!
//! Written after ashpd 0.13 and the portal's documentation; not run yet, as no test machine has a
//! Wayland session.

use std::os::fd::{AsRawFd, OwnedFd};

use ashpd::desktop::Session;
use ashpd::desktop::screencast::{
    CursorMode, Screencast, SelectSourcesOptions, SourceType, Stream,
};
use async_io::block_on;
use gstreamer::prelude::*;

use super::super::elements::make;
use super::super::error::VideoError;
use super::super::feed::Outside;
use super::super::pace::limit_rate;
use super::{Opened, ScreenInfo, ShareMode, System, source};

/// A screen that does not change gives no frames; the last one again after so many milliseconds
/// tells it from one that is gone.
const REPEAT_MS: i32 = 1000;

pub(super) struct Portal;

impl System for Portal {
    /// Which screens and windows there are is the portal's secret; its dialog shows them.
    fn list(&self) -> Result<Vec<ScreenInfo>, VideoError> {
        Ok(vec![ScreenInfo {
            id: source::PORTAL.into(),
            name: "Choose in the system's dialog".into(),
            is_window: false,
        }])
    }

    fn open(&self, _id: &str, mode: ShareMode) -> Result<Opened, VideoError> {
        let granted = block_on(ask()).map_err(refused)?;
        let name = match granted.stream.source_type() {
            Some(SourceType::Window) => "The chosen window",
            _ => "The chosen screen",
        };
        let capture = make("pipewiresrc")?;
        capture.set_property("fd", granted.remote.as_raw_fd());
        capture.set_property("path", granted.stream.pipe_wire_node_id().to_string());
        capture.set_property("do-timestamp", true);
        capture.set_property("always-copy", true);
        capture.set_property("keepalive-time", REPEAT_MS);
        let scaler = make("videoconvertscale")?;
        if let Some(pad) = scaler.static_pad("sink") {
            limit_rate(&pad, mode.fps());
        }
        Ok(Opened {
            elements: vec![capture, scaler],
            name: name.into(),
            outside: Some(Box::new(granted)),
        })
    }
}

/// What the person granted. The portal takes it back when this is dropped.
struct Granted {
    session: Session<Screencast>,
    remote: OwnedFd,
    stream: Stream,
}

impl Outside for Granted {
    fn begin(&mut self) -> Result<(), VideoError> {
        Ok(())
    }
}

impl Drop for Granted {
    fn drop(&mut self) {
        if let Err(error) = block_on(self.session.close()) {
            tracing::debug!(%error, "the portal's session had ended");
        }
    }
}

/// Shows the system's dialog and waits until the person has chosen.
async fn ask() -> ashpd::Result<Granted> {
    let portal = Screencast::new().await?;
    let session = portal.create_session(Default::default()).await?;
    let wanted = SelectSourcesOptions::default()
        .set_sources(SourceType::Monitor | SourceType::Window)
        .set_cursor_mode(CursorMode::Embedded)
        .set_multiple(false);
    portal.select_sources(&session, wanted).await?.response()?;
    let started = portal.start(&session, None, Default::default()).await?;
    let stream = started.response()?.streams().first().cloned();
    let stream = stream.ok_or(ashpd::Error::NoResponse)?;
    let remote = portal
        .open_pipe_wire_remote(&session, Default::default())
        .await?;
    Ok(Granted {
        session,
        remote,
        stream,
    })
}

fn refused(error: ashpd::Error) -> VideoError {
    match error {
        ashpd::Error::Response(_) => VideoError::ScreenRefused,
        ashpd::Error::PortalNotFound(_) => VideoError::NoPortal,
        error => VideoError::ScreenFailed {
            name: "The screen".into(),
            reason: error.to_string().trim_end_matches('.').to_owned(),
        },
    }
}
