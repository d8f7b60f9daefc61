//! The difference between two policies for people and programs: in words, as JSON, and with the lines
//! that decide. The command line and the console report it alike.

mod json;
mod moment;
mod shown;
mod words;

pub use json::{ChangeReport, NoClaims, Report, change, report};
pub use moment::{shown, whole_seconds};
pub use shown::{Shown, Side, Verdict, show};
pub use words::{by_weight, count, sentence, verdict};
