//! From what Envoy shows of a request to the request that is decided.

use std::net::{IpAddr, SocketAddr};

use portcullis_embed::Request;

/// The request with these headers, pseudo-headers among them, in the order in which Envoy has them.
pub fn read<'a>(
    headers: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    address: Option<IpAddr>,
    certificate: Option<[u8; 32]>,
) -> Request {
    let mut request = Request {
        headers: Vec::with_capacity(headers.size_hint().0),
        address,
        certificate,
        ..Request::default()
    };
    for (name, value) in headers {
        match name {
            b":method" => request.method = value.to_vec(),
            b":path" => request.target = value.to_vec(),
            b":scheme" => request.scheme = Some(value.to_vec()),
            b":authority" => request.host = Some(value.to_vec()),
            // Envoy has made it `:authority`.
            b"host" => {}
            [b':', ..] => {}
            // Envoy lets no name through that is not ASCII.
            _ => {
                let name = String::from_utf8_lossy(name).into_owned();
                request.headers.push((name, value.to_vec()));
            }
        }
    }
    request
}

/// Envoy's attribute `source.address`, which has the port. A Unix socket is no IP address.
pub fn address(address: &str) -> Option<IpAddr> {
    let with_port = address.parse().map(|address: SocketAddr| address.ip());
    with_port.or_else(|_| address.parse()).ok()
}

/// Its attribute `connection.sha256_peer_certificate_digest`; empty where the client showed no
/// certificate.
pub fn digest(digest: &str) -> Option<[u8; 32]> {
    let digest = digest.as_bytes();
    if digest.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digest.chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        if !pair.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[(&str, &str)]) -> Request {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        read(headers, None, None)
    }

    #[test]
    fn pseudo_headers_are_no_headers() {
        let request = of(&[
            (":method", "GET"),
            (":path", "/orders?page=2"),
            (":authority", "api.example.com"),
            (":scheme", "https"),
            (":protocol", "websocket"),
            ("accept", "a"),
            ("authorization", "Bearer t"),
            ("accept", "b"),
        ]);
        assert_eq!(request.method, b"GET");
        assert_eq!(request.target, b"/orders?page=2");
        assert_eq!(request.host.as_deref(), Some(b"api.example.com".as_slice()));
        assert_eq!(request.scheme.as_deref(), Some(b"https".as_slice()));
        let headers: Vec<(&str, &[u8])> = request
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_slice()))
            .collect();
        assert_eq!(
            headers,
            [
                ("accept", b"a".as_slice()),
                ("authorization", b"Bearer t"),
                ("accept", b"b"),
            ]
        );
    }

    #[test]
    fn what_is_missing_stays_missing() {
        let request = of(&[("accept", "a")]);
        assert_eq!((request.method, request.target), (Vec::new(), Vec::new()));
        assert_eq!((request.host, request.scheme), (None, None));
    }

    #[test]
    fn addresses() {
        for (written, read) in [
            ("192.0.2.7:4711", Some("192.0.2.7")),
            ("[2001:db8::7]:4711", Some("2001:db8::7")),
            ("192.0.2.7", Some("192.0.2.7")),
            ("/run/envoy.sock", None),
            ("", None),
        ] {
            let read = read.and_then(|read| read.parse::<IpAddr>().ok());
            assert_eq!(address(written), read, "{written}");
        }
    }

    #[test]
    fn digests() {
        let digest = "00ff10".to_owned() + &"ab".repeat(29);
        let read = super::digest(&digest);
        assert_eq!(
            read.map(|bytes| bytes[..4].to_vec()),
            Some(vec![0, 255, 16, 171])
        );
        let signs = "+f".repeat(32);
        for wrong in ["", "ab", &"g".repeat(64), &"é".repeat(32), &signs] {
            assert_eq!(super::digest(wrong), None, "{wrong}");
        }
    }
}
