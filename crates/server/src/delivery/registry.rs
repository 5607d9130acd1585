//! Which meetings are open, and which have ended.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use conclave_wire::{ErrorCode, MeetingId};

use super::service::Room;
use crate::limits::Limits;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Registry {
    open: HashMap<MeetingId, Arc<Room>>,
    ended: HashSet<MeetingId>,
    /// `ended` in order, to forget the oldest first.
    ended_order: VecDeque<MeetingId>,
}

impl Registry {
    /// How many meetings are open.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// The open meetings.
    pub(super) fn rooms(&self) -> Vec<Arc<Room>> {
        self.open.values().cloned().collect()
    }

    /// The meeting, if it is open.
    ///
    /// # Errors
    /// [`ErrorCode::MeetingOver`]; [`ErrorCode::NoSuchMeeting`].
    pub(super) fn find(&self, id: MeetingId) -> Result<Arc<Room>, ErrorCode> {
        match self.open.get(&id) {
            Some(room) => Ok(room.clone()),
            None if self.ended.contains(&id) => Err(ErrorCode::MeetingOver),
            None => Err(ErrorCode::NoSuchMeeting),
        }
    }

    /// Adds a meeting.
    ///
    /// # Errors
    /// [`ErrorCode::MeetingExists`]; [`ErrorCode::MeetingOver`]; [`ErrorCode::Full`].
    pub(super) fn insert(
        &mut self,
        id: MeetingId,
        room: Arc<Room>,
        limits: &Limits,
    ) -> Result<(), ErrorCode> {
        if self.open.contains_key(&id) {
            return Err(ErrorCode::MeetingExists);
        }
        if self.ended.contains(&id) {
            return Err(ErrorCode::MeetingOver);
        }
        if self.open.len() >= limits.meetings {
            return Err(ErrorCode::Full);
        }
        self.open.insert(id, room);
        Ok(())
    }

    /// Takes a meeting away; remembers it, if its time was over, among the latest `remember`.
    pub(super) fn remove(&mut self, id: MeetingId, why: ErrorCode, remember: usize) {
        self.open.remove(&id);
        if why != ErrorCode::MeetingOver || !self.ended.insert(id) {
            return;
        }
        self.ended_order.push_back(id);
        while self.ended_order.len() > remember {
            if let Some(oldest) = self.ended_order.pop_front() {
                self.ended.remove(&oldest);
            }
        }
    }
}
