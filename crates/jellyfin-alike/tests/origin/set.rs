//! A server, a client of it and its first user's token.

use http::StatusCode;
use jellyfin_alike::{Counts, Origin, Settings, Version};
use serde_json::{Value, json};

use crate::client::Client;

pub(crate) struct Set {
    pub(crate) origin: Origin,
    pub(crate) client: Client,
    pub(crate) token: String,
}

pub(crate) async fn set_up(settings: Settings) -> Set {
    let token = settings.users[0].token().to_owned();
    let origin = Origin::start(settings).await.unwrap();
    Set { client: Client::of(&origin), origin, token }
}

pub(crate) fn quick(version: Version) -> Settings {
    Settings { version, ..Settings::quick() }
}

impl Set {
    pub(crate) async fn play(&self, number: usize) -> Value {
        self.client.play(&self.origin.channels()[number - 1], &self.token).await
    }

    pub(crate) async fn report(&self, kind: &str, source: &Value) -> StatusCode {
        let body = json!({"PlaySessionId": source["PlaySessionId"], "LiveStreamId": source["LiveStreamId"]});
        self.client.post(&format!("/Sessions/Playing{kind}"), &self.token, &body).await.status
    }

    pub(crate) fn counts(&self) -> Counts {
        self.origin.counts()
    }

    pub(crate) fn consumers(&self) -> usize {
        self.counts().consumers.values().sum()
    }

    pub(crate) async fn status(&self, path: &str) -> u16 {
        self.client.get(path).await.status.as_u16()
    }
}
