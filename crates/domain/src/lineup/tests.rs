//! Playlists as providers write them, and lineups made of them.

use proptest::prelude::*;

use super::*;
use crate::lineup::entry::Flaw;
use crate::lineup::parse::{decode, parse};
use crate::lineup::source::SourceKind;

/// As resellers' panels write them.
const PANEL: &str = "\u{feff}#EXTM3U url-tvg=\"http://epg.example/a.xml.gz,http://epg.example/b.xml\" x-shift=\"0\"\r\n\
    #EXTINF:-1 tvg-id=\"one.example\" tvg-name=\"UK| One, FHD\" tvg-logo=\"http://l.example/1.png\" group-title=\"UK, News\",UK| One, FHD\r\n\
    http://panel.example:8080/me/pw/101\r\n\
    #EXTINF:-1 tvg-id=\"\" tvg-name=\"\" group-title=\"\",##### SPORT #####\r\n\
    http://panel.example:8080/me/pw/102\r\n\
    \r\n\
    #EXTINF:-1 tvg-id=\"one.example\",One again\r\n\
    http://panel.example:8080/me/pw/101\r\n";

/// In the dialects of players.
const DIALECTS: &str = "#EXTINF:0 tvg-chno=\"7\" catchup=\"default\" catchup-days=\"3\",Seven\n\
    #EXTGRP:Regional\n\
    #EXTVLCOPT:http-user-agent=Mozilla/5.0 (X11; Linux)\n\
    #EXTVLCOPT:http-referrer=https://tv.example/\n\
    #EXTVLCOPT:network-caching=1000\n\
    https://cdn.example/7/index.m3u8?token=a|b\n\
    #EXTINF:-1,Eight\n\
    #KODIPROP:inputstream=inputstream.adaptive\n\
    #KODIPROP:inputstream.adaptive.stream_headers=Origin=https%3A%2F%2Ftv.example&X-Key=1\n\
    http://cdn.example/8.ts|User-Agent=Kodi%2F21&Referer=http://a/\n\
    #EXTINF:-1,Locked\n\
    #KODIPROP:inputstream.adaptive.license_type=com.widevine.alpha\n\
    https://cdn.example/9/manifest.m3u8\n\
    #EXTINF:-1,Dash\n\
    https://cdn.example/10/manifest.mpd\n\
    #EXTINF:-1,Nothing follows\n\
    #EXTVLCOPT:http-user-agent=Lost\n\
    #EXTINF:-1 group-title=\"DVB,Satellite\n\
    rtsp://192.0.2.1/?src=1\n\
    udp://@239.0.0.1:1234\n\
    #EXTINF:-1\n\
    plugin://plugin.video.x/\n";

fn flaws(text: &str) -> Vec<(usize, Flaw)> {
    parse(text).complaints.iter().map(|complaint| (complaint.line, complaint.flaw)).collect()
}

#[test]
fn a_panel_is_read() {
    let playlist = parse(PANEL);
    let guides: Vec<_> = playlist.guides.iter().map(SourceUrl::expose).collect();
    assert_eq!(guides, ["http://epg.example/a.xml.gz", "http://epg.example/b.xml"]);
    let [one, sport] = &playlist.entries[..] else { panic!("{:?}", playlist.entries) };
    assert_eq!((one.name.as_str(), one.line, one.kind), ("UK| One, FHD", 3, SourceKind::Http));
    assert_eq!((one.tvg_id(), one.group.as_deref()), (Some("one.example"), Some("UK, News")));
    assert_eq!((sport.name.as_str(), sport.tvg_id(), &sport.group), ("##### SPORT #####", None, &None));
    assert_eq!(flaws(PANEL), [(8, Flaw::Repeated { first: 3 })]);
}

