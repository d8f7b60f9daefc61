//! An error is a type beside whoever raises it: a text can only be printed, or searched for words.

use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{GenericArgument, PathArguments, PathSegment, Type};

/// How many `Result`s of a file have a text as their error.
#[derive(Default)]
struct Texts(usize);

impl<'ast> Visit<'ast> for Texts {
    fn visit_path_segment(&mut self, segment: &'ast PathSegment) {
        if segment.ident == "Result"
            && let PathArguments::AngleBracketed(arguments) = &segment.arguments
            && let Some(GenericArgument::Type(error)) = arguments.args.iter().nth(1)
            && is_text(error)
        {
            self.0 += 1;
        }
        visit::visit_path_segment(self, segment);
    }
}

/// `String`, or a reference to it.
fn is_text(kind: &Type) -> bool {
    match kind {
        Type::Path(path) => path.path.is_ident("String"),
        Type::Reference(reference) => is_text(&reference.elem),
        _ => false,
    }
}

fn texts(source: &str) -> usize {
    let mut texts = Texts::default();
    texts.visit_file(&syn::parse_file(source).expect("a source file"));
    texts.0
}

#[test]
fn no_error_is_a_string() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    super::sources(&root, &mut files);
    let mut wrong = Vec::new();
    for file in files {
        let source = fs::read_to_string(&file).expect("a source file");
        let below = file.strip_prefix(&root).expect("below src");
        match texts(&source) {
            0 => {}
            count => wrong.push(format!("{}: {count}", below.display())),
        }
    }
    assert!(
        wrong.is_empty(),
        "the error of a `Result` is a `String`:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn a_string_as_an_error_is_found_wherever_it_stands() {
    for (source, found) in [
        ("fn f() -> Result<u8, String> { todo!() }", 1),
        (
            "type Outcome = std::result::Result<(), &'static String>;",
            1,
        ),
        ("fn f(all: Vec<Option<Result<u8, String>>>) {}", 1),
        ("fn f() -> Result<String, Fault> { todo!() }", 0),
        ("fn f() -> io::Result<String> { todo!() }", 0),
    ] {
        assert_eq!(texts(source), found, "{source}");
    }
}
