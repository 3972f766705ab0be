//! Authentication: reads the token in each form that a version accepts, and finds its user (`AuthorizationContext.cs`).

use http::{HeaderMap, header};
use percent_encoding::percent_decode_str;

use crate::caller::Caller;
use crate::lock::lock;
use crate::parameters::Query;
use crate::response::Refusal;
use crate::settings::{Token, User, Version, server_id};
use crate::state::State;

/// The credentials of a request, unchecked.
#[derive(Debug, Default)]
pub(crate) struct Credentials {
    pub(crate) token: Option<String>,
    pub(crate) client: Option<String>,
    pub(crate) device_id: Option<String>,
}

impl Credentials {
    /// Reads them in the server's order; the first token that is not empty counts.
    pub(crate) fn read(headers: &HeaderMap, query: &Query, version: Version) -> Self {
        let field = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let legacy = match version {
            Version::V12 => false,
            Version::V10_11 => true,
        };
        let schemes: &[&str] = if legacy { &["MediaBrowser", "Emby"] } else { &["MediaBrowser"] };
        let fallback = || field("x-emby-authorization").filter(|_| legacy);
        let mut found =
            field("authorization").or_else(fallback).map_or_else(Self::default, |text| parse(text, schemes));
        let others = [
            field("x-emby-token").filter(|_| legacy),
            field("x-mediabrowser-token").filter(|_| legacy),
            query.get("ApiKey"),
            query.get("api_key").filter(|_| legacy),
        ];
        let own = found.token.take().filter(|token| !token.is_empty());
        found.token =
            own.or_else(|| others.into_iter().flatten().find(|token| !token.is_empty()).map(str::to_owned));
        found
    }
}

/// Parses `Authorization: MediaBrowser Client="..", Token=".."`, whose names have a fixed letter case and whose values are
/// URL-encoded.
fn parse(text: &str, schemes: &[&str]) -> Credentials {
    let mut found = Credentials::default();
    let Some((scheme, rest)) = text.trim().split_once(' ') else { return found };
    if !schemes.iter().any(|known| known.eq_ignore_ascii_case(scheme)) {
        return found;
    }
    for pair in rest.split(',') {
        let Some((name, value)) = pair.split_once('=') else { continue };
        let value = percent_decode_str(value.trim().trim_matches('"')).decode_utf8_lossy().into_owned();
        match name.trim() {
            "Token" => found.token = Some(value),
            "Client" => found.client = Some(value),
            "DeviceId" => found.device_id = Some(value),
            _ => {}
        }
    }
    found
}

/// Finds the sender of a request.
///
/// # Errors
/// [`Refusal::Unauthenticated`] without a token, and with an unknown one.
pub(crate) fn authenticate(state: &State, headers: &HeaderMap, query: &Query) -> Result<Caller, Refusal> {
    let given = Credentials::read(headers, query, state.server.settings.version);
    let token = given.token.ok_or(Refusal::Unauthenticated)?;
    let user_agent =
        headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let user_agent = user_agent.to_owned();
    if token == state.server.settings.api_key {
        let device_id = given.device_id.unwrap_or_else(server_id);
        return Ok(Caller { token, user: None, client: "API key".to_owned(), device_id, user_agent });
    }
    let users = lock(&state.server.users);
    let (user, device) = find(&users, &token).ok_or(Refusal::Unauthenticated)?;
    Ok(Caller {
        client: given.client.unwrap_or_else(|| device.client.clone()),
        device_id: given.device_id.unwrap_or_else(|| device.device_id.clone()),
        user: Some(user.clone()),
        token,
        user_agent,
    })
}

fn find<'a>(users: &'a [User], token: &str) -> Option<(&'a User, &'a Token)> {
    users.iter().find_map(|user| Some((user, user.tokens.iter().find(|device| device.value == token)?)))
}

/// Revokes a token.
pub(crate) fn revoke(state: &State, token: &str) {
    for user in lock(&state.server.users).iter_mut() {
        user.tokens.retain(|device| device.value != token);
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use crate::auth::Credentials;
    use crate::parameters::Query;
    use crate::settings::Version;

    fn token(header: Option<(&'static str, &'static str)>, query: &str, version: Version) -> Option<String> {
        let named =
            header.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        Credentials::read(&HeaderMap::from_iter(named), &Query::parse(query), version).token
    }

    #[test]
    fn each_version_accepts_its_own_forms_only() {
        let modern = Some(("authorization", r#"mediabrowser Client="Jellyfin%20Web", Token="t""#));
        let legacy = [
            (Some(("authorization", "Emby Token=t")), ""),
            (Some(("x-emby-authorization", "MediaBrowser Token=t")), ""),
            (Some(("x-emby-token", "t")), ""),
            (Some(("x-mediabrowser-token", "t")), ""),
            (None, "api_key=t"),
        ];
        for version in [Version::V12, Version::V10_11] {
            assert_eq!(token(modern, "", version).as_deref(), Some("t"));
            assert_eq!(token(None, "apikey=t", version).as_deref(), Some("t"));
        }
        for (header, query) in legacy {
            assert_eq!(token(header, query, Version::V12), None, "{header:?} {query}");
            assert_eq!(token(header, query, Version::V10_11).as_deref(), Some("t"), "{header:?} {query}");
        }
    }
}
