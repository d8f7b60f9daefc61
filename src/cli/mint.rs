//! The options that describe a token, for `portcullis token`, which has it signed, and for
//! `portcullis why`, which only assumes it.

use clap::Args;
use serde_json::{Map, Value};

use super::claims::Claims;
use super::expected::Expected;
use super::output::Failure;
use super::policy;
use super::time;
use crate::diagnostic::suggest;
use crate::model::{Issuer, Model};
use crate::settings::IssuerId;

/// The default lifetime of a token, in seconds.
const LIFETIME: i64 = 60 * 60;

/// A token, described with the names that the policy's rules use.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "The token")]
#[group(skip)]
pub struct Arguments {
    /// The issuer, by its name in the policy; optional if there is only one
    #[arg(long, value_name = "NAME")]
    pub issuer: Option<String>,
    /// A claim, by the name that rules use; lists are separated by commas, times may be `5m ago`
    #[arg(long, value_name = "NAME=VALUE", value_parser = policy::name_and_value)]
    pub claim: Vec<(String, String)>,
    /// The scopes, separated by spaces
    #[arg(long, value_name = "SCOPES")]
    pub scope: Option<String>,
    /// The client that asked for the token; by default `portcullis-dev`, unless a claim names one
    #[arg(long, value_name = "CLIENT")]
    pub client: Option<String>,
    /// The audience; by default one of every API that accepts the issuer's tokens
    #[arg(long, value_name = "AUDIENCE")]
    pub audience: Vec<String>,
    /// How long the token is valid: digits and one of s, m, h, d; by default 1h
    #[arg(long, value_name = "DURATION", value_parser = lifetime)]
    pub expires: Option<i64>,
}

fn lifetime(text: &str) -> Result<i64, Expected> {
    time::duration(text).ok_or(Expected("digits and one of `s`, `m`, `h`, `d`"))
}

/// A token without its signature.
#[derive(Debug, Clone)]
pub struct Minted {
    /// The `typ` of the issuer's tokens.
    pub typ: &'static str,
    /// The claims set.
    pub claims: Map<String, Value>,
    /// Remarks for the user.
    pub remarks: Vec<String>,
}

impl Arguments {
    /// Whether any of these options was given.
    pub fn are_given(&self) -> bool {
        self.issuer.is_some()
            || self.scope.is_some()
            || self.client.is_some()
            || self.expires.is_some()
            || !self.claim.is_empty()
            || !self.audience.is_empty()
    }

    /// The described token, as an issuer of the policy would make it.
    pub fn mint(&self, model: &Model, now: i64) -> Result<Minted, Failure> {
        let (id, issuer) = choose(model, self.issuer.as_deref())?;
        let lifetime = self.expires.unwrap_or(LIFETIME);
        let mut claims = Claims::new(model, id, issuer, now, lifetime);
        let mut remarks = Vec::new();
        if let Some(scope) = &self.scope {
            if scope.contains(',') {
                remarks.push(format!(
                    "`{scope}`: scopes are separated by spaces; a comma is part of a scope"
                ));
            }
            claims.scope(scope);
        }
        if !self.audience.is_empty() {
            let names: Vec<&str> = self.audience.iter().map(String::as_str).collect();
            claims.audience(&names);
        }
        for (name, value) in merged(&self.claim) {
            remarks.extend(claims.given(&name, &value, now)?);
        }
        if let Some(client) = &self.client {
            claims.client(client);
        }
        Ok(Minted {
            typ: claims.typ(),
            claims: claims.finish(),
            remarks,
        })
    }
}

/// A claim that is given several times becomes a list.
fn merged(given: &[(String, String)]) -> Vec<(String, String)> {
    let mut merged: Vec<(String, String)> = Vec::new();
    for (name, value) in given {
        match merged.iter_mut().find(|(known, _)| known == name) {
            Some((_, values)) => *values = format!("{values},{value}"),
            None => merged.push((name.clone(), value.clone())),
        }
    }
    merged
}

/// The issuer of that name or, without a name, the policy's only one.
fn choose<'m>(model: &'m Model, name: Option<&str>) -> Result<(IssuerId, &'m Issuer), Failure> {
    let mut issuers = (0_u32..).map(IssuerId).zip(&model.issuers);
    let names: Vec<&str> = model
        .issuers
        .iter()
        .map(|issuer| issuer.name.as_str())
        .collect();
    let Some(name) = name else {
        return match (issuers.next(), names.len()) {
            (Some(only), 1) => Ok(only),
            (None, _) => Err(Failure::new("the policy declares no issuer")),
            (Some(_), _) => Err(Failure::new("the policy has several issuers")
                .help(format!("say which with `--issuer`: {}", names.join(", ")))),
        };
    };
    issuers
        .find(|(_, issuer)| issuer.name == name)
        .ok_or_else(|| {
            let failure = Failure::new(format!("the policy has no issuer `{name}`"));
            match suggest::nearest(name, names.iter().copied()) {
                Some(near) => failure.help(format!("did you mean `{near}`?")),
                None => failure.help(format!("there are: {}", names.join(", "))),
            }
        })
}
