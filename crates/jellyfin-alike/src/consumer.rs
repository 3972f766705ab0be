//! Whose the consumers of a live stream are. The real server only counts them: the names are for tests.

/// A consumer of an open live stream: one opening that has not been given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// The party that opened the live stream.
    pub holder: Holder,
    /// The play session of the opening; empty if it has none.
    pub play_session: String,
}

/// A party that can hold a live stream open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A client, by its request.
    Session {
        /// The app's name.
        client: String,
        /// The device's id.
        device: String,
        /// `User-Agent` of the request; empty if it has none.
        user_agent: String,
    },
    /// The server, for a playlist whose request names no live stream.
    Job,
    /// The server's recorder.
    Recorder {
        /// The timer's id.
        timer: String,
    },
}

impl Consumer {
    /// `User-Agent` of the request that opened the live stream; empty if it has none, and for the server itself.
    #[must_use]
    pub fn user_agent(&self) -> &str {
        match &self.holder {
            Holder::Session { user_agent, .. } => user_agent,
            Holder::Job | Holder::Recorder { .. } => "",
        }
    }

    /// The consumer of a job that the play session has started.
    pub(crate) fn of_job(play_session: &str) -> Self {
        Self { holder: Holder::Job, play_session: play_session.to_owned() }
    }

    /// The consumer of a recording.
    pub(crate) fn of_recorder(timer: &str) -> Self {
        Self { holder: Holder::Recorder { timer: timer.to_owned() }, play_session: String::new() }
    }

    fn has_play_session(&self, id: &str) -> bool {
        !id.is_empty() && self.play_session.eq_ignore_ascii_case(id)
    }
}

/// Removes one consumer: that of the same play session, else one of the same holder. A party that has none takes the
/// oldest one of the others.
pub(crate) fn remove(consumers: &mut Vec<Consumer>, by: &Consumer) {
    let played = consumers.iter().position(|own| own.has_play_session(&by.play_session));
    let held = || consumers.iter().position(|own| own.holder == by.holder);
    if let Some(index) = played.or_else(held).or_else(|| (!consumers.is_empty()).then_some(0)) {
        consumers.remove(index);
    }
}
