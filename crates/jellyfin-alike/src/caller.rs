//! The sender of an authenticated request.

use crate::consumer::{Consumer, Holder};
use crate::settings::{Policy, User};

/// The authenticated sender of a request.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The token or API key.
    pub(crate) token: String,
    /// `None` for an API key.
    pub(crate) user: Option<User>,
    /// The app's name; with the device id it makes the session's key.
    pub(crate) client: String,
    pub(crate) device_id: String,
    /// `User-Agent` of the request; empty if it has none.
    pub(crate) user_agent: String,
}

impl Caller {
    /// The session's key (`SessionManager.GetSessionKey`).
    pub(crate) fn session(&self) -> String {
        format!("{}{}", self.client, self.device_id)
    }

    /// The consumer that this request opens or gives back.
    pub(crate) fn consumer(&self, play_session: &str) -> Consumer {
        let (client, device, user_agent) =
            (self.client.clone(), self.device_id.clone(), self.user_agent.clone());
        let holder = Holder::Session { client, device, user_agent };
        Consumer { holder, play_session: play_session.to_owned() }
    }

    /// The user's rights; an API key has all of them.
    pub(crate) fn policy(&self) -> Policy {
        self.user.as_ref().map_or_else(Policy::default, |user| user.policy)
    }
}
