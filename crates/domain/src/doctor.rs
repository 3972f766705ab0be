//! Finds what is wrong with the gateway's surroundings, or could be better, and says what to do about it.
//!
//! It looks at facts that were gathered elsewhere, and does not know how.

/// What is known of the gateway's surroundings. What is not known is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The server's version; `None` if it does not answer.
    pub version: Option<String>,
    /// Whether the gateway has a credential of its own.
    pub has_key: bool,
    /// Whether the server accepts it.
    pub is_key_accepted: Option<bool>,
    /// The proxies that the server believes.
    pub known_proxies: Option<Vec<String>>,
    /// The tuners of the server.
    pub tuners: Option<u32>,
    /// The most streams that run at once.
    pub slots: usize,
    /// Whether FFmpeg can encode video; `None` where it is not used, or is being tried still.
    pub encodes: Option<bool>,
    /// Bytes that are left on the disk of the spool.
    pub disk_left: Option<u64>,
    /// Bytes that the spool may use; 0 if it is not used.
    pub spool: u64,
}

/// Something to act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// The server does not answer.
    ServerAway,
    /// The server does not accept the key.
    KeyRefused,
    /// There is no key.
    NoKey,
    /// The server does not know the gateway as a proxy.
    UnknownProxy,
    /// There are fewer slots than tuners.
    FewSlots,
    /// FFmpeg cannot encode.
    NoEncoder,
    /// The disk is smaller than the spool may grow.
    SmallDisk,
}

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something does not work.
    Problem,
    /// Something works less well than it could.
    Advice,
}

impl Severity {
    /// The one spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Problem => "problem",
            Self::Advice => "advice",
        }
    }
}

impl Finding {
    /// The one spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ServerAway => "server-away",
            Self::KeyRefused => "key-refused",
            Self::NoKey => "no-key",
            Self::UnknownProxy => "unknown-proxy",
            Self::FewSlots => "few-slots",
            Self::NoEncoder => "no-encoder",
            Self::SmallDisk => "small-disk",
        }
    }

    /// How much it matters.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::ServerAway | Self::KeyRefused => Severity::Problem,
            Self::NoKey | Self::UnknownProxy | Self::FewSlots | Self::NoEncoder | Self::SmallDisk => {
                Severity::Advice
            }
        }
    }

    /// What it is, in a sentence.
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Self::ServerAway => "Jellyfin does not answer",
            Self::KeyRefused => "Jellyfin does not accept upstream.api_key",
            Self::NoKey => {
                "There is no API key, so the gateway acts with its viewers' credentials: nobody is told why all tuners are \
                 taken, and what is open when the last viewer logs out may stay open"
            }
            Self::UnknownProxy => {
                "Jellyfin knows no proxy, so it takes the gateway for the client of all requests: it sees no remote viewer"
            }
            Self::FewSlots => {
                "There are more tuners than pool.slots: not every channel that is open can be kept warm"
            }
            Self::NoEncoder => {
                "FFmpeg cannot encode video here: what has to be encoded is left to Jellyfin, and starts as slowly as there"
            }
            Self::SmallDisk => {
                "The disk of rewind.dir has less room than rewind.budget: viewers can go back less far"
            }
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn cure(self) -> &'static str {
        match self {
            Self::ServerAway => "Check upstream.url, and whether Jellyfin runs",
            Self::KeyRefused => "Make a new one in Jellyfin's dashboard under API keys",
            Self::NoKey => {
                "Make one in Jellyfin's dashboard under API keys, and write it into upstream.api_key"
            }
            Self::UnknownProxy => {
                "Add the gateway's address in Jellyfin's dashboard under Networking, Known proxies"
            }
            Self::FewSlots => "Raise pool.slots to the number of tuners",
            Self::NoEncoder => "Install FFmpeg with libx264, or set ffmpeg.path",
            Self::SmallDisk => "Lower rewind.budget, or set rewind.dir to a larger disk",
        }
    }
}

/// What there is to do about, the most important first.
#[must_use]
pub fn examine(found: &Surroundings) -> Vec<Finding> {
    let tuners = found.tuners.map_or(0, |tuners| tuners as usize);
    let mut findings: Vec<_> = [
        (Finding::ServerAway, found.version.is_none()),
        (Finding::KeyRefused, found.is_key_accepted == Some(false)),
        (Finding::NoKey, !found.has_key),
        (Finding::UnknownProxy, found.known_proxies.as_ref().is_some_and(Vec::is_empty)),
        (Finding::FewSlots, found.slots < tuners),
        (Finding::NoEncoder, found.encodes == Some(false)),
        (Finding::SmallDisk, found.disk_left.is_some_and(|left| left < found.spool)),
    ]
    .into_iter()
    .filter_map(|(finding, holds)| holds.then_some(finding))
    .collect();
    findings.sort_by_key(|finding| (finding.severity(), *finding));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fine() -> Surroundings {
        Surroundings {
            version: Some("10.11.3".to_owned()),
            has_key: true,
            is_key_accepted: Some(true),
            known_proxies: Some(vec!["127.0.0.1".to_owned()]),
            tuners: Some(4),
            slots: 4,
            encodes: Some(true),
            disk_left: Some(9 << 30),
            spool: 8 << 30,
        }
    }

    #[test]
    fn each_finding_is_found_alone() {
        assert_eq!(examine(&fine()), []);
        for (surroundings, finding) in [
            (Surroundings { version: None, ..fine() }, Finding::ServerAway),
            (Surroundings { is_key_accepted: Some(false), ..fine() }, Finding::KeyRefused),
            (Surroundings { has_key: false, is_key_accepted: None, ..fine() }, Finding::NoKey),
            (Surroundings { known_proxies: Some(Vec::new()), ..fine() }, Finding::UnknownProxy),
            (Surroundings { slots: 3, ..fine() }, Finding::FewSlots),
            (Surroundings { encodes: Some(false), ..fine() }, Finding::NoEncoder),
            (Surroundings { disk_left: Some(1 << 30), ..fine() }, Finding::SmallDisk),
        ] {
            assert_eq!(examine(&surroundings), [finding]);
        }
    }

    #[test]
    fn what_is_not_known_is_no_finding_and_problems_come_first() {
        let unknown =
            Surroundings { has_key: true, version: fine().version, slots: 4, ..Surroundings::default() };
        assert_eq!(examine(&unknown), []);
        let bad = Surroundings { version: None, is_key_accepted: Some(false), slots: 1, ..fine() };
        assert_eq!(examine(&bad), [Finding::ServerAway, Finding::KeyRefused, Finding::FewSlots]);
    }
}
