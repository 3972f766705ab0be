//! Reads from a request's method and target what the request is about. Jellyfin's URLs are known here and nowhere else.
//!
//! As at Jellyfin, letter case does not matter, a base path (`/jellyfin`) or an old prefix (`/emby`, `/mediabrowser`) may come first, and a
//! slash may come last. It does not know whether the resource exists, or who may have it.

use http::{Method, Uri};
use percent_encoding::percent_decode_str;

use crate::proxy::query::Query;
use domain::container::Container;
use domain::key::{ChannelId, ConsumerId, DeviceId, ItemId, LiveStreamId, MediaSourceId, PlaySessionId};
use domain::reason::RouteClass;

/// What a request is about. All but [`Live`] and [`Route::Segment`] are passed on; the supervisor learns from some of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `GET …/videos/{item}/live.m3u8`: the media playlist of a live stream, which can be served from a shared stream.
    Live(Box<Live>),
    /// The same, but for a stream that cannot be shared.
    Bypassed(BypassReason),
    /// `GET` or `HEAD` of a segment of the gateway's; its folder is named in `proxy::list_path`.
    Segment {
        /// The consumer that the URI was given to.
        consumer: ConsumerId,
        /// The segment's media sequence number.
        sequence: u64,
    },
    /// `POST …/Items/{item}/PlaybackInfo`: a viewer is about to play.
    PlaybackInfo {
        /// The item.
        item: ItemId,
    },
    /// `POST …/LiveStreams/Open`.
    Open,
    /// `POST …/LiveStreams/Close`.
    Close {
        /// The live stream. Jellyfin refuses a request without one.
        live_stream: Option<LiveStreamId>,
    },
    /// `GET` or `HEAD …/videos/{item}/master.m3u8`: the multivariant playlist.
    Master,
    /// A player's report about its playback.
    Playing(Report),
    /// `DELETE …/Videos/ActiveEncodings`: the client no longer needs an encoding.
    ActiveEncodings {
        /// The play session of the encoding.
        play_session: Option<PlaySessionId>,
        /// The device of the encoding, which Jellyfin considers only if there is no play session.
        device: Option<DeviceId>,
    },
    /// `POST …/Sessions/Logout`: the token is revoked.
    Logout,
    /// `POST` or `DELETE` of `…/LiveTv/Timers` or `…/LiveTv/SeriesTimers`: what is to be recorded changes.
    Timers,
    /// `GET` or `HEAD` of a page of the gateway's own lineup, which is no URL of Jellyfin's.
    Lineup(Page),
    /// `GET` of a playlist, segment or stream of an item, or of a raw stream: media of the server's own.
    Media,
    /// `GET` of `…/socket` or `…/embywebsocket`: a WebSocket to the server.
    Socket,
    /// Any other request.
    Other,
}

impl Route {
    /// Whether the gateway itself answers some requests of this route, or of the kind of media that it asks for.
    #[must_use]
    pub const fn is_answered_here(&self) -> bool {
        match self {
            Self::Live(_)
            | Self::Bypassed(_)
            | Self::Segment { .. }
            | Self::PlaybackInfo { .. }
            | Self::Open
            | Self::Master
            | Self::Media => true,
            Self::Close { .. }
            | Self::Playing(_)
            | Self::ActiveEncodings { .. }
            | Self::Logout
            | Self::Timers
            | Self::Lineup(_)
            | Self::Socket
            | Self::Other => false,
        }
    }
}

/// A page of the gateway's own lineup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// `/lineup/channels.m3u`.
    Channels,
    /// `/lineup/guide.xml`.
    Guide,
    /// `/lineup/{channel}.ts`: a channel's raw stream.
    Channel(ChannelId),
}

impl Route {
    /// What it is about, for whoever counts requests.
    #[must_use]
    pub const fn class(&self) -> RouteClass {
        match self {
            Self::Live(_) | Self::Bypassed(_) | Self::Master => RouteClass::Playlist,
            Self::Segment { .. } => RouteClass::Segment,
            Self::PlaybackInfo { .. } | Self::Open => RouteClass::Opening,
            Self::Playing(_) | Self::ActiveEncodings { .. } | Self::Close { .. } => RouteClass::Report,
            Self::Lineup(_) => RouteClass::Lineup,
            Self::Media => RouteClass::Media,
            Self::Socket => RouteClass::Socket,
            Self::Logout | Self::Timers | Self::Other => RouteClass::Other,
        }
    }
}

