//! The declarations that have no block: `language`, `let`, `set`, `param`, `guard`.

use super::conditions::condition_in;
use super::literals::{items, literal, name, names, string, type_in};
use super::routes::{methods_in, path_in, requires_in};
use super::{Node, Notes, Rule};
use crate::source::Spanned;
use crate::syntax::ast::{Guard, Let, Param, ParamDefault, Set, SetValue};

/// The only version of the language so far.
const VERSION: &str = "1";

/// `language 1`. `first` says whether it is the first statement.
pub(in crate::syntax) fn language(node: &Node, first: bool, notes: &mut Notes) -> Option<()> {
    let version = node.child(Rule::numeric)?;
    if !first {
        notes.wrong(
            node.span(),
            "`language` must be the first statement of the file",
            "only comments can come before it",
        );
    }
    if version.text() != VERSION {
        notes.wrong_with(
            version.span(),
            format!("the language has no version `{}`", version.text()),
            format!("this portcullis supports version {VERSION}"),
            VERSION,
        );
    }
    Some(())
}

/// `let NAME = CONDITION`
pub(in crate::syntax) fn let_declaration(node: &Node, notes: &mut Notes) -> Option<Let> {
    Some(Let {
        span: node.span(),
        name: name(&node.child(Rule::name)?, notes),
        condition: condition_in(node, notes)?,
    })
}

/// `set NAME = […]`, `set NAME = file "…"`
pub(in crate::syntax) fn set_declaration(node: &Node, notes: &mut Notes) -> Option<Set> {
    let value = match node.child(Rule::set_file) {
        Some(file) => SetValue::File(string(&file.child(Rule::string)?, notes)),
        None => SetValue::Items(items(&node.child(Rule::items)?, notes)?),
    };
    Some(Set {
        span: node.span(),
        name: name(&node.child(Rule::name)?, notes),
        value,
        may_be_empty: node.child(Rule::may_be_empty).is_some(),
    })
}

/// `param NAME TYPE [= default]`
pub(in crate::syntax) fn param_declaration(node: &Node, notes: &mut Notes) -> Option<Param> {
    let one = node.child(Rule::literal);
    let several = node.child(Rule::literal_items);
    let default = match (one, several) {
        (Some(one), _) => Some(ParamDefault::One(literal(&one, notes)?)),
        (None, Some(several)) => Some(ParamDefault::List(Spanned::new(
            several
                .children()
                .filter(|child| child.rule() == Rule::literal)
                .map(|child| literal(&child, notes))
                .collect::<Option<_>>()?,
            several.span(),
        ))),
        (None, None) => None,
    };
    Some(Param {
        span: node.span(),
        name: name(&node.child(Rule::name)?, notes),
        ty: type_in(node)?,
        default,
    })
}

/// `guard METHODS PATH of API [except public] requires CONDITION`, or `denied`
pub(in crate::syntax) fn guard(node: &Node, notes: &mut Notes) -> Option<Guard> {
    let denied = node.child(Rule::k_denied).is_some();
    let requires = requires_in(node, notes)?;
    if denied == requires.is_some() {
        return None;
    }
    Some(Guard {
        span: node.span(),
        methods: methods_in(node, notes)?,
        path: path_in(node, notes)?,
        apis: match node.child(Rule::k_all) {
            Some(_) => None,
            None => Some(names(&node.child(Rule::names)?, notes)),
        },
        except_public: node.child(Rule::except_public).map(|node| node.span()),
        requires,
    })
}
