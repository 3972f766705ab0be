//! Reads from the request and the answer of an opening which live streams it opened. Property names are accepted in either letter case.
//!
//! It knows the form of both messages and nothing else. What cannot be read counts as having opened nothing.

use std::fmt;

use http::Uri;
use serde_json::Value;
use tokio::time::Instant;

use crate::proxy::auth::Asker;
use crate::proxy::query::Query;
use crate::upstream::jellyfin::field;
use domain::clients::ClientSettings;
use domain::key::{ItemId, LiveStreamId, MediaSourceId, PlaySessionId};

/// The parameter and the property for the bitrate.
pub(super) const BITRATE: &str = "MaxStreamingBitrate";
/// Those that have a `PlaybackInfo` open the channel. The parameter takes precedence (`MediaInfoController.cs`).
pub(super) const OPENS: &str = "AutoOpenLiveStream";

/// A live stream that an answer to `PlaybackInfo` or `LiveStreams/Open` names as open.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct OpenedStream {
    /// The channel's item; `LiveStreams/Open` need not name it.
    pub item: Option<ItemId>,
    /// The media source of the channel.
    pub source: MediaSourceId,
    /// The live stream that is open.
    pub live_stream: LiveStreamId,
    /// The path or URL that the server reads it from. It may be a provider's URL with credentials, so it is never logged.
    pub path: Option<String>,
    /// The play session that it was opened for.
    pub play_session: Option<PlaySessionId>,
    /// Whether this request took a consumer of the live stream. A request that names a live stream only asks about it.
    pub taken: bool,
    /// Whether it was the server that found the live stream for the item. `LiveStreams/Open` opens by its token whatever item is named.
    pub paired: bool,
}

impl fmt::Debug for OpenedStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("OpenedStream");
        shown.field("item", &self.item).field("source", &self.source).field("live_stream", &self.live_stream);
        shown.field("play_session", &self.play_session).field("taken", &self.taken).finish_non_exhaustive()
    }
}

/// The client that opened a live stream, with all that the gateway needs to act in its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Opener {
    /// The client's credential and addresses.
    pub asker: Asker,
    /// When it asked.
    pub begun: Instant,
    /// What applies to the client.
    pub settings: ClientSettings,
    /// The base path of the request, before Jellyfin's own path.
    pub prefix: String,
    /// The id of the client's user, if the server has told it.
    pub user: Option<String>,
    /// Whether that is an administrator.
    pub is_administrator: bool,
}

/// What the request of an opening asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OpenRequest {
    item: Option<ItemId>,
    play_session: Option<PlaySessionId>,
    /// Whether the request names a live stream that is already open, or could not be read and may name one.
    names_one: bool,
    /// Whether it asks to open a live stream, rather than what there is to play.
    opens: bool,
    /// The bitrate that it asks for, in bit/s: that of its device profile, if there is no other (`MediaInfoController.cs`).
    bitrate: Option<u64>,
    /// Whether what it opens is the item's: the item stands in the path, or in the token that the server gave out for it.
    opens_item: bool,
}

/// Whether the answer to a `PlaybackInfo` is about what has to be opened before it plays, as only channels do.
#[must_use]
pub(super) fn wants_opening(answer: &[u8]) -> bool {
    let answer = serde_json::from_slice::<Value>(answer).ok();
    let sources = answer.as_ref().and_then(|answer| field(answer, "MediaSources")?.as_array());
    let wants = |source: &Value| field(source, "RequiresOpening").and_then(Value::as_bool) == Some(true);
    sources.is_some_and(|sources| sources.iter().any(wants))
}

