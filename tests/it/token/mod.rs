//! Tokens: parsing, kinds, verification, admission.

mod bad;
mod conformance;
mod introspected;
mod judge;
mod kinds;
mod oracle;
mod properties;
mod providers;
mod rfc8725;
mod sender;
mod signature;
mod whose;
mod world;
