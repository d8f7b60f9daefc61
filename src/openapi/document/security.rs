//! `securitySchemes` and `security`: who may call an operation.

use std::collections::{BTreeMap, BTreeSet};

use super::super::DocumentError;
use super::super::limits::MAX_WAYS;
use super::super::tree::Here;

/// A security scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheme {
    /// How a caller shows who it is.
    pub kind: SchemeKind,
    /// The scopes that it declares.
    pub scopes: BTreeSet<String>,
    /// URLs that tell who issues its tokens: of discovery, of tokens, of authorization.
    pub urls: Vec<String>,
}

/// How a caller shows who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemeKind {
    /// OAuth 2: a token with scopes.
    OAuth2,
    /// OpenID Connect: a token with scopes.
    OpenIdConnect,
    /// `Authorization: Bearer`: a token; what is asked of it are roles, by OpenAPI 3.1.
    Bearer,
    /// An API key, a password, a client certificate: nothing that portcullis checks.
    Elsewhere,
}

/// Who may call an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Security {
    /// The document does not say.
    Unsaid,
    /// Everybody: `security: []`.
    Public,
    /// Who meets one of these.
    Alternatives {
        /// Whether a call with nothing will do as well: `{}`.
        optional: bool,
        /// The alternatives; never empty.
        any_of: Vec<Alternative>,
    },
}

/// What has to be met together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Alternative {
    /// Whether a token is needed.
    pub token: bool,
    /// The scopes that it must have, all of them.
    pub scopes: BTreeSet<String>,
    /// The roles that its holder must have, all of them.
    pub roles: BTreeSet<String>,
    /// The schemes beside it that portcullis does not check.
    pub elsewhere: BTreeSet<String>,
}

impl Security {
    /// What a request must meet that is a request of two operations.
    #[must_use]
    pub fn and(&self, other: &Security) -> Security {
        match (self, other) {
            // Who says nothing does not say that a call with nothing will do.
            (Security::Unsaid, Security::Alternatives { any_of, .. })
            | (Security::Alternatives { any_of, .. }, Security::Unsaid) => Security::Alternatives {
                optional: false,
                any_of: any_of.clone(),
            },
            (Security::Unsaid, _) | (_, Security::Unsaid) => Security::Unsaid,
            (Security::Public, other) | (other, Security::Public) => other.clone(),
            (
                Security::Alternatives { optional, any_of },
                Security::Alternatives {
                    optional: other_optional,
                    any_of: others,
                },
            ) => {
                // Past the limit alternatives are left out, which lets nobody in.
                let mut both: BTreeSet<Alternative> = BTreeSet::new();
                for (a, b) in any_of
                    .iter()
                    .flat_map(|a| others.iter().map(move |b| (a, b)))
                    .take(MAX_WAYS)
                {
                    both.insert(a.and(b));
                }
                Security::Alternatives {
                    optional: *optional && *other_optional,
                    any_of: both.into_iter().collect(),
                }
            }
        }
    }
}

impl Alternative {
    /// Those that a policy can stand for: with a token, and with nothing that portcullis does not
    /// check. Where there are none, those with a token: what a policy can ask is then needed, if
    /// not enough.
    pub fn checked(any_of: &[Alternative]) -> Vec<&Alternative> {
        let with_token = || any_of.iter().filter(|alternative| alternative.token);
        let checked: Vec<&Alternative> = with_token()
            .filter(|alternative| alternative.elsewhere.is_empty())
            .collect();
        if checked.is_empty() {
            with_token().collect()
        } else {
            checked
        }
    }

    fn and(&self, other: &Alternative) -> Alternative {
        let union = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.union(b).cloned().collect();
        Alternative {
            token: self.token || other.token,
            scopes: union(&self.scopes, &other.scopes),
            roles: union(&self.roles, &other.roles),
            elsewhere: union(&self.elsewhere, &other.elsewhere),
        }
    }
}

