//! The container of a stream's segments: what their files are called, and what they are served as.
//!
//! Another container begins here, with a variant; the compiler then names every place that has to know it.

use std::fmt::Display;

/// A container of segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// An MPEG transport stream.
    MpegTs,
}

impl Container {
    /// Every container.
    const ALL: [Self; 1] = [Self::MpegTs];

    /// The extension of its files, as Jellyfin's `SegmentContainer` spells it.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::MpegTs => "ts",
        }
    }

    /// The `Content-Type` of a segment (RFC 8216bis, section 3.1).
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::MpegTs => "video/mp2t",
        }
    }

    /// The name of the file `stem` in this container.
    #[must_use]
    pub fn file(self, stem: impl Display) -> String {
        format!("{stem}.{}", self.extension())
    }

    /// The stem and the container of the file called `name`; `None` if its extension is of no container.
    #[must_use]
    pub fn split(name: &str) -> Option<(&str, Self)> {
        let stem = |container: &Self| name.strip_suffix(container.extension())?.strip_suffix('.');
        Self::ALL.iter().find_map(|container| Some((stem(container)?, *container)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_container() {
        for container in Container::ALL {
            assert_eq!(Container::split(&container.file(7)), Some(("7", container)));
        }
        for name in ["7", "7ts", "7.TS", "7.mp4", ""] {
            assert_eq!(Container::split(name), None, "{name}");
        }
    }
}
