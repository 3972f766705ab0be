//! The PROXY protocol, versions 1 and 2 (doc/proxy-protocol.txt in HAProxy's source): what a proxy that passes bytes on says first, so
//! that the gateway knows whose they are.
//!
//! It does not know which peers are believed, and reads not one byte of what follows.

use std::io;
use std::net::SocketAddr;

use proxy_header::{ParseConfig, ProxyHeader};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What a header of version 2 begins with.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// What a header of version 1 begins with.
const WORD: &[u8] = b"PROXY ";
/// The most bytes of a header of version 1.
const LINE: usize = 107;
/// The most bytes that are read of a header of version 2, which may be 64 KiB by its grammar.
const LONGEST: u16 = 4096;

/// Whose connection it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Client {
    /// The client's address.
    pub(super) address: SocketAddr,
    /// Whether the proxy speaks TLS with it.
    pub(super) is_secure: bool,
}

/// Why there is no header to go by.
#[derive(Debug, thiserror::Error)]
pub(super) enum HeaderError {
    /// The connection ended or failed before.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It begins with something else.
    #[error("the connection does not begin with a PROXY header")]
    Missing,
    /// It has more bytes than are read.
    #[error("the PROXY header is too long")]
    TooLong,
    /// It does not follow the grammar.
    #[error("the PROXY header cannot be read: {0}")]
    Malformed(#[from] proxy_header::Error),
}

/// Reads the header at the beginning of `stream`: whose connection it is, or `None` if the proxy does not know, or comes for itself.
///
/// # Errors
/// If there is none, or it cannot be read.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<Client>, HeaderError> {
    // No header of either version is shorter.
    let mut header = vec![0; SIGNATURE.len()];
    stream.read_exact(&mut header).await?;
    if header == SIGNATURE {
        let mut rest = [0; 4];
        stream.read_exact(&mut rest).await?;
        header.extend(rest);
        let length = u16::from_be_bytes([rest[2], rest[3]]);
        if length > LONGEST {
            return Err(HeaderError::TooLong);
        }
        let begun = header.len();
        header.resize(begun + usize::from(length), 0);
        stream.read_exact(&mut header[begun..]).await?;
    } else if header.starts_with(WORD) {
        while !header.ends_with(b"\r\n") {
            if header.len() == LINE {
                return Err(HeaderError::TooLong);
            }
            header.push(stream.read_u8().await?);
        }
    } else {
        return Err(HeaderError::Missing);
    }
    let (header, _) = ProxyHeader::parse(&header, ParseConfig::default())?;
    let is_secure = header.ssl().is_some_and(|ssl| ssl.client_ssl());
    Ok(header.proxied_address().map(|proxied| Client { address: proxied.source, is_secure }))
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use proptest::prelude::*;
    use proxy_header::{ProxiedAddress, SslInfo, Tlv};

    use super::*;

    /// What is read of a header, and how many bytes of the request after it are left.
    async fn of(header: &[u8]) -> (Result<Option<Client>, String>, usize) {
        let bytes = [header, b"GET / HTTP/1.1\r\n"].concat();
        let mut stream = &bytes[..];
        let read = read(&mut stream).await.map_err(|error| error.to_string());
        (read, stream.len())
    }

    fn client(address: &str, is_secure: bool) -> Option<Client> {
        Some(Client { address: address.parse().unwrap(), is_secure })
    }

    fn version_2(is_secure: bool) -> Vec<u8> {
        let address =
            ProxiedAddress::stream("192.0.2.7:4711".parse().unwrap(), "10.0.0.1:8097".parse().unwrap());
        let ssl = SslInfo::new(is_secure, false, false, 0);
        let mut bytes = Vec::new();
        ProxyHeader::with_tlvs(Some(address), [Tlv::Ssl(ssl)]).encode_v2(&mut bytes).unwrap();
        bytes
    }

    #[tokio::test]
    async fn both_versions_are_read_and_nothing_after_them() {
        for (header, expected) in [
            (b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 8097\r\n".to_vec(), client("192.0.2.7:4711", false)),
            (b"PROXY TCP6 2001:db8::7 ::1 4711 8097\r\n".to_vec(), client("[2001:db8::7]:4711", false)),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (version_2(false), client("192.0.2.7:4711", false)),
            (version_2(true), client("192.0.2.7:4711", true)),
            ([SIGNATURE, b"\x20\0\0\0"].concat(), None),
        ] {
            assert_eq!(of(&header).await, (Ok(expected), 16));
        }
    }

    #[tokio::test]
    async fn anything_else_is_an_error() {
        for (header, said) in [
            (b"GET / HTTP/1.1\r\nHost: tv\r\n\r\n".to_vec(), "does not begin"),
            (b"PROXY TCP4 1.2.3.4 300.0.0.1 1 2\r\n".to_vec(), "cannot be read"),
            ([b"PROXY UNKNOWN ", &[b'x'; 200][..]].concat(), "too long"),
            ([SIGNATURE, b"\x21\x11\xff\xff"].concat(), "too long"),
            ([SIGNATURE, b"\x21\x11\0\x01x"].concat(), "cannot be read"),
        ] {
            let (read, _) = of(&header).await;
            assert!(read.as_ref().is_err_and(|error| error.contains(said)), "{read:?}");
        }
    }
    proptest! {
        #[test]
        fn nothing_is_too_strange_and_no_more_is_read_than_it_takes(
            begins in prop::sample::select(vec![WORD, b"PROXY TCP6 ", b"", SIGNATURE, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0"]),
            rest in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let of = |bytes: &[u8]| {
                let mut left = bytes;
                let client = read(&mut left).now_or_never().expect("it is all there").ok();
                (client, bytes.len() - left.len())
            };
            let bytes = [begins, &rest[..], b"\r\n"].concat();
            let (client, length) = of(&bytes);
            if client.is_some() {
                prop_assert_eq!(of(&bytes[..length]), (client, length));
            }
        }
    }
}
