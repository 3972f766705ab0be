//! The playlists of viewers who are made up from one that has tuned in, so that a crowd of them costs no openings.

use anyhow::Context as _;

/// The path and query of the same playlist as viewer `number` asks for it with `token`. Its segments lie in the same folder.
pub(crate) fn own_playlist(playlist: &str, number: usize, token: &str) -> anyhow::Result<String> {
    let (path, query) = playlist.split_once('?').context("a query")?;
    let path = path.split_once("/hls/wg").context("a folder of the viewer's")?.0;
    let own = |pair: &str| match pair.split_once('=').unwrap_or_default().0.to_lowercase().as_str() {
        "playsessionid" => format!("PlaySessionId={:032x}", number + 1),
        "deviceid" => format!("DeviceId=device-{number}"),
        "apikey" | "api_key" => format!("ApiKey={token}"),
        _ => pair.to_owned(),
    };
    let query = query.split('&').map(own).collect::<Vec<_>>().join("&");
    Ok(format!("{path}/hls/wg{:032x}/live.m3u8?{query}", number + 1))
}