impl OpenRequest {
    /// Reads the query, then the body, which is `None` if it could not be read.
    #[must_use]
    pub(super) fn of(item: Option<ItemId>, uri: &Uri, body: Option<&[u8]>) -> Self {
        let query = Query::of(uri);
        let json = body.and_then(|body| serde_json::from_slice::<Value>(body).ok());
        let named = |name: &str| {
            let in_query = query.get(name).map(str::to_owned);
            let in_body = || text(json.as_ref()?, name).map(str::to_owned);
            in_query.filter(|text| !text.is_empty()).or_else(in_body)
        };
        let wish = json.as_ref().and_then(|json| field(json, OPENS)?.as_bool());
        let is_wished = query.get(OPENS).map(|wish| wish.eq_ignore_ascii_case("true")).or(wish);
        let (in_path, item) = (item.is_some(), item.or_else(|| ItemId::parse(&named("ItemId")?)));
        let in_query = query.get(BITRATE).and_then(|text| text.parse().ok());
        let of = |json: &Value| field(json, BITRATE)?.as_u64();
        let in_body = || of(json.as_ref()?).or_else(|| of(field(json.as_ref()?, "DeviceProfile")?));
        let token = named("OpenToken").unwrap_or_default();
        let in_token = item.is_some() && token.split('_').any(|part| ItemId::parse(part) == item);
        Self {
            // `LiveStreams/Open` does not name an item in its path.
            opens: !in_path || is_wished.unwrap_or_default(),
            bitrate: in_query.or_else(in_body),
            opens_item: in_path || in_token,
            item,
            play_session: named("PlaySessionId").map(PlaySessionId::new),
            names_one: body.is_none() || named("LiveStreamId").is_some(),
        }
    }

    /// Whether the server is asked to open a live stream that may not be open yet.
    #[must_use]
    pub(super) const fn opens(&self) -> bool {
        self.opens && !self.names_one
    }

    /// The bitrate that it asks for, in bit/s.
    #[must_use]
    pub(super) const fn bitrate(&self) -> Option<u64> {
        self.bitrate
    }

    /// The item of the channel, if it names one.
    #[must_use]
    pub(super) const fn item(&self) -> Option<&ItemId> {
        self.item.as_ref()
    }

    /// Reads from the answer the live streams that are open.
    #[must_use]
    pub(super) fn opened(&self, answer: &[u8]) -> Vec<OpenedStream> {
        let Ok(answer) = serde_json::from_slice::<Value>(answer) else { return Vec::new() };
        let play_session = text(&answer, "PlaySessionId").map(PlaySessionId::new);
        let play_session = play_session.or_else(|| self.play_session.clone());
        let sources = field(&answer, "MediaSources").and_then(Value::as_array);
        let sources = sources.into_iter().flatten().chain(field(&answer, "MediaSource"));
        let read = |source: &Value| {
            let live_stream = LiveStreamId::new(text(source, "LiveStreamId")?);
            let named = text(source, "Id").map(MediaSourceId::new);
            Some(OpenedStream {
                item: self.item.clone(),
                source: named.or_else(|| live_stream.media_source())?,
                live_stream,
                path: text(source, "Path").map(str::to_owned),
                play_session: play_session.clone(),
                taken: !self.names_one,
                paired: !self.names_one && self.opens_item,
            })
        };
        sources.filter_map(read).collect()
    }
}

