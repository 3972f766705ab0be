//! The guide as clients see it (`LiveTvController.GetLiveTvPrograms`).

use std::time::SystemTime;

use serde_json::{Value, json};

use crate::caller::Caller;
use crate::channel::Channel;
use crate::date;
use crate::guid;
use crate::parameters::Query;
use crate::programme::Programme;
use crate::response::{Refusal, Response, json};
use crate::settings::server_id;
use crate::state::State;

/// `GET /LiveTv/Programs`, by channel and by what is on.
///
/// # Errors
/// [`Refusal::Forbidden`] without the right to live TV.
pub(crate) fn list(state: &State, caller: &Caller, query: &Query) -> Result<Response, Refusal> {
    if !caller.policy().live_tv {
        return Err(Refusal::Forbidden);
    }
    let now = SystemTime::now();
    let ids: Vec<_> = query.get("ChannelIds").unwrap_or_default().split(',').map(guid::normalize).collect();
    let is_airing = query.get("IsAiring").is_some_and(|airing| airing.eq_ignore_ascii_case("true"));
    let limit = query.get("Limit").and_then(|limit| limit.parse().ok()).unwrap_or(usize::MAX);
    let channel = |programme: &Programme| {
        state.server.channels().iter().find(|channel| channel.number == programme.channel)
    };
    let all = state
        .server
        .settings
        .programmes
        .iter()
        .filter_map(|programme| Some((programme, channel(programme)?)));
    let wanted = all.filter(|(programme, channel)| {
        ids.contains(&channel.item_id) && (!is_airing || (programme.start <= now && now < programme.end))
    });
    let items: Vec<_> = wanted.take(limit).map(|(programme, channel)| as_json(programme, channel)).collect();
    Ok(json(&json!({"Items": items, "TotalRecordCount": items.len(), "StartIndex": 0})))
}

/// The JSON of a programme's `BaseItemDto`.
fn as_json(programme: &Programme, channel: &Channel) -> Value {
    let start = date::format(programme.start);
    json!({
        "Name": format!("Programme of channel {}", channel.number), "ServerId": server_id(),
        "Id": guid::md5(&format!("{}{start}", channel.item_id)), "ChannelId": channel.item_id, "ChannelName": channel.name,
        "StartDate": start, "EndDate": date::format(programme.end), "Type": "Program", "MediaType": "Unknown",
    })
}
