//! `portcullis routes`: every route and its requirements, for people and scripts.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::Ended;
use super::output::{self, Exit, Format, Paint};
use super::policy::{self, ParamArguments};
use super::wording;
use crate::load::Loaded;
use crate::model::{Api, Bearing, Forwarded, Guard, Model, Route};
use crate::pattern::MethodSet;
use crate::settings::{ApiId, Audience};
use crate::source::{Sources, Span};

/// Show every route of a policy and what it needs.
///
/// Each route is shown with the guards and the conditions of enclosing blocks that apply to it, and
/// with `let`s expanded, so you see everything that decides.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portcullis routes policies/spa
  portcullis routes policies/spa --format json \\
    | jq '.apis[].routes[] | select(.access == \"public\") | .route'")]
pub struct Arguments {
    /// The policy: folders or files
    #[arg(default_value = "policies")]
    policy: Vec<PathBuf>,
    #[command(flatten)]
    params: ParamArguments,
    /// The format of the table
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Prints the table.
pub fn run(arguments: &Arguments) -> Ended {
    let loaded = policy::load_model(&arguments.policy, &arguments.params.options())?;
    let report = match arguments.format {
        Format::Human => human(&loaded, Paint::of(&std::io::stdout())),
        Format::Json => output::json(&as_json(&loaded))?,
    };
    output::print_all(&report)?;
    Ok(Exit::Good)
}

fn apis(model: &Model) -> impl Iterator<Item = (ApiId, &Api)> {
    (0_u32..).map(ApiId).zip(&model.apis)
}

/// The guards that apply to a route, in the order of evaluation; none if the route is denied
/// anyway.
fn guards<'m>(
    model: &'m Model,
    api: ApiId,
    route: &'m Route,
) -> impl Iterator<Item = (&'m Guard, Bearing)> {
    model
        .guards
        .iter()
        .filter(move |guard| guard.api == api)
        .map(move |guard| (guard, guard.bearing(route)))
        .filter(move |(_, bearing)| *bearing != Bearing::Never && !route.denies())
}

fn issuers<'m>(model: &'m Model, api: &Api) -> Vec<&'m str> {
    api.issuers
        .iter()
        .filter_map(|id| model.issuers.get(id.0 as usize))
        .map(|issuer| issuer.name.as_str())
        .collect()
}

/// The maximum width of the requirements column, in characters.
const MAX_NEEDS_WIDTH: usize = 60;

/// One line of the table: the routes of one line of the policy.
struct Row {
    span: Span,
    methods: String,
    path: String,
    needs: Vec<String>,
    place: String,
}

fn human(loaded: &Loaded, paint: Paint) -> String {
    let Some(model) = &loaded.checked.model else {
        return String::new();
    };
    let mut report = String::new();
    for (id, api) in apis(model) {
        if !report.is_empty() {
            report.push('\n');
        }
        let hosts: Vec<String> = api.hosts.iter().map(wording::host).collect();
        report.push_str(&format!(
            "{}  {}\n",
            paint.strong(&api.name),
            hosts.join(", ")
        ));
        report.push_str(&format!("{}\n", paint.faint(tokens(model, api))));
        let rows = rows(loaded, model, id, api);
        let width = |of: fn(&Row) -> usize| rows.iter().map(of).max().unwrap_or(0);
        let methods = width(|row| row.methods.chars().count());
        let path = width(|row| row.path.chars().count());
        // One long condition must not push the places of other lines out of sight.
        let needs = width(|row| row.needs.first().map_or(0, |need| need.chars().count()))
            .min(MAX_NEEDS_WIDTH);
        for row in &rows {
            let mut lines = row.needs.iter();
            report.push_str(&format!(
                "  {:methods$}  {:path$}  {:needs$}  {}\n",
                row.methods,
                row.path,
                lines.next().map_or("", String::as_str),
                paint.faint(&row.place),
            ));
            for line in lines {
                report.push_str(&format!("  {:methods$}  {:path$}  {line}\n", "", ""));
            }
        }
        if rows.is_empty() {
            report.push_str("  no routes: every request is denied\n");
        }
    }
    report
}

