//! Scans that are under way while the meeting goes on.

use conclave_client::{CameraSource, Client, ClientError, DeviceId, ScanOutcome};
use tokio::task::JoinSet;

use crate::report::{tell_refusal, tell_scan};

/// Looks for codes, each with the order that asked for it. They end with this.
#[derive(Default)]
pub(crate) struct Scans(JoinSet<Scan>);

struct Scan {
    device: DeviceId,
    name: String,
    order: String,
    seen: Result<ScanOutcome, ClientError>,
}

impl Scans {
    pub(crate) async fn begin(
        &mut self,
        client: &Client,
        device: DeviceId,
        name: String,
        order: String,
    ) -> Result<(), ClientError> {
        // The camera of the flags, or none.
        let seen = client.scan(device, CameraSource::Off).await?;
        self.0.spawn(async move {
            Scan {
                device,
                name,
                order,
                seen: seen.await,
            }
        });
        Ok(())
    }

    /// Waits for the next one to end, and tells what came of it. Cancelling the future loses
    /// nothing. An error means that nobody reads any more.
    pub(crate) async fn next(&mut self, as_json: bool) -> std::io::Result<()> {
        let Some(Ok(scan)) = self.0.join_next().await else {
            return std::future::pending().await;
        };
        match scan.seen {
            Ok(outcome) => tell_scan(scan.device, &scan.name, outcome, as_json),
            // The meeting is over, which is told by itself.
            Err(ClientError::Over) => Ok(()),
            Err(error) => tell_refusal(&scan.order, &error.to_string(), as_json),
        }
    }
}
