//! Looking for somebody's safety number with the camera, and recording what came of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use conclave_identity::Identity;
use conclave_media::video::CameraSource;
use conclave_wire::DeviceId;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout_at};

use super::Driver;
use crate::error::ClientError;
use crate::media::Looking;
use crate::scan::{Judge, SCAN_LIMIT, ScanOutcome};
use crate::view::ViewTrust;

/// Between two pictures that are looked at: the meeting that goes on needs the cores more.
const PAUSE: Duration = Duration::from_millis(100);

type Seen = Result<ScanOutcome, ClientError>;

/// A scan that is under way.
pub(super) struct Scan {
    device: DeviceId,
    /// The key that is compared; somebody may come back with another one meanwhile.
    key: [u8; 32],
    answer: oneshot::Sender<Seen>,
    /// One task, which ends with this.
    task: JoinSet<Seen>,
}

/// What the present scan has seen; never, while there is none. Cancelling the future loses
/// nothing.
pub(super) async fn scanned(scan: &mut Option<Scan>) -> Seen {
    match scan {
        Some(scan) => match scan.task.join_next().await {
            Some(Ok(seen)) => seen,
            // Without a result the runtime is ending.
            _ => Err(ClientError::Over),
        },
        None => std::future::pending().await,
    }
}

impl Driver {
    /// Begins to look, in the place of a scan that may be under way.
    pub(super) async fn scan(
        &mut self,
        device: DeviceId,
        chosen: CameraSource,
        answer: oneshot::Sender<Seen>,
    ) {
        self.stop_scan().await;
        let Some((key, _)) = self.people.shown(device) else {
            let _ = answer.send(Err(ClientError::Unknown));
            return;
        };
        let pictures = self.media.look(chosen).await;
        let identity = self.people.identity().clone();
        let mut task = JoinSet::new();
        task.spawn(look(identity, key, pictures));
        self.scan = Some(Scan {
            device,
            key,
            answer,
            task,
        });
    }

    pub(super) async fn stop_scan(&mut self) {
        if let Some(scan) = self.scan.take() {
            drop(scan.task);
            self.media.end_look().await;
            let _ = scan.answer.send(Ok(ScanOutcome::Stopped));
        }
    }

    /// Records the outcome as if the number had been compared by eye, and then tells it.
    pub(super) async fn scanned(&mut self, seen: Seen) {
        let Some(scan) = self.scan.take() else {
            return;
        };
        self.media.end_look().await;
        let recorded = match seen {
            Ok(outcome) => self.record(scan.device, &scan.key, outcome).await,
            Err(error) => Err(error),
        };
        let _ = scan.answer.send(recorded);
    }

    async fn record(&mut self, device: DeviceId, key: &[u8; 32], outcome: ScanOutcome) -> Seen {
        let is_same = self
            .people
            .shown(device)
            .is_some_and(|(now, _)| now == *key);
        if !is_same {
            return Err(ClientError::Unknown);
        }
        let mark = self.people.mark(device).map(|mark| mark.trust);
        match outcome {
            ScanOutcome::Matches => self.set_verified(device, true).await?,
            // Nothing to take back from somebody who was not verified.
            ScanOutcome::Differs if mark == Some(ViewTrust::Verified) => {
                self.set_verified(device, false).await?;
            }
            _ => {}
        }
        Ok(outcome)
    }
}

/// Looks at one picture after the other until one decides or the time is over.
async fn look(identity: Arc<Identity>, key: [u8; 32], pictures: Looking) -> Seen {
    let over = |_| ClientError::Over;
    let number = tokio::task::spawn_blocking(move || identity.safety_number(&key));
    let mut judge = Judge::new(number.await.map_err(over)?);
    let mut pictures = pictures.await.map_err(|_| ClientError::Over)??;
    let deadline = tokio::time::Instant::now() + SCAN_LIMIT;
    loop {
        let picture = match timeout_at(deadline, pictures.recv()).await {
            Ok(Some(picture)) => picture,
            Ok(None) => return Err(ClientError::CameraStopped),
            Err(_) => return Ok(judge.at_last()),
        };
        let codes = tokio::task::spawn_blocking(move || picture.codes());
        let codes = codes.await.map_err(over)?;
        if let Some(outcome) = judge.judge(&codes, Instant::now()) {
            return Ok(outcome);
        }
        // A picture that waits already is taken whatever the time is.
        if tokio::time::Instant::now() >= deadline {
            return Ok(judge.at_last());
        }
        sleep(PAUSE).await;
    }
}