#[test]
fn dialects_are_understood_as_far_as_they_concern_us() {
    let playlist = parse(DIALECTS);
    let [seven, eight, satellite] = &playlist.entries[..] else { panic!("{:?}", playlist.entries) };
    assert_eq!(
        (seven.number(), seven.group.as_deref(), seven.kind),
        (Some("7"), Some("Regional"), SourceKind::Hls)
    );
    assert_eq!(seven.url.expose(), "https://cdn.example/7/index.m3u8?token=a|b");
    assert_eq!(seven.user_agent.as_deref(), Some("Mozilla/5.0 (X11; Linux)"));
    assert_eq!(seven.headers, [("Referer".to_owned(), "https://tv.example/".to_owned())]);
    assert_eq!(eight.url.expose(), "http://cdn.example/8.ts");
    assert_eq!(eight.user_agent.as_deref(), Some("Kodi/21"));
    let names: Vec<_> = eight.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    assert_eq!(names, ["Origin: https://tv.example", "X-Key: 1", "Referer: http://a/"]);
    assert_eq!(
        (satellite.name.as_str(), satellite.kind, &satellite.user_agent),
        ("Satellite", SourceKind::Rtsp, &None)
    );
    assert_eq!(
        flaws(DIALECTS),
        [
            (13, Flaw::Drm),
            (15, Flaw::Kind),
            (16, Flaw::NoUrl),
            (18, Flaw::Unclosed),
            (20, Flaw::NoInfo),
            (22, Flaw::Kind)
        ]
    );
}

#[test]
fn ids_are_over_the_line_as_it_was_written() {
    let id =
        |line: &str| parse(&format!("#EXTINF:-1,A\n{line}\n")).entries[0].media_source.as_str().to_owned();
    assert_eq!(id("  http://127.0.0.1:9981/ch/1.ts \t"), "f91bdbcf108c4e49092c20cd88e22af1");
    assert_eq!(id("http://a/1.ts|User-Agent=x"), guid::md5("http://a/1.ts|User-Agent=x"));
}

#[test]
fn what_is_no_list_of_channels_is_refused_whole() {
    let hls = "#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:6,\na.ts\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\nb.ts\n";
    assert_eq!(flaws(hls), [(5, Flaw::Stream)]);
    assert_eq!(flaws("<!DOCTYPE html>\n<p>http://a/"), [(1, Flaw::Page)]);
    assert_eq!(parse(""), Playlist::default());
}

#[test]
fn lines_that_are_no_utf_8_are_latin_1() {
    let bytes = b"#EXTINF:-1,Caf\xe9\nhttp://a/1\n#EXTINF:-1,\xc3\x89t\xc3\xa9\nhttp://a/2\n";
    let names: Vec<_> = parse(&decode(bytes)).entries.into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["Café", "Été"]);
}

#[test]
fn a_header_that_http_forbids_is_left_out() {
    let playlist = parse("#EXTINF:-1,A\nhttp://a/1|User Agent=x&Referer=a%0d%0aX:%201&X-Ok=1\n");
    assert_eq!(playlist.entries[0].headers, [("X-Ok".to_owned(), "1".to_owned())]);
    assert_eq!(playlist.complaints[0].flaw, Flaw::Header);
    assert_eq!(
        playlist.complaints[0].to_string(),
        "line 2: A: a header is not as HTTP allows it, and is left out"
    );
}

/// A playlist of `(tvg-id, name, URL)`.
fn list(entries: &[(&str, &str, &str)]) -> Arc<Playlist> {
    let entry = |(id, name, url): &(&str, &str, &str)| format!("#EXTINF:-1 tvg-id=\"{id}\",{name}\n{url}\n");
    Arc::new(parse(&entries.iter().map(entry).collect::<String>()))
}

/// The name and URLs of each channel.
fn shown(lineup: &Lineup) -> Vec<String> {
    let line = |channel: &LineupChannel| {
        let urls: Vec<_> = channel.sources.iter().map(|source| source.url.expose()).collect();
        format!("{} {}", channel.name, urls.join(" "))
    };
    lineup.channels().iter().map(line).collect()
}

