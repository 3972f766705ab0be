//! Which inputs are closed when a member goes for good, when the gateway ends, or when another process takes its place.

use crate::inputs::{InputKey, Inputs, Member};
use crate::reason::CloseReason;

impl Inputs {
    /// Removes every member that is not a stream.
    pub fn drain(&mut self) {
        self.dismiss(CloseReason::Shutdown, |_, _, member| !member.is_stream());
    }

    /// Removes every member that reads nothing at present and is not a stream.
    pub fn drain_absent(&mut self) {
        self.dismiss(CloseReason::Shutdown, |_, _, member| member.is_absent());
    }

    /// Removes a member, and closes its input for `reason` if no other is left.
    pub fn dismiss_member(&mut self, gone: Member, reason: CloseReason) {
        self.dismiss(reason, |_, _, member| member == gone);
    }

    /// Closes every input that is pulled from a provider, for `reason`, but for those that clients read as they are.
    pub fn close_pulled(&mut self, reason: CloseReason) {
        let pulled = self.iter().filter(|(_, input)| match input.key {
            InputKey::Lineup(_) => !input.members.keys().any(|member| matches!(member, Member::Reader(_))),
            InputKey::Tap(_) => false,
        });
        let pulled: Vec<_> = pulled.map(|(id, _)| id).collect();
        self.dismiss(reason, |id, _, _| pulled.contains(&id));
    }
}
