//! What the person wants of a running client.

use conclave_wire::DeviceId;

use crate::options::Introduction;

/// Commands that wait; a person is slower than the driver.
pub(crate) const COMMAND_QUEUE: usize = 32;

pub(crate) enum Command {
    Enter(Introduction),
    Admit(DeviceId),
    Refuse(DeviceId),
    Remove(DeviceId),
    SetMuted(bool),
    SetCamera(bool),
    DismissWarning(u64),
    Leave,
}
