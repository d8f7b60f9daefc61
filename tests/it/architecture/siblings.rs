//! The files of one folder use each other in one direction only.
//!
//! Two files that use each other can only be read, moved and tested together. What both need
//! belongs in a third file that uses neither.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::Visit;
use syn::{Item, ItemMod, UseTree, Visibility};

/// The path of a module from the root of the crate: `["check", "relations"]`.
type Module = Vec<String>;

#[test]
fn files_of_one_folder_form_no_circles() {
    let crate_ = Crate::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let circles = crate_.circles();
    assert!(circles.is_empty(), "files that use each other: {circles:?}");
}

#[test]
fn a_circle_through_what_a_folder_exports_is_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a source file");
    };
    write("lib.rs", "mod a; mod c;");
    write("a/mod.rs", "mod one; mod two; mod three; pub use two::Two;");
    write("a/one.rs", "use super::Two; pub struct One(Two);");
    write("a/two.rs", "fn two() { super::one::make(); }");
    // One direction only, and uses in tests don't count.
    write(
        "a/three.rs",
        "use super::one; #[cfg(test)] mod tests { use crate::c::C; }",
    );
    write("c.rs", "use crate::a::Two; pub struct C;");
    let circles = Crate::read(folder.path()).circles();
    let both = vec!["one".to_owned(), "two".to_owned()];
    assert_eq!(circles, [("a".to_owned(), both)]);
}

/// The modules of a crate, and what each uses.
struct Crate {
    /// The paths that each module names, as written.
    names: BTreeMap<Module, Vec<Vec<String>>>,
    /// The imports of each module, by their local name.
    imports: BTreeMap<Module, BTreeMap<String, Vec<String>>>,
}

