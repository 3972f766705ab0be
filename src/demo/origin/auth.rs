//! Who asks: the token in each accepted form, and whose it is (`AuthorizationContext.cs`).

use http::HeaderMap;
use percent_encoding::percent_decode_str;

use crate::demo::origin::answer::Refusal;
use crate::demo::origin::fields::Query;
use crate::demo::origin::lock;
use crate::demo::origin::settings::{Policy, Token, User, Version};
use crate::demo::origin::state::State;

/// An authenticated asker.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// The token or key they came with.
    pub(super) token: String,
    /// Nobody for an API key.
    pub(super) user: Option<User>,
    /// The app; with the device id it names the session.
    pub(super) client: String,
    pub(super) device_id: String,
}

impl Caller {
    /// The session's name, as the server keys it.
    pub(super) fn session(&self) -> String {
        format!("{}{}", self.client, self.device_id)
    }

    /// An API key may do everything.
    pub(super) fn policy(&self) -> Policy {
        self.user.as_ref().map_or_else(Policy::default, |user| user.policy)
    }
}

/// What a request says of its sender.
#[derive(Debug, Default)]
pub(super) struct Credentials {
    pub(super) token: Option<String>,
    pub(super) client: Option<String>,
    pub(super) device_id: Option<String>,
}

impl Credentials {
    /// Reads them in the server's order: the first token that is not empty wins.
    pub(super) fn read(headers: &HeaderMap, query: &Query, version: Version) -> Self {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let legacy = match version {
            Version::V12 => false,
            Version::V10_11 => true,
        };
        let schemes: &[&str] = if legacy { &["MediaBrowser", "Emby"] } else { &["MediaBrowser"] };
        let fallback = || header("x-emby-authorization").filter(|_| legacy);
        let mut found =
            header("authorization").or_else(fallback).map_or_else(Self::default, |text| parts(text, schemes));
        let others = [
            header("x-emby-token").filter(|_| legacy),
            header("x-mediabrowser-token").filter(|_| legacy),
            query.get("ApiKey"),
            query.get("api_key").filter(|_| legacy),
        ];
        let own = found.token.take().filter(|token| !token.is_empty());
        found.token =
            own.or_else(|| others.into_iter().flatten().find(|token| !token.is_empty()).map(str::to_owned));
        found
    }
}

/// The grammar of `Authorization: MediaBrowser Client="..", Token=".."`: names keep their case, values are URL-encoded.
fn parts(text: &str, schemes: &[&str]) -> Credentials {
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

/// Finds who a request is from.
///
/// # Errors
/// [`Refusal::Unauthenticated`] without a token, and with one that nobody has.
pub(super) fn authenticate(state: &State, headers: &HeaderMap, query: &Query) -> Result<Caller, Refusal> {
    let given = Credentials::read(headers, query, state.settings.version);
    let token = given.token.ok_or(Refusal::Unauthenticated)?;
    if token == state.settings.api_key {
        let device_id = given.device_id.unwrap_or_else(crate::demo::origin::library::server_id);
        return Ok(Caller { token, user: None, client: "API key".to_owned(), device_id });
    }
    let users = lock(&state.users);
    let (user, device) = owner(&users, &token).ok_or(Refusal::Unauthenticated)?;
    Ok(Caller {
        client: given.client.unwrap_or_else(|| device.client.clone()),
        device_id: given.device_id.unwrap_or_else(|| device.device_id.clone()),
        user: Some(user.clone()),
        token,
    })
}

fn owner<'a>(users: &'a [User], token: &str) -> Option<(&'a User, &'a Token)> {
    users.iter().find_map(|user| Some((user, user.tokens.iter().find(|device| device.value == token)?)))
}

/// Makes a token unknown.
pub(super) fn revoke(state: &State, token: &str) {
    for user in lock(&state.users).iter_mut() {
        user.tokens.retain(|device| device.value != token);
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use crate::demo::origin::auth::Credentials;
    use crate::demo::origin::fields::Query;
    use crate::demo::origin::settings::Version;

    fn token(header: Option<(&'static str, &'static str)>, query: &str, version: Version) -> Option<String> {
        let named =
            header.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        Credentials::read(&HeaderMap::from_iter(named), &Query::parse(query), version).token
    }

    #[test]
    fn each_version_takes_its_forms_only() {
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