#[test]
fn playlists_stay_apart_unless_they_are_to_meet() {
    let first = list(&[("one", "One", "http://a/1"), ("", "Two", "http://a/2")]);
    let second =
        list(&[("one", "Eins", "http://b/1"), ("two", "Two", "http://b/2"), ("one", "One", "http://a/1")]);
    let rules = Rules::default();
    let apart = Lineup::new(&[(rules.clone(), Arc::clone(&first)), (rules, Arc::clone(&second))]);
    // The same URL is the same channel, whichever playlist lists it.
    assert_eq!(
        shown(&apart),
        ["One http://a/1 http://a/1", "Two http://a/2", "Eins http://b/1", "Two http://b/2"]
    );
    let ids: std::collections::BTreeSet<_> = apart.channels().iter().map(|channel| &channel.id).collect();
    assert_eq!(ids.len(), 4, "of one name, yet told apart");

    let merge = Rules { merge: true, priority: 1, ..Rules::default() };
    let met = Lineup::new(&[(Rules { merge: true, ..Rules::default() }, first), (merge, second)]);
    assert_eq!(shown(&met), ["Eins http://b/1 http://a/1 http://a/1", "Two http://b/2 http://a/2"]);
    for url in ["http://a/1", "http://b/1"] {
        let found = met.find(&MediaSourceId::new(guid::md5(url))).map(|channel| channel.name.as_str());
        assert_eq!(found, Some("Eins"), "{url}");
    }
    assert_eq!(met.channels()[0].sources[0].playlist, 1);
    assert_eq!(met.find(&MediaSourceId::new("other")), None);
}

#[test]
fn a_long_playlist_takes_no_time() {
    let entry = |at: usize| format!("#EXTINF:-1 tvg-id=\"{at}\",{at}\nhttp://a/{at}\n");
    let playlist = Arc::new(parse(&(0..50_000).map(entry).collect::<String>()));
    let rules = Rules { merge: true, ..Rules::default() };
    assert_eq!(Lineup::new(&[(rules, playlist)]).channels().len(), 50_000);
}

#[test]
fn rules_are_for_the_channels_they_name() {
    let playlist =
        list(&[("one", "One", "http://a/1"), ("two", "Two", "http://a/2"), ("", "Three", "http://a/3")]);
    let rule = |channel: &str| Override { channel: channel.to_owned(), ..Override::default() };
    let rules = Rules {
        user_agent: Some("VLC".to_owned()),
        headers: vec![("Referer".to_owned(), "http://r/".to_owned())],
        overrides: vec![
            Override { skip: true, ..rule("two") },
            Override {
                urls: vec![SourceUrl::new("rtp://239.0.0.1:1"), SourceUrl::new("http://c/1")],
                ..rule("one")
            },
            Override { produce: Some(Produce::Own), number: Some("3".to_owned()), ..rule("Three") },
            rule("Threee"),
        ],
        ..Rules::default()
    };
    let lineup = Lineup::new(&[(rules, playlist)]);
    assert_eq!(shown(&lineup), ["One rtp://239.0.0.1:1 http://c/1", "Three http://a/3"]);
    assert!(
        lineup.find(&MediaSourceId::new(guid::md5("http://a/1"))).is_some(),
        "as Jellyfin knows it still"
    );
    let three = &lineup.channels()[1];
    assert_eq!((three.produce, three.number.as_deref()), (Some(Produce::Own), Some("3")));
    let fields: Vec<_> = three.sources[0].fields().collect();
    assert_eq!(fields, [("User-Agent", "VLC"), ("Referer", "http://r/")]);
    assert_eq!(lineup.idle_rules(), [(0, "Threee".to_owned())]);
}