impl Crate {
    fn read(root: &Path) -> Crate {
        let mut files = Vec::new();
        super::sources(root, &mut files);
        let mut read = Crate {
            names: BTreeMap::new(),
            imports: BTreeMap::new(),
        };
        let modules: BTreeMap<Module, PathBuf> = files
            .into_iter()
            .map(|file| (module(root, &file), file))
            .collect();
        for (module, file) in &modules {
            let text = fs::read_to_string(file).expect("a source file");
            let parsed = syn::parse_file(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let mut named = Named::default();
            named.visit_file(&parsed);
            let children: BTreeSet<&str> = modules
                .keys()
                .filter(|other| other.len() == module.len() + 1 && other.starts_with(module))
                .filter_map(|other| other.last())
                .map(String::as_str)
                .collect();
            let absolute = |path: &[String]| absolute(module, &children, path);
            let imports = named
                .imports
                .iter()
                .filter_map(|(name, path)| Some((name.clone(), absolute(path)?)))
                .collect();
            let names = named
                .paths
                .iter()
                .filter_map(|path| absolute(path))
                .collect();
            read.imports.insert(module.clone(), imports);
            read.names.insert(module.clone(), names);
        }
        read
    }

    /// The module that declares an item, following the exports of others.
    fn home(&self, path: &[String]) -> Option<Module> {
        let mut path = path.to_vec();
        // Far more than any export needs; a name that leads to itself ends.
        for _ in 0..16 {
            let length = (0..=path.len())
                .rev()
                .find(|length| self.names.contains_key(&path[..*length]))?;
            let (module, rest) = path.split_at(length);
            let exported = rest
                .first()
                .and_then(|name| self.imports.get(module)?.get(name));
            match exported {
                Some(target) => {
                    let mut next = target.clone();
                    next.extend_from_slice(&rest[1..]);
                    path = next;
                }
                None => return Some(module.to_vec()),
            }
        }
        None
    }

    /// The cycles among the children of each folder.
    fn circles(&self) -> Vec<(String, Vec<String>)> {
        let mut uses: BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
        for (module, names) in &self.names {
            for home in names.iter().filter_map(|path| self.home(path)) {
                let common = module.iter().zip(&home).take_while(|(a, b)| a == b).count();
                if let (Some(user), Some(used)) = (module.get(common), home.get(common)) {
                    uses.entry(module[..common].to_vec())
                        .or_default()
                        .entry(user.clone())
                        .or_default()
                        .insert(used.clone());
                }
            }
        }
        let mut circles = Vec::new();
        for (folder, uses) in &uses {
            let mut seen = BTreeSet::new();
            for file in uses.keys() {
                let circle: Vec<String> = reached(uses, file)
                    .into_iter()
                    .filter(|other| reached(uses, other).contains(file))
                    .collect();
                if circle.len() > 1 && seen.insert(circle.clone()) {
                    circles.push((folder.join("/"), circle));
                }
            }
        }
        // The table covers the layers of the whole crate.
        circles.retain(|(folder, _)| !folder.is_empty());
        circles
    }
}

/// All files that one uses, directly or indirectly.
fn reached(uses: &BTreeMap<String, BTreeSet<String>>, from: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut next = vec![from];
    while let Some(file) = next.pop() {
        for used in uses.get(file).into_iter().flatten() {
            if reached.insert(used.clone()) {
                next.push(used);
            }
        }
    }
    reached
}

/// The module of a file.
fn module(root: &Path, file: &Path) -> Module {
    let below = file.strip_prefix(root).expect("below the root");
    let mut module: Module = below
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    module.pop_if(|last| last == "mod" || last == "lib");
    module
}

/// A path from the root of the crate; `None` for a path of another crate, or of this module.
fn absolute(module: &Module, children: &BTreeSet<&str>, path: &[String]) -> Option<Vec<String>> {
    let first = path.first()?;
    let (mut base, rest) = match first.as_str() {
        "crate" => (Vec::new(), &path[1..]),
        "self" => (module.clone(), &path[1..]),
        "super" => {
            let ups = path.iter().take_while(|part| *part == "super").count();
            let base = module[..module.len().checked_sub(ups)?].to_vec();
            (base, &path[ups..])
        }
        child if children.contains(child) => (module.clone(), path),
        _ => return None,
    };
    base.extend_from_slice(rest);
    Some(base)
}

/// What a file uses.
#[derive(Default)]
struct Named {
    paths: Vec<Vec<String>>,
    imports: Vec<(String, Vec<String>)>,
}

impl Named {
    fn import(&mut self, before: &[String], tree: &UseTree) {
        let with = |name: &syn::Ident| {
            let mut path = before.to_vec();
            path.push(name.to_string());
            path
        };
        match tree {
            UseTree::Path(part) => self.import(&with(&part.ident), &part.tree),
            UseTree::Name(name) if name.ident == "self" => {
                self.imported(before.last().cloned().unwrap_or_default(), before.to_vec());
            }
            UseTree::Name(name) => self.imported(name.ident.to_string(), with(&name.ident)),
            UseTree::Rename(name) => self.imported(name.rename.to_string(), with(&name.ident)),
            UseTree::Glob(_) => self.paths.push(before.to_vec()),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(before, tree);
                }
            }
        }
    }

    fn imported(&mut self, name: String, path: Vec<String>) {
        self.paths.push(path.clone());
        self.imports.push((name, path));
    }
}

impl<'ast> Visit<'ast> for Named {
    fn visit_item(&mut self, item: &'ast Item) {
        match item {
            Item::Mod(ItemMod { attrs, .. }) if is_for_tests(attrs) => {}
            Item::Use(item) => self.import(&[], &item.tree),
            item => syn::visit::visit_item(self, item),
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.paths.push(
            path.segments
                .iter()
                .map(|part| part.ident.to_string())
                .collect(),
        );
        syn::visit::visit_path(self, path);
    }

    fn visit_visibility(&mut self, _: &'ast Visibility) {
        // `pub(in crate::check)` uses nothing.
    }
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Path>()
                .is_ok_and(|path| path.is_ident("test"))
    })
}
