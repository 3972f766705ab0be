//! What an opening of a client's can be given back with.
//!
//! It does not know the opening.

use serde::{Deserialize, Serialize};

use crate::upstream::jellyfin::Login;
use domain::key::ItemId;

/// The address and the credential with which an opening can be given back.
#[derive(Debug, Serialize, Deserialize)]
pub struct Opener {
    /// The client's credential.
    pub login: Login,
    /// The user of that credential, if known.
    pub user: Option<String>,
    /// The path prefix before the server's own paths (its base URL).
    pub prefix: String,
    /// The channel's item, if known.
    pub item: Option<ItemId>,
}
