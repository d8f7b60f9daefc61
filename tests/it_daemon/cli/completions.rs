//! `portcullis completions`.

use super::support::run;

#[test]
fn every_shell_gets_its_verbs() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = run(&["completions", shell]);
        assert_eq!(ran.code, Some(0), "{shell}: {}", ran.stderr);
        assert_eq!(ran.stderr, "", "{shell}");
        for verb in ["check", "why", "serve", "dev", "proxy-config"] {
            assert!(ran.stdout.contains(verb), "{shell} lacks {verb}");
        }
    }
    assert_eq!(run(&["completions", "tcsh"]).code, Some(2));
}
