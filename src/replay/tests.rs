use std::collections::BTreeMap;

use super::entry::add_query;
use super::*;
use crate::engine::Text;

fn verdict(now: Now) -> Verdict {
    Verdict {
        api: "shop".to_owned(),
        route: "GET /a".to_owned(),
        now,
        shown: true,
    }
}

fn line(decision: &str, client: &str) -> String {
    format!(
        r#"{{"time":"2026-03-02T09:12:44Z","policy":"p","adapter":"pdp","method":"GET","host":null,"path":"/a","decision":"{decision}","reason":null,"client":"{client}"}}"#
    )
}

#[test]
fn the_parts_of_a_log_add_up_to_the_whole() {
    let lines = [
        (line("allow", "a"), Now::Denied(None)),
        (line("allow", "b"), Now::Denied(Some(Reason::ScopeMissing))),
        (line("deny", "b"), Now::Denied(Some(Reason::ScopeMissing))),
        (line("deny", "a"), Now::Allowed),
        (line("allow", "a"), Now::Denied(Some(Reason::ScopeMissing))),
        (line("allow", "a"), Now::Open(["token".to_owned()].into())),
    ];
    let tally = |numbers: &[usize]| {
        let mut tally = Tally::default();
        for number in numbers {
            let (text, now) = lines.get(*number).expect("a line");
            let entry = own(text.as_bytes()).expect("a line");
            let place = (0, u64::try_from(*number).expect("small"));
            let shown = Shown {
                subjects: false,
                is_secret: &|_| false,
            };
            tally.add(&entry, verdict(now.clone()), place, &shown);
        }
        tally.unread(LineError::Torn, (0, 9));
        tally
    };
    let mut whole = tally(&[0, 1, 2, 3, 4, 5]);
    whole.unread(LineError::Torn, (0, 9));
    let mut parts = tally(&[3, 4]);
    parts.merge(tally(&[0, 1, 2, 5]));
    assert_eq!(parts, whole);
    // A denial without a reason differs from no other.
    assert_eq!((whole.same, whole.count(Change::denies)), (1, 3));
    assert_eq!((whole.count(Change::allows), whole.open_count()), (1, 1));
    let client = |name: &str| whole.clients.get(&Who::Client(name.to_owned())).copied();
    assert_eq!((client("a"), client("b")), (Some(2), Some(1)));
}

#[test]
fn a_recorded_query_is_read_as_the_original_was() {
    let parameters: BTreeMap<String, Text> = [
        ("a b", Text::Is("x&y=+%é".to_owned())),
        ("c", Text::Absent),
        ("d", Text::Unclear(true)),
    ]
    .map(|(name, text)| (name.to_owned(), text))
    .into();
    let mut target = "/p".to_owned();
    add_query(&mut target, parameters.iter());
    assert_eq!(target, "/p?a%20b=x%26y%3D%2B%25%C3%A9&d=&d=");
}