/// Reads the schemes of a document.
pub(super) fn schemes(root: Here) -> Result<BTreeMap<String, Scheme>, DocumentError> {
    let Some(schemes) = root
        .get("components")
        .and_then(|components| components.get("securitySchemes"))
    else {
        return Ok(BTreeMap::new());
    };
    schemes
        .members()
        .map(|(name, scheme, line)| {
            let scheme = scheme.resolved().map_err(|error| error.at(line))?;
            Ok((name.to_owned(), self::scheme(scheme)))
        })
        .collect()
}

fn scheme(scheme: Here) -> Scheme {
    let text = |here: Here, name: &str| here.get(name).and_then(Here::text).map(str::to_owned);
    let mut read = Scheme {
        kind: SchemeKind::Elsewhere,
        scopes: BTreeSet::new(),
        urls: Vec::new(),
    };
    match scheme.get("type").and_then(Here::text) {
        Some("oauth2") => {
            read.kind = SchemeKind::OAuth2;
            for (_, flow, _) in scheme.get("flows").into_iter().flat_map(Here::members) {
                let scopes = flow.get("scopes").into_iter().flat_map(Here::members);
                read.scopes.extend(scopes.map(|(name, ..)| name.to_owned()));
                read.urls.extend(text(flow, "tokenUrl"));
                read.urls.extend(text(flow, "authorizationUrl"));
            }
        }
        Some("openIdConnect") => {
            read.kind = SchemeKind::OpenIdConnect;
            read.urls.extend(text(scheme, "openIdConnectUrl"));
        }
        Some("http") => {
            let bearer = scheme
                .get("scheme")
                .and_then(Here::text)
                .is_some_and(|name| name.eq_ignore_ascii_case("bearer"));
            if bearer {
                read.kind = SchemeKind::Bearer;
            }
        }
        _ => {}
    }
    read
}

/// Reads who may call.
pub(super) fn read(
    list: Here,
    schemes: &BTreeMap<String, Scheme>,
    notes: &mut BTreeSet<String>,
) -> Result<Security, DocumentError> {
    if !list.is_list() {
        return Err(DocumentError::new("a `security` is no list"));
    }
    let mut optional = false;
    let mut any_of: Vec<Alternative> = Vec::new();
    for requirement in list.elements() {
        if !requirement.is_object() {
            return Err(DocumentError::new(
                "a `security` lists something other than a mapping of schemes",
            ));
        }
        let mut alternative = Alternative::default();
        for (name, wanted, line) in requirement.members() {
            let wanted: Option<BTreeSet<String>> = wanted
                .elements()
                .map(|scope| scope.text().map(str::to_owned))
                .collect();
            let wanted = wanted.ok_or_else(|| {
                DocumentError::new(format!(
                    "what a `security` asks of {} is no list of strings",
                    crate::text::quoted(name)
                ))
                .at(line)
            })?;
            let kind = schemes.get(name).map(|scheme| scheme.kind);
            if kind.is_none() {
                notes.insert(format!(
                    "the document has no security scheme {}, but asks for it",
                    crate::text::quoted(name)
                ));
            }
            match kind {
                Some(SchemeKind::OAuth2 | SchemeKind::OpenIdConnect) => {
                    alternative.token = true;
                    alternative.scopes.extend(wanted);
                }
                Some(SchemeKind::Bearer) => {
                    alternative.token = true;
                    alternative.roles.extend(wanted);
                }
                Some(SchemeKind::Elsewhere) | None => {
                    alternative.elsewhere.insert(name.to_owned());
                }
            }
        }
        if alternative == Alternative::default() {
            optional = true;
        } else if any_of.len() == MAX_WAYS {
            return Err(DocumentError::new(format!(
                "a `security` lists more than {MAX_WAYS} alternatives"
            )));
        } else if !any_of.contains(&alternative) {
            any_of.push(alternative);
        }
    }
    Ok(if any_of.is_empty() {
        Security::Public
    } else {
        Security::Alternatives { optional, any_of }
    })
}
