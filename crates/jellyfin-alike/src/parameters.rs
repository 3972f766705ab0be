//! The parameters of a request, from its query and its JSON body. Names match in any letter case.

use http::{HeaderMap, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::response::Refusal;

/// Kestrel's limit of a request's body, in bytes.
const BODY_LIMIT: usize = 30_000_000;

/// A decoded query. Of several values the first counts, as for ASP.NET Core's typed parameters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    raw: String,
    pairs: Vec<(String, String)>,
}

impl Query {
    pub(crate) fn parse(raw: &str) -> Self {
        // A query that is encoded as a whole is decoded first (`QueryStringDecodingMiddleware.cs`).
        let encoded = !raw.contains(['=', '&']) && raw.to_ascii_lowercase().contains("%3d");
        let raw = if encoded { decode(raw) } else { raw.to_owned() };
        let pairs = raw
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .filter(|(name, _)| !name.is_empty())
            .map(|(name, value)| (decode(name), decode(value)))
            .collect();
        Self { raw, pairs }
    }

    /// The query as it was sent.
    pub(crate) fn raw(&self) -> &str {
        &self.raw
    }

    /// The value of a parameter; `None` if it is absent or empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.pairs.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        boolean(self.get(name)?)
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// A query and a JSON body; the query overrides the body, and an empty text for a number counts as absent.
#[derive(Debug)]
pub(crate) struct Parameters {
    pub(crate) query: Query,
    pub(crate) body: Value,
}

impl Parameters {
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let from_body = || member(&self.body, name).and_then(Value::as_str).filter(|text| !text.is_empty());
        self.query.get(name).or_else(from_body).map(str::to_owned)
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.query.number(name).or_else(|| number(member(&self.body, name)?))
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.query.flag(name).or_else(|| match member(&self.body, name)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => boolean(text),
            Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
        })
    }
}

/// The member of a JSON object with this name, in any letter case.
pub(crate) fn member<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    object.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// A number, or a text that spells one.
pub(crate) fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// Reads the body of a request; `Null` if it is empty.
///
/// # Errors
/// As ASP.NET Core's model binding: [`Refusal::MediaType`] for a body not declared as JSON, [`Refusal::BadRequest`] for one
/// that is too long or no JSON.
pub(crate) async fn read_json(headers: &HeaderMap, body: Incoming) -> Result<Value, Refusal> {
    let bytes = Limited::new(body, BODY_LIMIT).collect().await.map_err(|_| Refusal::BadRequest)?.to_bytes();
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    match content_type {
        Some(name) if name.to_ascii_lowercase().contains("json") => {
            serde_json::from_slice(&bytes).map_err(|_| Refusal::BadRequest)
        }
        Some(_) | None => Err(Refusal::MediaType),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::parameters::{Parameters, Query};

    #[test]
    fn names_have_any_case_and_empty_pairs_are_dropped() {
        let query = Query::parse("&PlaySessionId=p&=x&a=1&A=2&codec=a%2Cb&empty=");
        assert_eq!(query.get("playsessionid"), Some("p"));
        assert_eq!(query.number("a"), Some(1));
        assert_eq!(query.get("Codec"), Some("a,b"));
        assert_eq!(query.get("empty"), None);
    }

    #[test]
    fn a_query_encoded_as_a_whole_is_decoded() {
        let query = Query::parse("A%3Db%26c%3Dd");
        assert_eq!((query.get("a"), query.get("C")), (Some("b"), Some("d")));
    }

    #[test]
    fn the_query_overrides_the_body_and_empty_text_is_no_number() {
        let body = json!({"userid": "u", "AutoOpenLiveStream": true, "subtitleStreamIndex": "", "Max": "12"});
        let fields = Parameters { query: Query::parse("autoOpenLiveStream=false"), body };
        assert_eq!(fields.text("UserId").as_deref(), Some("u"));
        assert_eq!(fields.flag("AutoOpenLiveStream"), Some(false));
        assert_eq!((fields.number("SubtitleStreamIndex"), fields.number("max")), (None, Some(12)));
    }
}
