//! Entra's shared endpoints. Clients sign in there, but no token has them as its `iss`: tokens name
//! the user's tenant.

use crate::diagnostic::{Code, Diagnostic};
use crate::source::Spanned;

/// The hosts of Entra's sign-in endpoints, in all its clouds.
const HOSTS: [&str; 7] = [
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "login.chinacloudapi.cn",
    "login.microsoft.com",
    "login.windows.net",
    "sts.windows.net",
];

/// The tenant of personal Microsoft accounts.
const PERSONAL: &str = "9188040d-6c67-4d5b-b112-36a304b66dad";

/// Reports an issuer URL that is a shared endpoint, or one that names a tenant by its domain.
/// `has_keys` says whether the policy names the keys.
pub(super) fn shared_authority(url: &Spanned<String>, has_keys: bool) -> Option<Diagnostic> {
    let (_, rest) = url.node.split_once("://")?;
    let (host, path) = rest.split_once('/')?;
    if !HOSTS.iter().any(|known| known.eq_ignore_ascii_case(host)) {
        return None;
    }
    let tenant = path.split('/').next().unwrap_or_default();
    let say = |message: String| Diagnostic::new(Code::SharedAuthority, url.span, message);
    let with = |other: &str| {
        let written = format!("/{tenant}");
        format!(
            "\"{}\"",
            url.node.replacen(&written, &format!("/{other}"), 1)
        )
    };
    let is = |name: &str| tenant.eq_ignore_ascii_case(name);
    if is("common") || is("organizations") {
        let diagnostic = say(format!(
            "no token has `{}` as its `iss`: Entra puts the id of the user's tenant in place of \
             `{tenant}`",
            url.node
        ));
        return Some(if has_keys {
            diagnostic
                .help("for every tenant, write `{tid}` in its place; for one, its id")
                .suggest(url.span, with("{tid}"))
        } else {
            diagnostic.help(format!(
                "for one tenant, write its id in place of `{tenant}`; for every tenant, write \
                 `url {}` and `keys url \"https://{host}/common/discovery/v2.0/keys\"`",
                with("{tid}")
            ))
        });
    }
    if is("consumers") {
        return Some(
            say(format!(
                "no token has `{}` as its `iss`: personal Microsoft accounts belong to one tenant, which has its own id",
                url.node
            ))
            .help(format!("write the id of that tenant, `{PERSONAL}`"))
            .suggest(url.span, with(PERSONAL)),
        );
    }
    (tenant.contains('.') && !tenant.contains(['{', '}'])).then(|| {
        say(format!(
            "no token has `{}` as its `iss`: Entra puts the tenant's id there, not its name",
            url.node
        ))
        .help(format!(
            "write the id of `{tenant}`, a GUID; it is in `issuer` at \
             `https://{host}/{tenant}/v2.0/.well-known/openid-configuration`"
        ))
    })
}
