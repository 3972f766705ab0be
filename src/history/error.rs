//! Why a history cannot be kept or read.

use std::io;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The file or its key cannot be read or written.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// SQLite says so.
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    /// Another version of the gateway has written it.
    #[error("a newer version of the gateway has written it (its version is {0})")]
    Newer(i64),
    /// Who read it has died.
    #[error("its reader has died")]
    Died,
}

impl HistoryError {
    /// Whether the file itself is damaged, or is none of SQLite's.
    pub(super) fn is_damage(&self) -> bool {
        match self {
            Self::Sqlite(error) => matches!(
                error.sqlite_error_code(),
                Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase)
            ),
            Self::Io(_) | Self::Newer(_) | Self::Died => false,
        }
    }
}