/// A request for the media playlist of a live stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// The path before `/videos/…`, as it was sent: empty, `/jellyfin`, ….
    pub prefix: String,
    /// The channel's item.
    pub item: ItemId,
    /// The channel's item, as it was sent.
    pub item_text: String,
    /// The media source of the channel.
    pub source: MediaSourceId,
    /// The live stream that PlaybackInfo opened.
    pub live_stream: LiveStreamId,
    /// The client's play session.
    pub play_session: Option<PlaySessionId>,
    /// The client's device.
    pub device: Option<DeviceId>,
    /// All parameters. The profile is read from them once the user's policy is known.
    pub query: Query,
}

/// Why the stream of a `live.m3u8` request cannot be shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BypassReason {
    /// The item is no GUID.
    Item,
    /// There is no `LiveStreamId`: Jellyfin opens and closes a tuner of its own with the job (docs/jellyfin.md 2).
    LiveStream,
    /// There is no `MediaSourceId`, and the live stream's id does not contain it.
    MediaSource,
    /// `MediaSourceId` and `LiveStreamId` name different sources: sharing could show one channel in place of the other.
    SourceMismatch,
}

impl BypassReason {
    /// The one spelling of the reason.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Item => "item",
            Self::LiveStream => "live-stream",
            Self::MediaSource => "media-source",
            Self::SourceMismatch => "source-mismatch",
        }
    }
}

/// A player's report. Only `Ping` and the oldest forms name the playback in the query; all others name it in the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The moment of the playback that it reports.
    pub moment: Moment,
    /// The play session, if the query names it.
    pub play_session: Option<PlaySessionId>,
    /// The live stream, if the query names it.
    pub live_stream: Option<LiveStreamId>,
}

/// The moments of a playback that a player reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// `POST …/Sessions/Playing`, or `POST …/PlayingItems/{item}`.
    Started,
    /// `POST …/Sessions/Playing/Progress`, or `POST …/PlayingItems/{item}/Progress`.
    Progress,
    /// `POST …/Sessions/Playing/Ping`.
    Ping,
    /// `POST …/Sessions/Playing/Stopped`, or `DELETE …/PlayingItems/{item}`.
    Stopped,
}

/// Reads the route of a request.
#[must_use]
pub fn route(method: &Method, uri: &Uri) -> Route {
    let path = uri.path();
    let sent: Vec<&str> = path.strip_suffix('/').unwrap_or(path).split('/').collect();
    let parts: Vec<String> =
        sent.iter().map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned()).collect();
    let folded: Vec<String> = parts.iter().map(|part| part.to_ascii_lowercase()).collect();
    let words: Vec<&str> = folded.iter().map(String::as_str).collect();
    let report = |moment| Route::Playing(report(moment, uri));
    match (method.as_str(), &words[..]) {
        ("GET", [.., "videos", _, "live.m3u8"]) => live(&sent, &parts, Query::of(uri)),
        ("GET" | "HEAD", [.., "videos", _, "master.m3u8"]) => Route::Master,
        ("GET" | "HEAD", [.., "videos", _, "hls", _, _]) => {
            segment(&parts).unwrap_or_else(|| other(method, &words))
        }
        ("POST", [.., "items", item, "playbackinfo"]) => {
            ItemId::parse(item).map_or(Route::Other, |item| Route::PlaybackInfo { item })
        }
        ("POST", [.., "livestreams", "open"]) => Route::Open,
        ("POST", [.., "livestreams", "close"]) => Route::Close { live_stream: live_stream(&Query::of(uri)) },
        ("POST", [.., "sessions", "playing"] | [.., "playingitems", _]) => report(Moment::Started),
        ("POST", [.., "sessions", "playing", "progress"] | [.., "playingitems", _, "progress"]) => {
            report(Moment::Progress)
        }
        ("POST", [.., "sessions", "playing", "ping"]) => report(Moment::Ping),
        ("POST", [.., "sessions", "playing", "stopped"]) | ("DELETE", [.., "playingitems", _]) => {
            report(Moment::Stopped)
        }
        ("DELETE", [.., "videos", "activeencodings"]) => active_encodings(&Query::of(uri)),
        ("POST", [.., "sessions", "logout"]) => Route::Logout,
        ("POST", [.., "livetv", "timers" | "seriestimers"])
        | ("POST" | "DELETE", [.., "livetv", "timers" | "seriestimers", _]) => Route::Timers,
        ("GET" | "HEAD", ["", "lineup", "channels.m3u"]) => Route::Lineup(Page::Channels),
        ("GET" | "HEAD", ["", "lineup", "guide.xml"]) => Route::Lineup(Page::Guide),
        ("GET" | "HEAD", ["", "lineup", file]) => lineup_channel(file),
        _ => other(method, &words),
    }
}

