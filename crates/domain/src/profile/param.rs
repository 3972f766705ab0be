//! Says what each parameter of `live.m3u8` means for the encoding (`DynamicHlsController.GetLiveHlsStream`, Jellyfin 10.8
//! to 12.0).
//!
//! It looks at one name and one value at a time; the profile knows what they mean together.

use crate::container::Container;
use crate::profile::unshareable::Unshareable;

/// How a parameter enters the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// It does not: it changes no byte of the output, or says what is watched and not how.
    Ignored,
    /// It is a choice of the client that changes the output.
    Wish(Kind),
    /// Jellyfin derived it from the source.
    Derived(Kind),
    /// It is a per-codec option (`h264-level`), which Jellyfin derived from the source.
    Limit,
    /// A value other than the default makes the request unshareable.
    Refused(Kind, Unshareable),
}

/// How a value is spelled canonically, and which value equals its absence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Any text, byte for byte.
    Text,
    /// Text without letter case, and its default.
    Word(&'static str),
    /// Codecs by preference.
    Codecs,
    /// A boolean, and its default.
    Flag(bool),
    /// A whole number, and its default.
    Integer(Option<i64>),
    /// A number with a fraction.
    Fraction,
}

/// The canonical name of a parameter, and its rule.
///
/// Names that Jellyfin binds have no letter case. Other names that begin with a lower-case letter are stream options
/// (`StreamingHelpers.ParseStreamOptions`), in which letter case counts.
pub(super) fn classify(name: &str) -> (String, Rule) {
    let folded = name.to_ascii_lowercase();
    if let Some(rule) = bound(&folded) {
        return (folded, rule);
    }
    if folded.starts_with("_hls_") {
        return (folded, Rule::Ignored);
    }
    match name.chars().next() {
        Some(first) if first.is_lowercase() => (name.to_owned(), stream_option(name)),
        Some(first) if first.is_ascii_uppercase() => {
            (format!("{first}{}", &folded[1..]), Rule::Wish(Kind::Text))
        }
        Some(_) => (folded, Rule::Wish(Kind::Text)),
        None => (folded, Rule::Ignored),
    }
}

/// The canonical spelling of a value; `None` if it equals the parameter's absence.
pub(super) fn canonical(kind: Kind, value: &str) -> Option<String> {
    if value.is_empty() {
        return None;
    }
    // A value that cannot be read is upstream's to refuse: it stays as it is and shares with nothing else.
    let unread = || Some(value.to_owned());
    match kind {
        Kind::Text => unread(),
        Kind::Word(default) => Some(value.to_ascii_lowercase()).filter(|word| word != default),
        Kind::Codecs => some_text(codecs(value).join(",")),
        Kind::Flag(default) => match flag(value) {
            Some(read) => (read != default).then(|| read.to_string()),
            None => unread(),
        },
        Kind::Integer(default) => match value.trim().parse::<i64>() {
            Ok(read) => (Some(read) != default).then(|| read.to_string()),
            Err(_) => unread(),
        },
        Kind::Fraction => match value.trim().parse::<f64>() {
            Ok(read) if read.is_finite() => Some(read.to_string()),
            Ok(_) | Err(_) => unread(),
        },
    }
}

/// The canonical spelling of a stream option's value, which may be any text.
pub(super) fn canonical_limit(value: &str) -> Option<String> {
    some_text(flag(value).map_or_else(|| value.to_owned(), |read| read.to_string()))
}

fn bound(folded: &str) -> Option<Rule> {
    Some(match folded {
        "livestreamid"
        | "mediasourceid"
        | "playsessionid"
        | "deviceid"
        | "tag"
        | "transcodereasons"
        | "deviceprofileid"
        | "minsegments"
        | "breakonnonkeyframes"
        | "enablesubtitlesinmanifest"
        | "enablempegtsm2tsmode"
        | "estimatecontentlength"
        | "transcodeseekinfo"
        | "copytimestamps"
        | "context"
        | "container"
        | "cpucorelimit"
        | "cmcd" => Rule::Ignored,
        // Tokens in any spelling are no part of a profile, and must not be logged with one.
        "apikey" | "api_key" | "token" | "access_token" | "x-emby-token" | "x-mediabrowser-token" => {
            Rule::Ignored
        }
        "videocodec" | "subtitlecodec" => Rule::Wish(Kind::Codecs),
        "audiocodec" => Rule::Derived(Kind::Codecs),
        "audiobitrate" => Rule::Derived(Kind::Integer(None)),
        "maxframerate" => Rule::Derived(Kind::Fraction),
        "framerate" => Rule::Wish(Kind::Fraction),
        "videobitrate"
        | "audiosamplerate"
        | "audiochannels"
        | "maxaudiochannels"
        | "transcodingmaxaudiochannels"
        | "maxaudiobitdepth"
        | "width"
        | "height"
        | "maxwidth"
        | "maxheight"
        | "maxrefframes"
        | "maxvideobitdepth"
        | "segmentlength" => Rule::Wish(Kind::Integer(None)),
        "audiostreamindex" | "videostreamindex" | "subtitlestreamindex" => {
            Rule::Wish(Kind::Integer(Some(-1)))
        }
        "profile" | "level" | "subtitlemethod" => Rule::Wish(Kind::Word("")),
        "enableaudiovbrencoding"
        | "enableautostreamcopy"
        | "allowvideostreamcopy"
        | "allowaudiostreamcopy" => Rule::Wish(Kind::Flag(true)),
        "requireavc" | "requirenonanamorphic" | "deinterlace" | "alwaysburninsubtitlewhentranscoding" => {
            Rule::Wish(Kind::Flag(false))
        }
        "segmentcontainer" => {
            Rule::Refused(Kind::Word(Container::MpegTs.extension()), Unshareable::Container)
        }
        "starttimeticks" => Rule::Refused(Kind::Integer(Some(0)), Unshareable::StartTime),
        "static" => Rule::Refused(Kind::Flag(false), Unshareable::Static),
        "params" => Rule::Refused(Kind::Text, Unshareable::Params),
        _ => return None,
    })
}

fn stream_option(name: &str) -> Rule {
    const OPTIONS: [&str; 10] = [
        "profile",
        "level",
        "rangetype",
        "videobitdepth",
        "maxrefframes",
        "deinterlace",
        "codectag",
        "rotation",
        "audiochannels",
        "audiobitdepth",
    ];
    match name.rsplit_once('-') {
        Some((_, option)) if OPTIONS.contains(&option) => Rule::Limit,
        Some(_) | None => Rule::Wish(Kind::Text),
    }
}

/// The codecs named, each once; Jellyfin 10.8 repeats them.
fn codecs(value: &str) -> Vec<String> {
    let mut codecs = Vec::new();
    for codec in value.split(',').map(|codec| codec.trim().to_ascii_lowercase()) {
        if !codec.is_empty() && !codecs.contains(&codec) {
            codecs.push(codec);
        }
    }
    codecs
}

fn flag(value: &str) -> Option<bool> {
    match value.trim().to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

fn some_text(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}
