//! `securitySchemes` and `security`: who may call an operation.

use std::collections::{BTreeMap, BTreeSet};

use super::super::DocumentError;
use super::super::library::{Entry, Here, is_extension};
use super::super::limits::MAX_WAYS;
use super::super::tree::At;

/// A security scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheme {
    /// The way in which a caller authenticates.
    pub kind: SchemeKind,
    /// The scopes that it declares.
    pub scopes: BTreeSet<String>,
    /// URLs that identify the issuer of its tokens: of discovery, of tokens, of authorization.
    pub urls: Vec<String>,
}

/// The way in which a caller authenticates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemeKind {
    /// OAuth 2: a token with scopes.
    OAuth2,
    /// OpenID Connect: a token with scopes.
    OpenIdConnect,
    /// `Authorization: Bearer`: a token. Since OpenAPI 3.1, its requirements are roles.
    Bearer,
    /// An API key, a password, a client certificate: nothing that portcullis checks.
    Elsewhere,
}

/// The requirements on the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Security {
    /// The document does not say.
    Unsaid,
    /// Everybody: `security: []`.
    Public,
    /// Callers that satisfy one of these.
    Alternatives {
        /// Whether a call without credentials is accepted too: `{}`.
        optional: bool,
        /// The alternatives; never empty.
        any_of: Vec<Alternative>,
    },
}

/// Requirements that have to be met together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Alternative {
    /// Whether a token is required.
    pub token: bool,
    /// The scopes that it must have.
    pub scopes: BTreeSet<String>,
    /// The roles that its holder must have.
    pub roles: BTreeSet<String>,
    /// The other required schemes, which portcullis doesn't check.
    pub elsewhere: BTreeSet<String>,
}