fn other(method: &Method, words: &[&str]) -> Route {
    match (method.as_str(), words) {
        ("GET", [.., "videos" | "audio", _, _] | [.., "livestreamfiles", _, _]) => Route::Media,
        ("GET", [.., "videos" | "audio", _, "hls" | "hls1", _, _]) => Route::Media,
        ("GET", [.., "socket" | "embywebsocket"]) => Route::Socket,
        _ => Route::Other,
    }
}

/// The path before Jellyfin's own, as it was sent: a base path, an old prefix, or nothing.
#[must_use]
pub fn prefix(uri: &Uri) -> &str {
    const CONTROLLERS: [&str; 5] = ["videos", "items", "livestreams", "livetv", "sessions"];
    let path = uri.path();
    let mut end = 0;
    for part in path.split('/').skip(1) {
        if CONTROLLERS.iter().any(|controller| part.eq_ignore_ascii_case(controller)) {
            return &path[..end];
        }
        end += 1 + part.len();
    }
    ""
}

fn live(sent: &[&str], parts: &[String], query: Query) -> Route {
    let [before @ .., _, item_text, _] = sent else { return Route::Other };
    let Some(item) = ItemId::parse(&parts[before.len() + 1]) else {
        return Route::Bypassed(BypassReason::Item);
    };
    let Some(live_stream) = live_stream(&query) else { return Route::Bypassed(BypassReason::LiveStream) };
    match source(&query, &live_stream) {
        Ok(source) => Route::Live(Box::new(Live {
            prefix: before.join("/"),
            item,
            item_text: (*item_text).to_owned(),
            source,
            live_stream,
            play_session: play_session(&query),
            device: device(&query),
            query,
        })),
        Err(reason) => Route::Bypassed(reason),
    }
}

/// The media source that both parameters name; not every live stream's id contains one.
fn source(query: &Query, live_stream: &LiveStreamId) -> Result<MediaSourceId, BypassReason> {
    let Some(asked) = query.get("MediaSourceId") else {
        return live_stream.media_source().ok_or(BypassReason::MediaSource);
    };
    let asked = MediaSourceId::new(asked);
    if live_stream.proves(&asked) == Some(false) {
        return Err(BypassReason::SourceMismatch);
    }
    Ok(asked)
}

fn lineup_channel(file: &str) -> Route {
    let id = Container::split(file)
        .map(|(id, Container::MpegTs)| id)
        .filter(|id| ItemId::parse(id).is_some_and(|known| known.as_str() == *id));
    id.map_or(Route::Other, |id| Route::Lineup(Page::Channel(ChannelId::new(id))))
}

/// A segment of the gateway's; `None` if it is another's.
fn segment(parts: &[String]) -> Option<Route> {
    let [.., directory, file] = parts else { return None };
    let consumer = directory.strip_prefix("wg").and_then(ConsumerId::parse)?;
    let (sequence, Container::MpegTs) = Container::split(file)?;
    Some(Route::Segment { consumer, sequence: parse_sequence(sequence)? })
}

