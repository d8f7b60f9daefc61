//! Introspects an opaque token as the daemon would (RFC 7662).

use std::sync::Arc;
use std::time::Instant;

use super::super::output::Failure;
use super::told::Told;
use crate::engine::Policy;
use crate::judge::{Introspect, Judging};
use crate::runtime::config::Config;
use crate::runtime::introspect::Store;
use crate::runtime::metrics::Metrics;
use crate::settings::IssuerId;

/// There is only one policy.
const GENERATION: u64 = 0;

/// What to do if the issuer can't be asked.
const CLAIMS: &str = "`--claims` takes what it would answer";

/// Introspection isn't possible, so nothing is known about the token, not even that it is denied.
pub fn nobody_asked(policy: &Policy, issuer: IssuerId) -> Failure {
    Failure::new(format!(
        "the token is opaque: only {} can say whether it is active, and `--offline` doesn't ask",
        name(policy, issuer)
    ))
    .help(CLAIMS)
}

fn name(policy: &Policy, issuer: IssuerId) -> &str {
    policy.issuer(issuer).map_or("", |it| it.name.as_str())
}

/// Introspects a token at its issuer.
pub fn ask<'a>(
    question: Introspect<'a>,
    config: &Config,
    policy: &Policy,
    told: &mut Told,
) -> Result<Judging<'a>, Failure> {
    let issuer = question.issuer();
    let name = name(policy, issuer);
    if !config.introspection.issuers.contains_key(name) {
        return Err(Failure::new(format!(
            "the token is opaque: only {name} can say whether it is active, and asking needs the \
            client credentials in the daemon's configuration (`introspection.issuers`)"
        ))
        .help(format!("name it with `--config portcullis.yaml`; {CLAIMS}")));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("can't start the runtime: {error}")))?;
    let answer = runtime.block_on(async {
        let store = Store::new(&config.keys, Arc::new(Metrics::new()), Arc::default())
            .map_err(|error| Failure::new(error.to_string()))?;
        let declared = policy
            .issuer(issuer)
            .ok_or_else(|| Failure::new("there is no such issuer"))?;
        let endpoint = store
            .of(declared, &config.introspection)
            .map_err(|error| Failure::new(error.to_string()))?
            .ok_or_else(|| Failure::new("the issuer does not introspect tokens"))?;
        // The call has its own timeout, and nobody else waits here.
        let patience = Instant::now() + config.introspection.timeout.get() * 2;
        Ok::<_, Failure>(endpoint.ask(question.token(), patience).await)
    });
    let known = match answer? {
        Ok(known) => known,
        Err(why) => {
            told.remarks.push(why.to_string());
            return Ok(question.unanswered());
        }
    };
    let verified = known.under(GENERATION, policy, question.api(), issuer);
    if verified.is_ok() {
        told.signature = Some("its issuer says that it is active");
    }
    Ok(question.resume(verified))
}
