//! The requirements of a policy on a proxy.

use std::collections::BTreeSet;

use super::capitalised;
use crate::model::{Access, Api, Condition, Forwarded, Model};
use crate::settings::TokenPlace;

/// The requirements of a policy on a proxy.
pub struct Needs {
    /// The headers that the policy sets, in lower case, sorted.
    pub forwarded: Vec<String>,
    /// The headers that the policy reads, in lower case, sorted.
    pub read: Vec<String>,
    /// The headers with tokens and proofs, in lower case, sorted.
    pub token_headers: BTreeSet<String>,
    /// The APIs that remove the token from requests, each with the headers to remove.
    token_kept_by: Vec<(String, Vec<String>)>,
    /// Whether all APIs do.
    pub token_kept: bool,
    /// Whether tokens may be in WebSocket handshakes.
    pub websocket: bool,
    /// Whether a complete claims set is forwarded, which is as large as its token.
    pub payload: bool,
    /// Whether portcullis answers the preflights of some API.
    pub preflights: bool,
    /// Whether tokens that are bound to the client's certificate are accepted.
    pub certificate: bool,
}

impl Needs {
    /// The requirements of this policy.
    pub fn of(model: &Model) -> Needs {
        let forwarded: BTreeSet<&str> = model
            .apis
            .iter()
            .flat_map(|api| &api.forward)
            .map(|forward| forward.header.as_str())
            .collect();
        // Without `cors`, these headers tell a denied preflight from other requests, for its hint.
        let mut read =
            BTreeSet::from(["origin", "access-control-request-method"].map(str::to_owned));
        for api in &model.apis {
            read_by_api(api, &mut read);
        }
        if model.binds(|senders| senders.dpop) {
            read.insert("dpop".to_owned());
        }
        for guard in &model.guards {
            if let Some(condition) = &guard.condition {
                read_by_condition(condition, &mut read);
            }
        }
        let mut token_headers: BTreeSet<String> =
            model.apis.iter().flat_map(self::token_headers).collect();
        token_headers.extend(["authorization", "dpop", "cookie"].map(str::to_owned));
        let token_kept_by: Vec<(String, Vec<String>)> = model
            .apis
            .iter()
            .filter(|api| api.forward_no_token)
            .map(|api| (api.name.clone(), self::token_headers(api)))
            .collect();
        let websocket = model
            .apis
            .iter()
            .flat_map(|api| &api.token_places)
            .any(|place| matches!(place, TokenPlace::Subprotocol(_) | TokenPlace::Cookie(_)));
        Needs {
            forwarded: forwarded.into_iter().map(str::to_owned).collect(),
            token_headers,
            read: read.into_iter().collect(),
            token_kept: !model.apis.is_empty() && token_kept_by.len() == model.apis.len(),
            token_kept_by,
            websocket,
            payload: model
                .apis
                .iter()
                .flat_map(|api| &api.forward)
                .any(|forward| matches!(forward.value, Forwarded::Payload)),
            preflights: model.apis.iter().any(Api::answers_preflights),
            certificate: model.binds(|senders| senders.mtls),
        }
    }

    /// The headers, in lower case, that the application never gets, because they hold the token.
    pub fn kept(&self) -> BTreeSet<&str> {
        self.token_kept_by
            .iter()
            .filter(|_| self.token_kept)
            .flat_map(|(_, headers)| headers)
            .map(String::as_str)
            .collect()
    }

    /// A comment if only some APIs remove the token, since a proxy's fragment can't tell them
    /// apart.
    pub fn token_remark(&self) -> Option<String> {
        if self.token_kept || self.token_kept_by.is_empty() {
            return None;
        }
        let kept: Vec<String> = self
            .token_kept_by
            .iter()
            .map(|(api, headers)| {
                let headers: Vec<String> = headers.iter().map(|name| capitalised(name)).collect();
                format!("remove {} for {api}", headers.join(" and "))
            })
            .collect();
        Some(format!("`forward no token`: {}", kept.join(", ")))
    }
}

/// The headers that hold only a token of the API, in lower case.
fn token_headers(api: &Api) -> Vec<String> {
    api.token_places
        .iter()
        .filter_map(|place| match place {
            TokenPlace::Authorization => Some("authorization".to_owned()),
            TokenPlace::Header(name) => Some(name.clone()),
            // The checker doesn't allow these places together with `forward no token`.
            TokenPlace::Cookie(_) | TokenPlace::Query(_) | TokenPlace::Subprotocol(_) => None,
        })
        .collect()
}

fn read_by_api(api: &Api, read: &mut BTreeSet<String>) {
    for place in &api.token_places {
        let headers: &[&str] = match place {
            TokenPlace::Authorization => &["authorization"],
            TokenPlace::Header(name) => &[name],
            // The page that sends it, and whether it is for a WebSocket.
            TokenPlace::Cookie(_) => &["cookie", "origin", "sec-websocket-version"],
            TokenPlace::Subprotocol(_) => &["sec-websocket-protocol"],
            TokenPlace::Query(_) => &[],
        };
        read.extend(headers.iter().map(|header| (*header).to_owned()));
    }
    if api.answers_preflights() {
        read.insert("access-control-request-headers".to_owned());
    }
    for route in &api.routes {
        if let Access::Permitted {
            condition: Some(condition),
            ..
        } = &route.access
        {
            read_by_condition(condition, read);
        }
    }
}

fn read_by_condition(condition: &Condition, read: &mut BTreeSet<String>) {
    let headers = condition.atoms().filter_map(|(_, atom)| atom.header());
    read.extend(headers.map(str::to_owned));
}
