//! Tells which openings of clients a present consumer watches by.

use std::collections::{BTreeMap, BTreeSet};

use crate::consumer::Consumer;
use crate::key::{MediaSourceId, PlaySessionId, StreamId};
use crate::openings::ClientOpening;
use crate::pool::crowd::Crowd;
use crate::pool::stream::Stream;

/// Tells whether a present consumer watches by an opening: one of its play session, or one of its account on its source that
/// has no opening of its own. `of_their_own` are the play sessions that have.
pub(super) fn is_watched_by<'a>(
    crowd: &'a Crowd,
    streams: &'a BTreeMap<StreamId, Stream>,
    of_their_own: BTreeSet<PlaySessionId>,
) -> impl Fn(&ClientOpening) -> bool + 'a {
    let watches_source = |consumer: &Consumer, source: &MediaSourceId| {
        streams.get(&consumer.stream()).is_some_and(|stream| stream.key.channel.source == *source)
    };
    move |opening| {
        let mut of_play =
            opening.play_session.iter().flat_map(|play_session| crowd.of_play_session(play_session));
        let source = opening.account.zip(opening.live_stream.media_source());
        let has_its_own = |consumer: &Consumer| {
            consumer.viewer().play_session.as_ref().is_some_and(|play| of_their_own.contains(play))
        };
        of_play.any(|(_, consumer)| consumer.is_present())
            || source.is_some_and(|(account, source)| {
                let mut theirs = crowd.of_device(account, None);
                theirs.any(|(_, consumer)| {
                    consumer.is_present() && watches_source(consumer, &source) && !has_its_own(consumer)
                })
            })
    }
}