/// The value of a property that is a text and not empty.
fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    field(value, name)?.as_str().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ITEM: &str = "3470319929255d2e4e0e08ae69de1bd6";

    fn asked(target: &str, body: Option<&str>) -> OpenRequest {
        OpenRequest::of(None, &target.parse().unwrap(), body.map(str::as_bytes))
    }

    #[test]
    fn what_an_answer_opened_is_found_in_either_form_and_case() {
        let item = ItemId::parse(ITEM);
        let info = OpenRequest::of(item.clone(), &"/Items/x/PlaybackInfo".parse().unwrap(), Some(b"{}"));
        let opened = info.opened(
            br#"{"New":[1],"MediaSources":[{"Id":"s","LiveStreamId":"l","Path":"http://u:p@x/1.ts"},{"Id":"b"},
                {"Id":"c","LiveStreamId":null},7],"PlaySessionId":"p"}"#,
        );
        let expected = OpenedStream {
            item,
            source: MediaSourceId::new("s"),
            live_stream: LiveStreamId::new("l"),
            path: Some("http://u:p@x/1.ts".to_owned()),
            play_session: Some(PlaySessionId::new("p")),
            taken: true,
            paired: true,
        };
        assert_eq!(opened, [expected]);
        assert!(!format!("{opened:?}").contains("u:p@x"));
        let open = asked("/LiveStreams/Open", Some("{}"))
            .opened(br#"{"mediaSource":{"id":"s","liveStreamId":"x_f91bdbcf108c4e49092c20cd88e22af1"}}"#);
        assert_eq!((open[0].source.as_str(), open[0].paired), ("s", false));
        assert_eq!((&open[0].item, &open[0].path, &open[0].play_session), (&None, &None, &None));
        for nothing in
            ["<html>", "[]", "{}", r#"{"MediaSources":{}}"#, r#"{"MediaSource":{"LiveStreamId":"l"}}"#]
        {
            assert!(asked("/LiveStreams/Open", Some("")).opened(nothing.as_bytes()).is_empty(), "{nothing}");
        }
    }

    #[test]
    fn an_opening_names_its_item_in_its_body_or_its_query() {
        let in_body = format!(r#"{{"itemId":"{ITEM}","PlaySessionId":"p","LiveStreamId":""}}"#);
        let by_body = asked("/LiveStreams/Open", Some(&in_body));
        let by_query = asked(&format!("/LiveStreams/Open?itemid={ITEM}&playSessionId=p"), Some(""));
        assert_eq!(by_body, by_query);
        assert_eq!(by_body.item, ItemId::parse(ITEM));
        assert_eq!(
            by_body.opened(br#"{"MediaSource":{"Id":"s","LiveStreamId":"l"}}"#)[0].play_session,
            by_body.play_session
        );
    }

    /// A client may name any item beside the token that it was given for another.
    #[test]
    fn an_opening_by_token_is_of_the_item_in_the_token() {
        for (token, is_paired) in
            [(format!("p_LiveTvChannel_{ITEM}_s"), true), (format!("p_x_{}_s", "0".repeat(32)), false)]
        {
            let body = format!(r#"{{"ItemId":"{ITEM}","OpenToken":"{token}"}}"#);
            let open = asked("/LiveStreams/Open", Some(&body));
            assert_eq!(open.opened(br#"{"MediaSource":{"Id":"s","LiveStreamId":"l"}}"#)[0].paired, is_paired);
        }
    }

    #[test]
    fn to_ask_about_a_live_stream_takes_nothing() {
        for (target, body) in [
            ("/Items/x/PlaybackInfo?LiveStreamId=l", Some("")),
            ("/Items/x/PlaybackInfo", Some(r#"{"liveStreamId":"l"}"#)),
            ("/Items/x/PlaybackInfo", None),
        ] {
            let opened = asked(target, body).opened(br#"{"MediaSources":[{"Id":"s","LiveStreamId":"l"}]}"#);
            assert!(!opened[0].taken && !opened[0].paired, "{target} {body:?}");
        }
    }

    #[test]
    fn the_query_overrides_the_body() {
        for (target, body, opens, bitrate) in [
            ("/x", "{}", false, None),
            ("/x", "", false, None),
            ("/x", r#"{"autoOpenLiveStream":true,"MaxStreamingBitrate":8}"#, true, Some(8)),
            ("/x?AutoOpenLiveStream=false", r#"{"AutoOpenLiveStream":true}"#, false, None),
            (
                "/x?autoopenlivestream=True&maxstreamingbitrate=7",
                r#"{"MaxStreamingBitrate":8}"#,
                true,
                Some(7),
            ),
            ("/x?AutoOpenLiveStream=true&LiveStreamId=l", "{}", false, None),
            ("/x?AutoOpenLiveStream=true", r#"{"LiveStreamId":"l"}"#, false, None),
            ("/x", r#"{"DeviceProfile":{"MaxStreamingBitrate":9}}"#, false, Some(9)),
        ] {
            let wish = OpenRequest::of(ItemId::parse(ITEM), &target.parse().unwrap(), Some(body.as_bytes()));
            assert_eq!((wish.opens(), wish.bitrate()), (opens, bitrate), "{target} {body}");
        }
    }
}
