//! The default ports of the listeners, in help texts.

use crate::runtime::config::ListenerId;

/// A text with the default port of each listener in place of its name in braces, such as `{http}`.
pub fn with_ports(text: &str) -> String {
    ListenerId::ALL.iter().fold(text.to_owned(), |text, id| {
        let port = id.kind().port.to_string();
        text.replace(&format!("{{{}}}", id.as_str()), &port)
    })
}