#[test]
fn our_own_playlist_names_the_same_channels() {
    let lineup = Lineup::new(&[(Rules::default(), Arc::new(parse(DIALECTS)))]);
    let site = Site::new("http://gate.example:8097/", Some("t0k"));
    let text = m3u::render(&lineup, &site);
    let served = parse(&text);
    assert_eq!(served.complaints, []);
    let lineup = lineup.served_at(&site);
    for (entry, channel) in served.entries.iter().zip(lineup.channels()) {
        assert_eq!(
            lineup.find(&entry.media_source),
            Some(channel),
            "a request that came of our own playlist"
        );
        assert!(lineup.is_served(&entry.media_source) && !lineup.is_served(&channel.media_sources[0]));
        assert_eq!((&entry.name, entry.number()), (&channel.name, channel.number.as_deref()));
        assert_eq!(entry.group, channel.group);
        assert_eq!(
            entry.url.expose(),
            format!("http://gate.example:8097/lineup/{}.ts?token=t0k", channel.id)
        );
    }
    assert_eq!(served.entries.len(), 3);
    assert_eq!(served.entries[0].attributes.get("catchup-days"), Some("3"), "what we do not know goes along");
    assert!(!text.contains("cdn.example"), "{text}");
}

#[test]
fn the_guide_has_each_channel_once() {
    let playlist =
        list(&[("a&b", "<One>", "http://a/1"), ("a&b", "One HD", "http://a/2"), ("", "Two", "http://a/3")]);
    let lineup = Lineup::new(&[(Rules::default(), playlist)]);
    let guide = xmltv::head(&lineup) + xmltv::END;
    assert!(
        guide.contains("<channel id=\"a&amp;b\"><display-name>&lt;One&gt;</display-name></channel>"),
        "{guide}"
    );
    assert_eq!(guide.matches("<channel ").count(), 2);
    let others = "<tv><channel id='x'/><programme start='1' channel=\"a&amp;b\">\n<title>T</title></programme>\
        <programme channel='other'><title>a&amp;b</title></programme><programme stop='2' channel='a&amp;b' ></programme><programme";
    let programmes = xmltv::programmes(others, &lineup);
    assert_eq!(programmes.matches("<programme").count(), 2, "{programmes}");
    assert!(programmes.contains("<title>T</title></programme>"), "{programmes}");
    assert!(guide.contains(&format!("<channel id=\"{}\"", lineup.channels()[2].id)));
}

/// Pieces of playlists in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "\\PC{0,12}",
        prop::sample::select(vec![
            "#EXTM3U",
            "#EXTINF:",
            "#EXTINF:-1 ",
            "#EXTGRP:",
            "#EXTVLCOPT:http-user-agent=",
            "#KODIPROP:",
            "tvg-id=\"",
            "\"",
            "'",
            ",",
            "=",
            "|",
            "\n",
            "\r\n",
            "\r",
            "\u{feff}",
            "http://a/1",
            "é",
            " ",
            "#EXT-X-TARGETDURATION:6",
            "inputstream.adaptive.stream_headers=a=%",
            "<",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_is_too_strange(text in pieces(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(parse(&decode(&bytes)).entries.len() <= bytes.len());
        let playlist = parse(&text);
        let lines = text.lines().count() + text.matches('\r').count();
        prop_assert!(playlist.complaints.iter().all(|complaint| complaint.line <= lines));
        let lineup = Lineup::new(&[(Rules { merge: true, ..Rules::default() }, Arc::new(playlist))]);
        // The gateway's own playlist can be read back.
        let served = parse(&m3u::render(&lineup, &Site::new("http://g", None)));
        prop_assert_eq!(served.entries.len(), lineup.channels().len());
        for (entry, channel) in served.entries.iter().zip(lineup.channels()) {
            prop_assert!(entry.url.expose().contains(channel.id.as_str()));
        }
    }
    #[test]
    fn of_any_guide_whole_programmes_are_taken(pieces in prop::collection::vec(prop::sample::select(vec![
        "<programme", "</programme>", " channel=", "\"", "'", "a&amp;b", "one", ">", "<", "é", " ", "\n",
    ]), 0..40)) {
        let guide = pieces.concat();
        let lineup = Lineup::new(&[(Rules::default(), list(&[("a&b", "One", "http://a/1")]))]);
        let taken = xmltv::programmes(&guide, &lineup);
        prop_assert!(taken.matches("</programme>").count() <= guide.matches("</programme>").count());
        prop_assert_eq!(xmltv::programmes(&taken, &lineup), taken);
    }
}
