//! Puts a fragment of `proxy-config envoy` into a whole configuration.

use std::fs;
use std::path::Path;

use serde_yaml::Value;

/// `deploy/`'s file with the pieces of a fragment in place of its own.
pub fn config(fragment: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/envoy/ext-authz-grpc.yaml");
    let file = fs::read_to_string(path).expect("deploy/'s file");
    let mut config: Value = serde_yaml::from_str(&file).expect("YAML");
    let mut fragment: Value = serde_yaml::from_str(fragment).expect("YAML");
    let resources = &mut config["static_resources"];
    let manager = &mut resources["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
    let settings = fragment["http_connection_manager"]
        .as_mapping_mut()
        .expect("settings of the connection manager");
    for (name, value) in std::mem::take(settings) {
        manager[name] = value;
    }
    let filters = fragment["http_filters"].as_sequence_mut().expect("filters");
    let router = manager["http_filters"]
        .as_sequence()
        .and_then(|filters| filters.last())
        .expect("a router")
        .clone();
    filters.push(router);
    manager["http_filters"] = fragment["http_filters"].clone();
    let clusters = resources["clusters"].as_sequence_mut().expect("clusters");
    clusters.truncate(1);
    // The module needs none.
    if let Some(own) = fragment["clusters"].as_sequence() {
        clusters.extend(own.iter().cloned());
    }
    serde_yaml::to_string(&config).expect("YAML")
}
