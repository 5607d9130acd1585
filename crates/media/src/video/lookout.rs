//! Raw pictures for somebody who looks for something in them, beside the encoders.
//!
//! ```text
//! tee → valve → queue (1, leaky) → appsink → Glance
//! ```
//! The valve is open while somebody looks; otherwise this costs nothing. A picture is copied when
//! the one before was taken, so whoever is slow sees fewer of them and no old ones.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use tokio::sync::mpsc;

use super::elements::{chain, exit, latest, make, refused};
use super::error::VideoError;
use super::glance::Glance;

/// Who looks, if anybody.
type Looker = Arc<Mutex<Option<mpsc::Sender<Glance>>>>;

pub(super) struct Lookout {
    valve: gst::Element,
    looker: Looker,
}

impl Lookout {
    /// Builds the chain, shut, and hangs it on `tee`.
    pub(super) fn attach(pipeline: &gst::Pipeline, tee: &gst::Element) -> Result<Self, VideoError> {
        let valve = make("valve")?;
        valve.set_property("drop", true);
        let queue = latest()?;
        let sink = exit()?;
        let lookout = Self {
            valve,
            looker: Looker::default(),
        };
        lookout.deliver(&sink);
        chain(pipeline, &[&lookout.valve, &queue, sink.upcast_ref()])?;
        tee.link(&lookout.valve).map_err(|error| refused(&error))?;
        Ok(lookout)
    }

    /// Pictures from now on, until the receiver is dropped or somebody else looks.
    pub(super) fn look(&self) -> mpsc::Receiver<Glance> {
        let (sender, receiver) = mpsc::channel(1);
        self.show_to(sender);
        receiver
    }

    /// The same for somebody who looked elsewhere before.
    pub(super) fn show_to(&self, sender: mpsc::Sender<Glance>) {
        let mut looker = lock(&self.looker);
        *looker = Some(sender);
        self.valve.set_property("drop", false);
    }

    /// Takes whoever looks away from here. The valve shuts too.
    pub(super) fn take(&self) -> Option<mpsc::Sender<Glance>> {
        let mut looker = lock(&self.looker);
        self.valve.set_property("drop", true);
        looker.take()
    }

    fn deliver(&self, sink: &gst_app::AppSink) {
        let looker = Arc::clone(&self.looker);
        let valve = self.valve.downgrade();
        let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            let mut looker = lock(&looker);
            let Some(sender) = looker.as_ref() else {
                return Ok(gst::FlowSuccess::Ok);
            };
            if sender.is_closed() {
                *looker = None;
                // Still under the lock: who looks at this moment opens it after that.
                if let Some(valve) = valve.upgrade() {
                    valve.set_property("drop", true);
                }
                return Ok(gst::FlowSuccess::Ok);
            }
            if let (Ok(room), Some(glance)) = (sender.try_reserve(), Glance::of_sample(&sample)) {
                room.send(glance);
            }
            Ok(gst::FlowSuccess::Ok)
        });
        sink.set_callbacks(callbacks.build());
    }
}

fn lock(looker: &Looker) -> MutexGuard<'_, Option<mpsc::Sender<Glance>>> {
    looker.lock().unwrap_or_else(PoisonError::into_inner)
}
