//! How the module is linked.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // nginx unloads a module when the configuration that loaded it is gone. This one's code has to stay: other
    // configurations and threads of the process may still use it.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