/// A sequence number in the one spelling, so that each segment has one URI.
fn parse_sequence(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

fn report(moment: Moment, uri: &Uri) -> Report {
    let query = Query::of(uri);
    Report { moment, play_session: play_session(&query), live_stream: live_stream(&query) }
}

fn active_encodings(query: &Query) -> Route {
    Route::ActiveEncodings { play_session: play_session(query), device: device(query) }
}

fn play_session(query: &Query) -> Option<PlaySessionId> {
    query.get("PlaySessionId").map(PlaySessionId::new)
}

fn live_stream(query: &Query) -> Option<LiveStreamId> {
    query.get("LiveStreamId").map(LiveStreamId::new)
}

fn device(query: &Query) -> Option<DeviceId> {
    query.get("DeviceId").map(DeviceId::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ITEM: &str = "3470319929255d2e4e0e08ae69de1bd6";
    const SOURCE: &str = "f91bdbcf108c4e49092c20cd88e22af1";
    const LIVE_STREAM: &str =
        "e2329f4997b378e64ccf8fa396deb76e_af999c25a00715699361240d4c6c7a53_f91bdbcf108c4e49092c20cd88e22af1";

    fn of(method: &str, target: &str) -> Route {
        route(&method.parse().unwrap(), &target.parse().unwrap())
    }

    fn live_of(target: &str) -> Live {
        match of("GET", target) {
            Route::Live(live) => *live,
            other => panic!("{target}: {other:?}"),
        }
    }

    #[test]
    fn a_playlist_in_every_spelling_of_its_path() {
        for (path, prefix, item_text) in [
            (
                "/videos/34703199-2925-5d2e-4e0e-08ae69de1bd6/live.m3u8",
                "",
                "34703199-2925-5d2e-4e0e-08ae69de1bd6",
            ),
            ("/Videos/3470319929255D2E4E0E08AE69DE1BD6/LIVE.m3u8", "", "3470319929255D2E4E0E08AE69DE1BD6"),
            ("/jellyfin/videos/3470319929255d2e4e0e08ae69de1bd6/live.m3u8/", "/jellyfin", ITEM),
            (
                "/Media/%4aelly/emby/videos/3470319929255d2e4e0e08ae69de1bd6/live%2Em3u8",
                "/Media/%4aelly/emby",
                ITEM,
            ),
            (
                "http://tv.example/mediabrowser/videos/3470319929255d2e4e0e08ae69de1bd6/live.m3u8",
                "/mediabrowser",
                ITEM,
            ),
        ] {
            let live = live_of(&format!("{path}?LiveStreamId={LIVE_STREAM}"));
            assert_eq!((live.prefix.as_str(), live.item_text.as_str()), (prefix, item_text), "{path}");
            assert_eq!(live.item.as_str(), ITEM, "{path}");
        }
    }

    #[test]
    fn what_stands_before_is_found() {
        for (path, before) in [
            ("/Items/1/PlaybackInfo", ""),
            ("/jellyfin/emby/LiveStreams/Open", "/jellyfin/emby"),
            ("/jf/videos/1/live.m3u8?x=/items/", "/jf"),
            ("/web/index.html", ""),
            ("/", ""),
        ] {
            assert_eq!(prefix(&path.parse().unwrap()), before, "{path}");
        }
    }

    #[test]
    fn a_playlists_parameters_in_every_spelling() {
        let blob = format!(
            "MediaSourceId%3D{SOURCE}%26LiveStreamId%3D{LIVE_STREAM}%26PlaySessionId%3Dp%26DeviceId%3Dd"
        );
        for query in [
            format!("&DeviceId=d&MediaSourceId={SOURCE}&PlaySessionId=p&LiveStreamId={LIVE_STREAM}"),
            format!("deviceid=d&livestreamid={LIVE_STREAM}&playSessionId=p&&=x"),
            format!(
                "deviceid=%64&mediasourceid={SOURCE}&livestreamid={LIVE_STREAM}&playSessionId=p&playSessionId=q"
            ),
            blob,
        ] {
            let live = live_of(&format!("/videos/{ITEM}/live.m3u8?{query}"));
            assert_eq!(live.source.as_str(), SOURCE, "{query}");
            assert_eq!(live.live_stream.as_str(), LIVE_STREAM, "{query}");
            assert_eq!(live.play_session, Some(PlaySessionId::new("p")), "{query}");
            assert_eq!(live.device, Some(DeviceId::new("d")), "{query}");
        }
        let live = live_of(&format!("/videos/{ITEM}/live.m3u8?MediaSourceId=a&LiveStreamId=plugin_b"));
        assert_eq!((live.source.as_str(), live.play_session, live.device), ("a", None, None));
        let live = live_of(&format!(
            "/videos/{ITEM}/live.m3u8?MediaSourceId=native_{SOURCE}&LiveStreamId=x_native_{SOURCE}"
        ));
        assert_eq!(live.source.as_str(), format!("native_{SOURCE}"), "HDHomeRun's are longer");
    }

    #[test]
    fn a_playlist_that_is_not_shared_says_why() {
        for (target, reason, spelling) in [
            ("/videos/x/live.m3u8?MediaSourceId=a&LiveStreamId=b".to_owned(), BypassReason::Item, "item"),
            (format!("/videos/{ITEM}/live.m3u8"), BypassReason::LiveStream, "live-stream"),
            (
                format!("/videos/{ITEM}/live.m3u8?MediaSourceId={SOURCE}&LiveStreamId="),
                BypassReason::LiveStream,
                "live-stream",
            ),
            (format!("/videos/{ITEM}/live.m3u8?LiveStreamId=a_b"), BypassReason::MediaSource, "media-source"),
            (
                format!("/videos/{ITEM}/live.m3u8?MediaSourceId={ITEM}&LiveStreamId={LIVE_STREAM}"),
                BypassReason::SourceMismatch,
                "source-mismatch",
            ),
        ] {
            assert_eq!(of("GET", &target), Route::Bypassed(reason), "{target}");
            assert_eq!(reason.as_str(), spelling);
        }
    }

    #[test]
    fn our_segments_come_back_under_any_prefix() {
        let consumer = ConsumerId::from_bits(0xfeed_0000_0000_0000_0000_0000_0000_0001);
        for sequence in [0, 7, u64::MAX] {
            for base in ["/videos/x", "/jellyfin/Videos/34703199-2925-5d2e-4e0e-08ae69de1bd6"] {
                let target = format!("{base}/hls/wg{consumer}/{sequence}.ts");
                let expected = Route::Segment { consumer, sequence };
                assert_eq!(of("GET", &target), expected, "{target}");
                assert_eq!(of("HEAD", &target), expected, "{target}");
                assert_eq!(of("OPTIONS", &target), Route::Other, "{target}");
            }
        }
    }

    #[test]
    fn what_only_looks_like_a_segment_of_ours_is_upstreams() {
        for file in [
            "ed30a574d46a7e8a6a7c060d77bc483b/ed30a574d46a7e8a6a7c060d77bc483b0.ts",
            "ed30a574d46a7e8a6a7c060d77bc483b/0.ts",
            "wged30a574d46a7e8a6a7c060d77bc483/0.ts",
            "wgED30A574D46A7E8A6A7C060D77BC483B/0.ts",
            "wged30a574d46a7e8a6a7c060d77bc483b/00.ts",
            "wged30a574d46a7e8a6a7c060d77bc483b/+1.ts",
            "wged30a574d46a7e8a6a7c060d77bc483b/1.mp4",
            "wged30a574d46a7e8a6a7c060d77bc483b/18446744073709551616.ts",
        ] {
            assert_eq!(of("GET", &format!("/videos/x/hls/{file}")), Route::Media, "{file}");
        }
    }

    #[test]
    fn the_signals_of_a_playback() {
        let report = |moment, play_session: Option<&str>, live_stream: Option<&str>| {
            let play_session = play_session.map(PlaySessionId::new);
            Route::Playing(Report { moment, play_session, live_stream: live_stream.map(LiveStreamId::new) })
        };
        let item = ItemId::parse(ITEM).unwrap();
        for (method, target, expected) in [
            ("POST", format!("/Items/{ITEM}/PlaybackInfo?UserId=u"), Route::PlaybackInfo { item }),
            ("GET", format!("/Items/{ITEM}/PlaybackInfo"), Route::Other),
            ("POST", "/Items/x/PlaybackInfo".to_owned(), Route::Other),
            ("POST", "/emby/livestreams/open".to_owned(), Route::Open),
            (
                "POST",
                "/LiveStreams/Close?livestreamid=l".to_owned(),
                Route::Close { live_stream: Some(LiveStreamId::new("l")) },
            ),
            ("POST", "/LiveStreams/Close".to_owned(), Route::Close { live_stream: None }),
            ("GET", format!("/videos/{ITEM}/master.m3u8?x=y"), Route::Master),
            ("HEAD", format!("/videos/{ITEM}/master.m3u8"), Route::Master),
            ("POST", "/Sessions/Playing".to_owned(), report(Moment::Started, None, None)),
            ("POST", "/jellyfin/sessions/playing/Progress".to_owned(), report(Moment::Progress, None, None)),
            (
                "POST",
                "/Sessions/Playing/Ping?playSessionId=p".to_owned(),
                report(Moment::Ping, Some("p"), None),
            ),
            ("POST", "/Sessions/Playing/Stopped".to_owned(), report(Moment::Stopped, None, None)),
            (
                "POST",
                format!("/Users/u/PlayingItems/{ITEM}?liveStreamId=l"),
                report(Moment::Started, None, Some("l")),
            ),
            (
                "POST",
                format!("/PlayingItems/{ITEM}/Progress?playSessionId=p"),
                report(Moment::Progress, Some("p"), None),
            ),
            (
                "DELETE",
                format!("/PlayingItems/{ITEM}?playSessionId=p"),
                report(Moment::Stopped, Some("p"), None),
            ),
            (
                "DELETE",
                "/Videos/ActiveEncodings?deviceId=d&playSessionId=p".to_owned(),
                Route::ActiveEncodings {
                    play_session: Some(PlaySessionId::new("p")),
                    device: Some(DeviceId::new("d")),
                },
            ),
            ("POST", "/Sessions/Logout".to_owned(), Route::Logout),
            ("POST", "/jf/LiveTv/Timers".to_owned(), Route::Timers),
            ("POST", "/LiveTv/SeriesTimers/1".to_owned(), Route::Timers),
            ("DELETE", "/LiveTv/Timers/1".to_owned(), Route::Timers),
            ("GET", "/LiveTv/Timers".to_owned(), Route::Other),
            ("GET", "/jf/socket?ApiKey=a".to_owned(), Route::Socket),
            ("GET", "/EmbyWebSocket".to_owned(), Route::Socket),
            ("GET", "/socket/1".to_owned(), Route::Other),
            ("GET", "/LiveTv/Timers/Defaults".to_owned(), Route::Other),
            ("HEAD", format!("/videos/{ITEM}/live.m3u8?LiveStreamId={LIVE_STREAM}"), Route::Other),
            ("POST", format!("/videos/{ITEM}/live.m3u8?LiveStreamId={LIVE_STREAM}"), Route::Other),
            ("GET", format!("/videos/{ITEM}/main.m3u8?LiveStreamId={LIVE_STREAM}"), Route::Media),
            ("GET", format!("/jellyfin/Videos/{ITEM}/stream.ts"), Route::Media),
            ("GET", format!("/videos/{ITEM}/hls1/main/0.ts"), Route::Media),
            ("GET", "/LiveTv/LiveStreamFiles/x/stream.ts".to_owned(), Route::Media),
            ("HEAD", format!("/videos/{ITEM}/stream.ts"), Route::Other),
            ("GET", "/".to_owned(), Route::Other),
            ("OPTIONS", "*".to_owned(), Route::Other),
        ] {
            assert_eq!(of(method, &target), expected, "{method} {target}");
        }
    }

    #[test]
    fn the_lineup_is_ours_at_its_own_place_only() {
        let channel = Route::Lineup(Page::Channel(ChannelId::new(ITEM)));
        for (method, target, expected) in [
            ("GET", format!("/lineup/{ITEM}.ts?token=t"), channel.clone()),
            ("HEAD", format!("/lineup/{ITEM}.ts"), channel.clone()),
            ("GET", format!("/Lineup/{}.ts", ITEM.to_uppercase()), channel),
            ("POST", format!("/lineup/{ITEM}.ts"), Route::Other),
            ("GET", format!("/lineup/{ITEM}"), Route::Other),
            ("GET", format!("/jellyfin/lineup/{ITEM}.ts"), Route::Other),
            ("GET", "/lineup/34703199-2925-5d2e-4e0e-08ae69de1bd6.ts".to_owned(), Route::Other),
            ("GET", "/lineup/1.ts".to_owned(), Route::Other),
            ("GET", "/lineup/guide.xml".to_owned(), Route::Lineup(Page::Guide)),
        ] {
            assert_eq!(of(method, &target), expected, "{method} {target}");
        }
    }

    #[test]
    fn shows_no_token() {
        let live = live_of(&format!(
            "/videos/{ITEM}/live.m3u8?LiveStreamId={LIVE_STREAM}&ApiKey=secret&PlaySessionId=secret"
        ));
        assert!(!format!("{live:?}").contains("secret"));
    }
}
