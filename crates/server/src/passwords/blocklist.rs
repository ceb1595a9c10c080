//! Passwords that are tried first: words and patterns rather than a long list, so that spelling variants are caught too
//! (NIST SP 800-63B-4 §3.1.1.2: the whole password is compared, after undoing the usual substitutions).

/// Why a password would be guessed early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weakness {
    /// Common passwords, with digits and symbols around them.
    CommonWords,
    /// Names around the user.
    ContextWords,
    /// A sequence or repetition.
    Pattern,
}

/// Words that common passwords are made of, in lower case without substitutions.
const COMMON: &str = "password passwort passwd pass parola contrasena motdepasse senha wachtwoord kennwort haslo lozinka heslo \
    admin administrator root user guest test tester testing demo default changeme change temp temporary secret private login logon \
    signin access letmein letme open opensesame sesame welcome willkommen bienvenue hello hallo hola welcome welkom master manager \
    system server service support security secure safety company office work business computer internet network database postgres \
    oracle mysql windows linux ubuntu debian google facebook amazon apple samsung microsoft android iphone twitter youtube netflix \
    love iloveyou loveyou lovely loveme princess prince queen king angel baby babygirl babyboy sweet sweetheart honey sunshine \
    flower butterfly rainbow forever friends family mother father daddy mommy sister brother happy lucky magic dream heaven jesus \
    christ god blessed faith hope peace dragon monkey tiger lion eagle wolf bear panther shadow phoenix falcon hawk horse dolphin \
    puppy kitty cat dog bunny chicken cookie banana orange apple cherry chocolate cheese pepper ginger coffee football soccer baseball \
    basketball hockey tennis golf ranger ranger yankees cowboys lakers arsenal liverpool chelsea barcelona madrid juventus bayern \
    batman superman spiderman superstar starwars matrix pokemon naruto mario zelda ninja pirate hunter killer hacker warrior soldier \
    knight wizard champion legend winner gamer player player1 trustno whatever nothing something anything everything nobody somebody \
    qwerty qwertz azerty qwertyuiop asdf asdfgh asdfghjkl zxcv zxcvbn zxcvbnm qazwsx wsx edc qaz qwer asd zxc poiuyt lkjhg mnbvc \
    spring summer autumn winter fall january february march april june july august september october november december monday \
    tuesday wednesday thursday friday saturday sunday sommer herbst fruehling michael jennifer jessica daniel robert thomas \
    charlie george jordan matthew joshua andrew ashley michelle nicole amanda anthony alexander maggie samantha hannah patrick \
    maverick mustang ferrari porsche mercedes corvette harley yamaha honda toyota london paris berlin america canada england \
    germany deutschland france espana italia brasil india china freedom liberty biteme fuckyou fuckme asshole bitch bollocks \
    abc abcd abcde abcdef abcdefg abcdefgh xyz aaa zzz one two three four five six seven eight nine zero new old big the and my is \
    your our this that pw pwd pin key code number";

/// Runs on keyboards and in the alphabet; four neighbours in either direction are a run.
const RUNS: [&str; 9] = [
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "azertyuiop",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    "!qaz@wsx#edc$rfv",
];

/// Letters that have to remain when everything that is tried first is taken away.
const MIN_REST: usize = 5;

/// Tells whether a password would be guessed early; `context` are lower-case words of four characters and more.
pub(super) fn find_weakness(password: &str, context: &[String]) -> Option<Weakness> {
    let lower = password.to_lowercase();
    if lower.chars().count() >= 4 && is_pattern(&lower) {
        return Some(Weakness::Pattern);
    }
    let core = lower
        .trim_matches(|c: char| !c.is_alphabetic() && !"@$!".contains(c))
        .trim_end_matches('!');
    for one in ['l', 'i'] {
        let plain: String = core
            .chars()
            .map(|c| undo_substitution(c, one))
            .filter(|c| c.is_alphanumeric())
            .collect();
        if rest(&plain, context) < MIN_REST {
            let common = rest(&plain, &[]) < MIN_REST;
            let has_word = plain.chars().any(char::is_alphabetic);
            return has_word.then_some(if common {
                Weakness::CommonWords
            } else {
                Weakness::ContextWords
            });
        }
    }
    None
}

fn undo_substitution(c: char, one: char) -> char {
    match c {
        '0' => 'o',
        '1' | '!' | '|' => one,
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        '8' => 'b',
        other => other,
    }
}

/// How many letters remain when context and common words are taken away, the longest first.
fn rest(text: &str, context: &[String]) -> usize {
    let mut words: Vec<&str> = context
        .iter()
        .map(String::as_str)
        .chain(COMMON.split_whitespace())
        .collect();
    words.sort_unstable_by_key(|word| std::cmp::Reverse(word.len()));
    let mut text = text.to_owned();
    let mut found = false;
    for word in words {
        let shorter = text.replace(word, "\u{0}");
        found |= shorter != text;
        text = shorter;
    }
    let rest = text.chars().filter(|c| c.is_alphabetic()).count();
    // Without any such word, a short text is the length rule's business.
    if found || rest == 0 { rest } else { usize::MAX }
}

/// Whether nearly the whole password is runs or repetitions.
fn is_pattern(lower: &str) -> bool {
    let chars: Vec<char> = lower.chars().collect();
    let repeats =
        (1..=4.min(chars.len() / 2)).any(|n| chars.iter().zip(chars.iter().skip(n)).all(|(a, b)| a == b));
    repeats || chars.len() - run_chars(&chars) < 4
}

/// Characters that belong to a run of four or more neighbours or equals.
fn run_chars(chars: &[char]) -> usize {
    let mut covered = 0;
    let mut start = 0;
    while start < chars.len() {
        let length = (start + 4..=chars.len())
            .rev()
            .find(|end| chars.get(start..*end).is_some_and(is_run))
            .map_or(0, |end| end - start);
        covered += length;
        start += length.max(1);
    }
    covered
}

fn is_run(part: &[char]) -> bool {
    let forward: String = part.iter().collect();
    let backward: String = part.iter().rev().collect();
    let equal = part.iter().all(|c| Some(c) == part.first());
    equal
        || RUNS
            .iter()
            .any(|run| run.contains(&forward) || run.contains(&backward))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_passphrases_pass() {
        for good in [
            "correct horse battery staple",
            "Tr0ub4dor&qx",
            "xK7-mQ2v-Lp9z-Wd4t",
            "Zwiebelkuchen&Federball7",
            "gxv83kq0zrtm",
        ] {
            assert_eq!(find_weakness(good, &[]), None, "{good}");
        }
    }

    #[test]
    fn variants_of_common_ones_do_not() {
        for bad in [
            "password",
            "P4$$w0rd!",
            "dragon-monkey-2024",
            "iloveyou1234",
            "letme1n!!!",
            "adminadmin",
            "secretpassword1",
        ] {
            assert_eq!(find_weakness(bad, &[]), Some(Weakness::CommonWords), "{bad}");
        }
        for bad in [
            "abcdefgh1234",
            "aaaaaaaaaaaa",
            "abcabcabcabc",
            "987654321098",
            "qwertyuiop12",
            "1qaz2wsx3edc",
        ] {
            assert_eq!(find_weakness(bad, &[]), Some(Weakness::Pattern), "{bad}");
        }
        let context = ["northwind".to_owned()];
        assert_eq!(
            find_weakness("N0rthwind#2026", &context),
            Some(Weakness::ContextWords)
        );
        assert_eq!(find_weakness("N0rthwind#2026", &[]), None);
    }
}
