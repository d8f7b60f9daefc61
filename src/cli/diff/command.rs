//! The command that confirms a change: `portcullis why` with the request that shows the change.

use std::fmt::Write as _;
use std::path::Path;

use super::super::output::printable;
use super::super::time;
use crate::analyze::Witness;

/// The command line for a policy, ready for a shell.
pub fn why(witness: &Witness, policy: &Path, params: &[(String, String)]) -> String {
    let mut words = vec![
        "portcullis".to_owned(),
        "why".to_owned(),
        policy.display().to_string(),
        witness.request(),
    ];
    let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
    for (name, value) in &witness.headers {
        option("--header", format!("{name}: {value}"));
    }
    if let Some(claims) = &witness.claims {
        option("--claims", ascii(claims));
    }
    if let Some(address) = witness.address {
        option("--address", address.to_string());
    }
    option("--at", time::shown(witness.at));
    for (name, value) in params {
        option("--param", format!("{name}={value}"));
    }
    line(&words)
}

/// Words as a command line, ready for a shell.
pub fn line(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    printable(&words.join(" "))
}

/// A shell word: plain if it has no special characters, otherwise in single quotes.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@+,=".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// JSON in ASCII, since a terminal may not show other characters unchanged.
pub fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() {
            text.push(character);
            continue;
        }
        // In JSON, characters beyond ASCII occur only in strings, where this escape means the same.
        for unit in character.encode_utf16(&mut [0; 2]) {
            let _ = write!(text, "\\u{unit:04x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_the_quoted_words() {
        let witness = Witness {
            method: "GET".to_owned(),
            scheme: "https".to_owned(),
            host: "api.example.com".to_owned(),
            target: "/a'b?c=$(d)".to_owned(),
            headers: vec![("x-org".to_owned(), "a b".to_owned())],
            claims: Some(r#"{"sub":"é\u0007😀"}"#.to_owned()),
            address: Some([192, 0, 2, 1].into()),
            at: 1_767_225_600.0,
        };
        assert_eq!(
            why(
                &witness,
                Path::new("git:main:my policies"),
                &[("a".to_owned(), "b c".to_owned())]
            ),
            r#"portcullis why 'git:main:my policies' 'GET https://api.example.com/a'\''b?c=$(d)' --header 'x-org: a b' --claims '{"sub":"\u00e9\u0007\ud83d\ude00"}' --address 192.0.2.1 --at 2026-01-01T00:00:00Z --param 'a=b c'"#
        );
    }
}
