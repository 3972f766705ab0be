//! Shows what is open at Jellyfin on the gateway's account.
//!
//! It does not know who opens and closes it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::admin::published::{Published, moment};
use crate::admin::views::Channel;
use crate::supervisor::Supervisor;
use crate::supervisor::open_at_server::WhyOpen;

/// Something that is open at Jellyfin.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct OpenAtServer {
    /// Its id here, which means nothing to Jellyfin.
    id: String,
    /// The channel; null where that is not known.
    channel: Option<Channel>,
    /// When it was opened (RFC 3339); null where an earlier process did it.
    since: Option<String>,
    /// `client`, `stream`, `input`, `opening` or `leftover`.
    reason: &'static str,
    /// The same in a sentence.
    why: &'static str,
}

/// All of it.
pub(super) fn all(supervisor: &Supervisor, published: &Published) -> Vec<OpenAtServer> {
    let open = supervisor.open_at_server().into_iter().map(|open| OpenAtServer {
        id: open.id,
        channel: open.item.map(|item| published.channel(&item)),
        since: open.since.map(moment),
        reason: open.why.as_str(),
        why: sentence(open.why),
    });
    open.collect()
}

const fn sentence(why: WhyOpen) -> &'static str {
    match why {
        WhyOpen::Client => {
            "a client has opened it; it is closed in the client's name once the client has gone"
        }
        WhyOpen::Stream => "Jellyfin encodes a stream that the gateway gives to its viewers",
        WhyOpen::Input => "the gateway pulls the channel",
        WhyOpen::Opening => "the gateway is opening it, or has just asked for it",
        WhyOpen::Leftover => "it could not be closed, or an earlier process left it; it is tried again",
    }
}
