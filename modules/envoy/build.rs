//! Keeps the module in memory: its background thread runs on while Envoy replaces a configuration, and
//! would run into unmapped code after a `dlclose`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
