//! Why a live playlist is not served from a stream of the gateway's, in one spelling each.
//!
//! It does not know what the server answers instead.

use crate::proxy::route::BypassReason;
use domain::clients::Mode;
use domain::profile::Unshareable;
use domain::reason::RefuseReason;

/// The reason why a live playlist is not served from a stream of the gateway's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Miss {
    /// The request names no stream that can be shared.
    Bypassed(BypassReason),
    /// Its parameters ask for a stream that only this client can use.
    Unshareable(Unshareable),
    /// The server was not seen to open this live stream for this channel: sharing could show one channel in place of the other.
    Unpaired,
    /// The request carries no token.
    NoToken,
    /// The server refuses its token.
    Denied,
    /// The server could not be asked about its token.
    AuthUnknown,
    /// Its user may not have video or audio transcoded, which the server would not enforce for the gateway's own credential.
    Restricted,
    /// The pool refuses it.
    Refused(RefuseReason),
    /// The stream had no segment in time.
    ColdTimeout,
    /// The stream failed to start.
    ColdFailure,
    /// A bug in the gateway ended it.
    Panicked,
}

impl Miss {
    /// The one spelling of this reason.
    #[must_use]
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Bypassed(reason) => reason.as_str(),
            Self::Unshareable(reason) => reason.as_str(),
            Self::Unpaired => "unpaired",
            Self::NoToken => "no-token",
            Self::Denied => "denied",
            Self::AuthUnknown => "auth-unknown",
            Self::Restricted => "restricted",
            Self::Refused(reason) => reason.as_str(),
            Self::ColdTimeout => "cold-timeout",
            Self::ColdFailure => "cold-failure",
            Self::Panicked => "panicked",
        }
    }

    /// Whether the viewer itself wants the server's answer.
    pub(super) const fn is_wished(self) -> bool {
        matches!(self, Self::Refused(RefuseReason::BypassWished | RefuseReason::NotFresh))
    }

    /// Whether the operator does not want the viewer to be answered by anybody.
    pub(super) const fn is_forbidden(self) -> bool {
        matches!(self, Self::Refused(RefuseReason::SentAway))
    }

    /// Whether nobody answers a viewer that tunes in this mode: for one that wants nothing to be started, the server starts nothing
    /// either. Who plays the server's stream already goes on with it.
    pub(super) const fn is_final(self, mode: Mode) -> bool {
        match (self, mode) {
            (Self::Refused(RefuseReason::StaysPlain), _) | (_, Mode::Auto | Mode::Bypass | Mode::Fresh) => {
                false
            }
            (_, Mode::WarmOnly) => true,
        }
    }

    /// Whether the same request may be a hit a moment later, while the viewer already plays the server's stream.
    pub(super) const fn may_become_a_hit(self) -> bool {
        match self {
            Self::Unpaired
            | Self::Denied
            | Self::AuthUnknown
            | Self::Restricted
            | Self::Refused(_)
            | Self::ColdTimeout
            | Self::ColdFailure
            | Self::Panicked => true,
            Self::Bypassed(_) | Self::Unshareable(_) | Self::NoToken => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wants_nothing_started_is_answered_by_nobody_else() {
        for miss in
            [Miss::ColdFailure, Miss::Refused(RefuseReason::NotWarm), Miss::Refused(RefuseReason::PoolFull)]
        {
            assert!(miss.is_final(Mode::WarmOnly), "{miss:?}");
            for mode in [Mode::Auto, Mode::Bypass, Mode::Fresh] {
                assert!(!miss.is_final(mode), "{miss:?} {mode:?}");
            }
        }
        assert!(!Miss::Refused(RefuseReason::StaysPlain).is_final(Mode::WarmOnly), "it plays");
    }
}