impl Security {
    /// The requirements on a request that belongs to both operations.
    #[must_use]
    pub fn and(&self, other: &Security) -> Security {
        match (self, other) {
            // Without a statement, a call without credentials isn't accepted.
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
                // Beyond the limit, alternatives are left out, which allows nobody.
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
    /// The alternatives that a policy can express: with a token, and without schemes that
    /// portcullis doesn't check. If there are none, those with a token: the policy's requirements
    /// are then necessary, but not sufficient.
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

/// The schemes of a document, and the requirements read so far.
pub(super) struct Schemes<'a> {
    schemes: BTreeMap<String, Scheme>,
    /// Schemes that requirements name by a URI.
    by_uri: BTreeMap<(usize, &'a str), Scheme>,
    /// Whether a requirement may name its scheme by a URI (OpenAPI 3.2).
    takes_uris: bool,
    /// Lists that were read: many operations may share one.
    known: BTreeMap<(usize, At), Security>,
}

impl<'a> Schemes<'a> {
    /// Reads the schemes of a document.
    pub fn of(root: Here<'a>, version: &str) -> Result<Schemes<'a>, DocumentError> {
        let mut schemes = BTreeMap::new();
        for entry in declared(root)? {
            let scheme = scheme(entry.value).map_err(|error| error.at(entry.place))?;
            schemes.insert(entry.name.to_owned(), scheme);
        }
        Ok(Schemes {
            schemes,
            by_uri: BTreeMap::new(),
            takes_uris: version.starts_with("3.2"),
            known: BTreeMap::new(),
        })
    }

    /// The schemes, by name.
    pub fn finish(self) -> BTreeMap<String, Scheme> {
        let mut schemes = self.schemes;
        for ((_, uri), scheme) in self.by_uri {
            schemes.entry(uri.to_owned()).or_insert(scheme);
        }
        schemes
    }

    /// Reads the requirements on the caller.
    pub fn read(&mut self, written: Entry<'a>) -> Result<Security, DocumentError> {
        let identity = written.value.identity();
        if let Some(known) = self.known.get(&identity) {
            return Ok(known.clone());
        }
        let security = self
            .list(written.value)
            .map_err(|error| error.at(written.place))?;
        self.known.insert(identity, security.clone());
        Ok(security)
    }

    fn list(&mut self, list: Here<'a>) -> Result<Security, DocumentError> {
        let list = list.resolved()?;
        if !list.is_list() {
            return Err(DocumentError::new("a `security` is not a list"));
        }
        let mut optional = false;
        let mut any_of: Vec<Alternative> = Vec::new();
        for requirement in list.elements() {
            let requirement = requirement.resolved()?;
            if !requirement.is_object() {
                return Err(DocumentError::new(
                    "a `security` lists something other than a mapping of schemes",
                ));
            }
            let mut alternative = Alternative::default();
            for entry in requirement.members() {
                self.requirement(entry, requirement, &mut alternative)
                    .map_err(|error| error.at(entry.place))?;
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

    /// Reads what a requirement needs from one scheme.
    fn requirement(
        &mut self,
        Entry { name, value, .. }: Entry<'a>,
        requirement: Here<'a>,
        alternative: &mut Alternative,
    ) -> Result<(), DocumentError> {
        let wanted = value.resolved()?;
        let texts: Option<BTreeSet<String>> = wanted
            .elements()
            .map(|scope| scope.text().map(str::to_owned))
            .collect();
        let Some(texts) = texts.filter(|_| wanted.is_list()) else {
            return Err(DocumentError::new(format!(
                "what a `security` asks of {} is not a list of strings",
                crate::text::quoted(name)
            ))
            .help("an empty list, `[]`, asks for no scopes"));
        };
        match self.kind(name, requirement)? {
            SchemeKind::OAuth2 | SchemeKind::OpenIdConnect => {
                alternative.token = true;
                alternative.scopes.extend(texts);
            }
            SchemeKind::Bearer => {
                alternative.token = true;
                alternative.roles.extend(texts);
            }
            SchemeKind::Elsewhere => {
                alternative.elsewhere.insert(name.to_owned());
            }
        }
        Ok(())
    }

    /// The kind of the scheme that a requirement names. The names are those of the document itself
    /// (OpenAPI 3.1, 4.8.2), even if the requirement is in another file.
    fn kind(&mut self, name: &'a str, requirement: Here<'a>) -> Result<SchemeKind, DocumentError> {
        let shown = crate::text::quoted(name);
        let own = self.schemes.get(name);
        if requirement.file_name().is_some()
            && let Some(root) = requirement.root()
            && let Some(other) = declared(root)?.find(|other| other.name == name)
            && Some(&scheme(other.value)?) != own
        {
            return Err(DocumentError::new(format!(
                "the document and the file that asks for the security scheme {shown} declare it differently"
            ))
            .help("declare it in the document, and let the file's be a `$ref` to it"));
        }
        if let Some(own) = own {
            return Ok(own.kind);
        }
        if !self.takes_uris {
            return Err(DocumentError::new(format!(
                "the document has no security scheme {shown}, but asks for it"
            ))
            .help("declare it in the document's `components.securitySchemes`"));
        }
        let read = scheme(requirement.pointed_at(name).map_err(|error| {
            DocumentError::new(format!(
                "{shown} is neither a security scheme of the document nor a URI of one: {}",
                error.message
            ))
            .help("declare it in the document's `components.securitySchemes`")
        })?)?;
        let kind = read.kind;
        let (file, _) = requirement.identity();
        self.by_uri.insert((file, name), read);
        Ok(kind)
    }
}

/// The security schemes that a file declares.
fn declared<'a>(
    root: Here<'a>,
) -> Result<impl Iterator<Item = Entry<'a>> + use<'a>, DocumentError> {
    let resolved = |entry: Option<Entry<'a>>| {
        entry
            .map(|entry| {
                entry
                    .value
                    .resolved()
                    .map_err(|error| error.at(entry.place))
            })
            .transpose()
    };
    let schemes = match resolved(root.member("components"))? {
        Some(components) => resolved(components.member("securitySchemes"))?,
        None => None,
    };
    Ok(schemes
        .into_iter()
        .flat_map(Here::members)
        .filter(|entry| !is_extension(entry.name)))
}

/// The members of a scheme that are read.
const SCHEME: [&str; 4] = ["type", "scheme", "flows", "openIdConnectUrl"];

fn scheme(written: Here<'_>) -> Result<Scheme, DocumentError> {
    let scheme = written.resolved_but(|name| SCHEME.contains(&name))?;
    let text = |here: Here, name: &str| here.get(name).and_then(Here::text).map(str::to_owned);
    let mut read = Scheme {
        kind: SchemeKind::Elsewhere,
        scopes: BTreeSet::new(),
        urls: Vec::new(),
    };
    match scheme.get("type").and_then(Here::text) {
        Some("oauth2") => {
            read.kind = SchemeKind::OAuth2;
            let flows = scheme.get("flows").map(Here::resolved).transpose()?;
            for flow in flows.into_iter().flat_map(Here::members) {
                if is_extension(flow.name) {
                    continue;
                }
                let flow = flow.value.resolved()?;
                let scopes = flow.get("scopes").map(Here::resolved).transpose()?;
                read.scopes.extend(
                    scopes
                        .into_iter()
                        .flat_map(Here::members)
                        .map(|scope| scope.name.to_owned()),
                );
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
        Some("apiKey" | "mutualTLS") => {}
        Some(other) => {
            return Err(DocumentError::new(format!(
                "{} is not a type of security schemes",
                crate::text::quoted(other)
            ))
            .help("the types are `apiKey`, `http`, `mutualTLS`, `oauth2` and `openIdConnect`"));
        }
        None => return Err(DocumentError::new("a security scheme has no `type`")),
    }
    Ok(read)
}
