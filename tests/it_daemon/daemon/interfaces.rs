//! The manual's tables of listeners and adapters match the program.

use std::net::SocketAddr;

use portcullis::daemon::adapter::{Path, Place, Row, row};
use portcullis::runtime::config::{Adapters, Address, Config, ListenerId, Protocol, asked_at};
use portcullis::runtime::metrics::Adapter;

const MANUAL: &str = include_str!("../../../docs/configuration.md");

#[test]
fn each_listener_is_in_the_manual() {
    let default = Config::default().listeners;
    for id in ListenerId::ALL {
        let (name, kind) = (id.as_str(), id.kind());
        let address = SocketAddr::from(([127, 0, 0, 1], kind.port));
        let listener = default.setting(*id).0.as_ref().expect("it is on");
        assert_eq!(listener.address, Address::Tcp(address));
        let begin = format!("| `listeners.{name}` | `{address}` | ");
        let line = MANUAL.lines().find(|line| line.starts_with(&begin));
        let line = line.unwrap_or_else(|| panic!("no line `{begin}`"));
        let of_grpc = line.contains(" HTTP/2. |");
        assert_eq!(of_grpc, kind.protocol == Protocol::Http2, "{line}");
        for adapter in Adapter::ALL {
            // Envoy knows the path of gRPC itself.
            if asked_at(*adapter) == Some(*id) && *adapter != Adapter::grpc {
                let path = path(row(*adapter).expect("it has a listener").path);
                assert!(line.contains(&path), "{path}: {line}");
            }
        }
    }
}

#[test]
fn the_manuals_table_of_adapters_is_the_programs() {
    let mut table = MANUAL
        .lines()
        .skip_while(|line| !line.starts_with("| Adapter | Listener | Path |"))
        .take_while(|line| line.starts_with('|'));
    assert!(table.next().is_some() && table.next().is_some());
    let manual: Vec<&str> = table.collect();
    let ours: Vec<String> = Adapter::ALL
        .iter()
        .filter_map(|adapter| {
            let row = row(*adapter)?;
            let places = [
                row.method,
                row.target,
                row.host,
                row.scheme,
                row.address,
                row.certificate,
            ];
            Some(format!(
                "| `{}` | `{}` | `{}` | {} |",
                adapter.as_str(),
                asked_at(*adapter)?.as_str(),
                path(row.path),
                places.map(place).join(" | "),
            ))
        })
        .collect();
    assert_eq!(manual, ours);
}

/// Everything configurable has a setting, and nothing else has one.
#[test]
fn an_adapter_is_configured_where_its_row_says_so() {
    let config = Adapters::default();
    for (adapter, settings) in config.iter() {
        // A module sees the connection itself.
        let row = row(adapter);
        let is = |place: fn(&Row) -> Place| row.is_some_and(|row| place(row) == Place::Configured);
        let name = adapter.as_str();
        let configured = [
            (settings.scheme.is_some(), is(|row| row.scheme)),
            (settings.address.is_some(), is(|row| row.address)),
            (settings.certificate.is_some(), is(|row| row.certificate)),
        ];
        for (has_setting, is_configured) in configured {
            assert_eq!(has_setting, is_configured, "{name}");
        }
    }
}

fn path(path: Path) -> String {
    match path {
        Path::At(path) => path.to_owned(),
        Path::Before(path) => format!("{path}/…"),
    }
}

fn place(place: Place) -> String {
    match place {
        Place::Header(name) => format!("header `{name}`"),
        Place::RequestLine => "request line".to_owned(),
        Place::CheckRequest => "CheckRequest".to_owned(),
        Place::Field(name) => format!("field `{name}`"),
        Place::Configured => "configured".to_owned(),
    }
}
