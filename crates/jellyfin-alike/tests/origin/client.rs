//! An HTTP client of one server, and the calls that every test makes.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jellyfin_alike::{Channel, Origin};
use serde_json::{Value, json};

use crate::wait::soon;

pub(crate) struct Client {
    base: String,
    pool: Pool<HttpConnector, Full<Bytes>>,
}

pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Client {
    pub(crate) fn of(origin: &Origin) -> Self {
        Self::at(&origin.addr().to_string())
    }

    pub(crate) fn at(address: &str) -> Self {
        let pool = Pool::builder(TokioExecutor::new()).build(HttpConnector::new());
        Self { base: format!("http://{address}"), pool }
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Reply {
        self.try_send(method, path, headers, body).await.unwrap()
    }

    pub(crate) async fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Reply, Box<dyn std::error::Error>> {
        let method = Method::from_bytes(method.as_bytes())?;
        let bytes = body.map_or_else(Bytes::new, |value| value.to_string().into());
        let mut request =
            Request::builder().method(method).uri(format!("{}{path}", self.base)).body(Full::new(bytes))?;
        if body.is_some() {
            request.headers_mut().insert(header::CONTENT_TYPE, "application/json".parse()?);
        }
        for (name, value) in headers {
            request.headers_mut().insert(HeaderName::from_bytes(name.as_bytes())?, value.parse()?);
        }
        let exchange = async {
            let (parts, body) = self.pool.request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok(Reply { status: parts.status, headers: parts.headers, body })
        };
        soon(exchange).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], None).await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: &Value) -> Reply {
        self.send("POST", path, &[("authorization", &bearer(token, "dev-a"))], Some(body)).await
    }

    /// Opens a channel as a player does, and returns its media source.
    pub(crate) async fn play(&self, channel: &Channel, token: &str) -> Value {
        let path = format!("/Items/{}/PlaybackInfo?AutoOpenLiveStream=true", channel.item_id);
        let reply = self.post(&path, token, &profile()).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let mut answer = reply.json();
        let mut source = answer["MediaSources"][0].take();
        source["PlaySessionId"] = answer["PlaySessionId"].take();
        source
    }

    /// Starts the job of a media source, and returns the first playlist and its id.
    pub(crate) async fn start(&self, source: &Value) -> (String, String) {
        let url = source["TranscodingUrl"].as_str().unwrap().replace("master.m3u8", "live.m3u8");
        let reply = self.get(&url).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let text = reply.text().to_owned();
        let id = text.split('/').nth(1).unwrap().to_owned();
        (text, id)
    }
}

pub(crate) fn bearer(token: &str, device: &str) -> String {
    format!(r#"MediaBrowser Client="Test", Device="Test", DeviceId="{device}", Version="1", Token="{token}""#)
}

/// A device profile like that of the recorded client.
pub(crate) fn profile() -> Value {
    json!({"DeviceProfile": {"MaxStreamingBitrate": 120_000_000, "TranscodingProfiles": [{
        "Container": "ts", "Type": "Video", "AudioCodec": "aac,mp3,mp2", "VideoCodec": "h264", "Protocol": "hls",
        "MaxAudioChannels": "2", "MinSegments": "1",
    }]}})
}

pub(crate) fn by_id(id: &str) -> String {
    format!("/Videos/x/hls/{id}/{id}.m3u8")
}
