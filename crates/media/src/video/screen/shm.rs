//! Pictures of an X server by shared memory, without mapping it: the server writes into a file in
//! memory, and this program reads that file.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use rustix::fs::{MemfdFlags, memfd_create};
use x11rb::connection::{Connection, RequestConnection};
use x11rb::protocol::shm::{self, ConnectionExt as _};
use x11rb::protocol::xproto::ImageFormat;
use x11rb::rust_connection::{ReplyError, RustConnection};

use super::grab::Place;

/// Memory that this program and the X server share.
pub(super) struct SharedMemory {
    file: File,
    segment: shm::Seg,
    len: usize,
}

impl SharedMemory {
    /// `None` where the server cannot: it runs on another computer, or is too old (before MIT-SHM
    /// 1.2).
    pub(super) fn attach(connection: &RustConnection, len: usize) -> Option<Self> {
        connection
            .extension_information(shm::X11_EXTENSION_NAME)
            .ok()??;
        let version = connection.shm_query_version().ok()?.reply().ok()?;
        if (version.major_version, version.minor_version) < (1, 2) {
            return None;
        }
        let memory = memfd_create("conclave-screen", MemfdFlags::CLOEXEC).ok()?;
        let file = File::from(memory);
        file.set_len(len as u64).ok()?;
        let theirs: OwnedFd = file.try_clone().ok()?.into();
        let segment = connection.generate_id().ok()?;
        let attached = connection.shm_attach_fd(segment, theirs, false).ok()?;
        attached.check().ok()?;
        Some(Self { file, segment, len })
    }

    /// Whether a picture of so many bytes has room.
    pub(super) fn holds(&self, len: usize) -> bool {
        len <= self.len
    }

    /// Lets the server write a picture, and reads it into `out`.
    pub(super) fn take(
        &self,
        connection: &RustConnection,
        place: Place,
        out: &mut [u8],
    ) -> Result<(), ReplyError> {
        connection
            .shm_get_image(
                place.drawable,
                place.x,
                place.y,
                place.width,
                place.height,
                !0,
                ImageFormat::Z_PIXMAP.into(),
                self.segment,
                0,
            )?
            .reply()?;
        let read = self.file.read_exact_at(out, 0);
        read.map_err(|error| ReplyError::ConnectionError(error.into()))
    }

    pub(super) fn detach(self, connection: &RustConnection) {
        if let Err(error) = connection.shm_detach(self.segment) {
            tracing::debug!(%error, "shared memory goes with the connection");
        }
    }
}
