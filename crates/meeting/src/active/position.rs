//! Where this device stands in the service's log, which counts every commit: those that all refused
//! too, so that its epochs are not those of the group.

/// Where a newcomer enters the log.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// The log's epoch that his admission begins.
    pub(crate) epoch: u64,
    /// The first entry that is his to read.
    pub(crate) next_seq: u64,
}

pub(super) struct Position {
    /// The next entry that is ours to read.
    pub(super) next_seq: u64,
    /// Up to where the log reached when we attached, with the epoch that it had there: nothing is
    /// offered before it is read.
    pub(super) read_until: (u64, u64),
    /// The epoch that the log has reached.
    pub(super) log_epoch: u64,
    /// The log's epoch in which the group's present epoch began; its token proves membership there.
    pub(super) begun_at: u64,
    /// Other epochs of the log in which others may have begun it; see
    /// [`Proof::Otherwise`](super::standing::Proof::Otherwise).
    pub(super) begun_otherwise: Vec<u64>,
    /// How often in a row the service has said that the log stands behind us.
    pub(super) looks: u32,
    /// The log's end was taken up in another epoch of the group than the others', perhaps: nobody
    /// has come along yet.
    pub(super) has_taken_up: bool,
}

impl Position {
    pub(super) fn at(place: Place) -> Self {
        Self {
            next_seq: place.next_seq,
            read_until: (0, 0),
            log_epoch: place.epoch,
            begun_at: place.epoch,
            begun_otherwise: Vec::new(),
            looks: 0,
            has_taken_up: false,
        }
    }

    /// Whether the log is read as far as the service said that it reaches.
    pub(super) fn has_read_all(&self) -> bool {
        self.next_seq >= self.read_until.0
    }

    /// Whether the log has not come to where this device stands.
    pub(super) fn is_off_log(&self) -> bool {
        let epoch = match self.has_read_all() {
            true => self.log_epoch,
            false => self.read_until.1,
        };
        epoch < self.begun_at
    }

    /// Whatever the entries said, the log has the epoch that the service counts.
    pub(super) fn note_read(&mut self) {
        let (until, epoch) = self.read_until;
        if self.next_seq == until {
            self.log_epoch = epoch;
        }
    }

    /// The log shows a commit that begins `epoch`. An old commit in a new place does not count back.
    pub(super) fn note_commit(&mut self, epoch: u64) {
        if epoch > self.begun_at || self.log_epoch.checked_add(1) == Some(epoch) {
            self.log_epoch = epoch;
        }
    }

    /// The group's next epoch begins where the log has come to.
    pub(super) fn begin_epoch(&mut self) {
        self.begun_at = self.log_epoch;
        self.begun_otherwise.clear();
    }

    /// The end of the log is taken for the place that this device has reached.
    pub(super) fn take_up_log(&mut self) {
        self.begun_at = self.log_epoch;
        self.has_taken_up = true;
    }
}