fn tokens(model: &Model, api: &Api) -> String {
    let issuers = issuers(model, api);
    if issuers.is_empty() {
        return "  no tokens".to_owned();
    }
    let audience = match &api.audience {
        Audience::OneOf(names) => format!("for {}", names.join(" or ")),
        Audience::Any(reason) => format!("for any audience ({reason})"),
    };
    format!("  tokens of {} {audience}", issuers.join(", "))
}

fn rows(loaded: &Loaded, model: &Model, id: ApiId, api: &Api) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for route in &api.routes {
        let (methods, path) = wording::methods_and_path(route);
        let needs = needs(&loaded.sources, model, id, route);
        match rows.last_mut() {
            // One line of the policy with several methods is one row, if they have the same
            // requirements.
            Some(row) if row.span == route.span && row.needs == needs => {
                row.methods = format!("{}, {methods}", row.methods);
            }
            _ => rows.push(Row {
                span: route.span,
                methods: methods.to_owned(),
                path: path.to_owned(),
                needs,
                place: loaded.sources.place(route.span).to_string(),
            }),
        }
    }
    rows
}

fn needs(sources: &Sources, model: &Model, api: ApiId, route: &Route) -> Vec<String> {
    let (word, condition) = wording::access(sources, &route.access);
    let own = match condition {
        Some(condition) if word == "requires" => condition,
        Some(condition) => format!("{word} {condition}"),
        None => word.to_owned(),
    };
    let mut needs = vec![own];
    for (guard, bearing) in guards(model, api, route) {
        let what = guard.condition.as_ref().map_or_else(
            || "denied".to_owned(),
            |condition| wording::condition(sources, condition),
        );
        let extent = match bearing {
            Bearing::Always => "",
            Bearing::Sometimes | Bearing::Never => " (where it matches)",
        };
        needs.push(format!("+ {}{extent}: {what}", guard.name));
    }
    needs
}

fn as_json(loaded: &Loaded) -> Value {
    let Some(model) = &loaded.checked.model else {
        return Value::Null;
    };
    let apis: Vec<Value> = apis(model)
        .map(|(id, api)| {
            let routes: Vec<Value> = api
                .routes
                .iter()
                .map(|route| route_json(loaded, model, id, route))
                .collect();
            let forward: Vec<Value> = api
                .forward
                .iter()
                .map(|forward| {
                    let claim = match &forward.value {
                        Forwarded::Claim { claims, .. } => claims
                            .iter()
                            .find_map(|claim| model.claims.get(claim.0 as usize))
                            .map(|claim| claim.name.as_str()),
                        Forwarded::Payload => Some("payload"),
                    };
                    json!({ "header": forward.header, "claim": claim })
                })
                .collect();
            json!({
                "name": api.name,
                "hosts": api.hosts.iter().map(wording::host).collect::<Vec<_>>(),
                "issuers": issuers(model, api),
                "audience": match &api.audience {
                    Audience::OneOf(names) => json!(names),
                    Audience::Any(_) => Value::Null,
                },
                "scopes": api.scopes,
                "forward": forward,
                "routes": routes,
            })
        })
        .collect();
    json!({ "revision": loaded.revision, "apis": apis })
}

fn route_json(loaded: &Loaded, model: &Model, api: ApiId, route: &Route) -> Value {
    let sources = &loaded.sources;
    let (_, path) = wording::methods_and_path(route);
    let (word, condition) = wording::access(sources, &route.access);
    let guards: Vec<Value> = guards(model, api, route)
        .map(|(guard, bearing)| {
            json!({
                "name": guard.name,
                "condition": guard
                    .condition
                    .as_ref()
                    .map(|condition| wording::condition(sources, condition)),
                "denied": guard.denies(),
                "always": bearing == Bearing::Always,
                "policy": sources.place(guard.span).to_string(),
            })
        })
        .collect();
    let methods: Vec<&str> = if route.methods == MethodSet::ALL {
        vec!["*"]
    } else {
        route.methods.iter().map(|method| method.as_str()).collect()
    };
    json!({
        "route": route.name,
        "methods": methods,
        "path": path,
        "access": word,
        "condition": condition,
        "guards": guards,
        "policy": sources.place(route.span).to_string(),
    })
}
