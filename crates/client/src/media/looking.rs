//! Looking for something in the camera's pictures, which stay on this computer.

use conclave_media::video::{CameraSource, Glance};
use tokio::sync::{mpsc, oneshot};

use super::plane::MediaPlane;
use super::publishing::Order;
use crate::error::ClientError;

/// The pictures, once the camera is open; it may have to be opened for that, which takes seconds.
pub(crate) type Looking = oneshot::Receiver<Result<mpsc::Receiver<Glance>, ClientError>>;

impl MediaPlane {
    /// Begins to look, through `chosen` where there is no camera yet, until [`Self::end_look`].
    pub(crate) async fn look(&self, chosen: CameraSource) -> Looking {
        let (answer, pictures) = oneshot::channel();
        let _ = self.orders.send(Order::Look(chosen, answer)).await;
        pictures
    }

    /// Looks no more, and closes a camera that was opened for that alone.
    pub(crate) async fn end_look(&self) {
        let _ = self.orders.send(Order::EndLook).await;
    }
}
