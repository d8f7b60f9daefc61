//! nginx's `log_format`.

use super::error::FormatError;
use super::field::{Clock, Escape, Field, Role};
use super::pattern::Part;

/// The format `combined`, which nginx has without configuration.
pub const COMBINED: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#;

/// Reads a format: its text; or what stands in nginx.conf, from `log_format` or `escape=` on.
pub fn parse(text: &str) -> Result<(Escape, Vec<Part<Field>>), FormatError> {
    let mut text = text.trim();
    if let Some(rest) = text.strip_prefix("log_format ") {
        let (_, rest) = rest
            .trim_start()
            .split_once(char::is_whitespace)
            .ok_or(FormatError::Quotes)?;
        text = rest.trim_start();
    }
    let mut escape = Escape::Hexadecimal;
    if let Some(rest) = text.strip_prefix("escape=") {
        let (name, rest) = rest
            .split_once(char::is_whitespace)
            .ok_or(FormatError::Quotes)?;
        escape = match name {
            "default" => Escape::Hexadecimal,
            "json" => Escape::Json,
            "none" => Escape::None,
            _ => return Err(FormatError::Escape(name.to_owned())),
        };
        text = rest.trim_start();
    }
    let parts = if text.starts_with('\'') {
        parts(&unquoted(text)?)
    } else {
        parts(text)
    };
    if escape == Escape::None {
        let fields = parts.iter().filter_map(|part| match part {
            Part::Field(field) => Some(&field.name),
            Part::Text(_) => None,
        });
        if let Some(name) = fields.into_iter().find(|name| is_decoded(name)) {
            return Err(FormatError::Unescaped(name.clone()));
        }
    }
    Ok((escape, parts))
}

/// Whether nginx decodes the variable, so that a client can write line breaks into it.
fn is_decoded(name: &str) -> bool {
    let decoded = [
        "document_uri",
        "fastcgi_path_info",
        "fastcgi_script_name",
        "remote_user",
        "request_filename",
        "uri",
    ];
    // Those with digits are parts of the decoded path.
    decoded.contains(&name) || name.starts_with(|first: char| first.is_ascii_digit())
}

/// The texts in quotes, joined as nginx joins them.
fn unquoted(text: &str) -> Result<String, FormatError> {
    let mut joined = String::new();
    let mut rest = text.trim().trim_end_matches(';').trim_end();
    while !rest.is_empty() {
        let quote = rest
            .chars()
            .next()
            .filter(|first| ['\'', '"'].contains(first));
        let quote = quote.ok_or(FormatError::Quotes)?;
        let mut chars = rest.char_indices().skip(1);
        let end = loop {
            match chars.next().ok_or(FormatError::Quotes)? {
                (at, found) if found == quote => break at,
                (_, '\\') => match chars.next().ok_or(FormatError::Quotes)?.1 {
                    't' => joined.push('\t'),
                    'n' => joined.push('\n'),
                    'r' => joined.push('\r'),
                    found if ['\\', '"', '\''].contains(&found) => joined.push(found),
                    found => joined.extend(['\\', found]),
                },
                (_, found) => joined.push(found),
            }
        };
        rest = rest.get(end + 1..).unwrap_or_default().trim_start();
    }
    Ok(joined)
}

fn parts(text: &str) -> Vec<Part<Field>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        parts.push(Part::Text(before.to_owned()));
        let braced = after
            .strip_prefix('{')
            .and_then(|inner| inner.split_once('}'));
        let (name, after) = braced.unwrap_or_else(|| {
            let end = after.find(|found: char| !(found.is_ascii_alphanumeric() || found == '_'));
            after.split_at(end.unwrap_or(after.len()))
        });
        parts.push(Part::Field(Field {
            name: name.to_owned(),
            role: role(name),
            most: None,
        }));
        rest = after;
    }
    parts.push(Part::Text(rest.to_owned()));
    parts
}

fn role(name: &str) -> Role {
    match name {
        "request" => Role::Request,
        "request_method" => Role::Method,
        // `$uri` is decoded and normalised, so it isn't what the client asked for.
        "request_uri" => Role::Target,
        "host" => Role::Host,
        "http_host" => Role::HostHeader,
        "scheme" => Role::Scheme,
        "remote_addr" => Role::Address,
        "status" => Role::Status,
        "time_local" => Role::Time(Clock::Common),
        "time_iso8601" => Role::Time(Clock::Iso),
        "msec" => Role::Time(Clock::Unix),
        "request_time" => Role::Duration,
        _ => Role::Other,
    }
}
