//! Asking a directory for people: one, to check a password; all, to follow it.

use std::collections::HashMap;

use ldap3::adapters::{Adapter, EntriesOnly, PagedResults};
use ldap3::{Ldap, LdapError, Scope, SearchEntry, ldap_escape};
use sg_types::api::providers::{LdapSettings, ProviderTestStep};

use super::super::account::Vouched;
use super::connection::{ANSWER_TIMEOUT, DirectoryError, bind_service, connected};

/// Entries of a page (RFC 2696), and of a whole answer at most.
const PAGE_SIZE: i32 = 500;
const MAX_ENTRIES: usize = 200_000;
/// Groups that name their members, in the classes of RFC 4519 and of Active Directory.
const GROUP_FILTER: &str = "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=group))";
const MEMBER_ATTRIBUTES: [&str; 2] = ["member", "uniqueMember"];

/// Somebody in the directory.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The entry's distinguished name.
    pub(super) dn: String,
    /// What it says of the person; none without an unchanging name.
    pub(super) who: Option<Vouched>,
}

/// Whether the directory takes `password` for the person that it calls `subject`.
///
/// # Errors
/// [`DirectoryError`], which says nothing of the password.
pub(super) async fn check_password(
    settings: &LdapSettings,
    allow_loopback: bool,
    secret: Option<&str>,
    subject: &str,
    password: &str,
) -> Result<bool, DirectoryError> {
    // An empty password would be an anonymous bind, which succeeds (RFC 4513 §5.1.2).
    if password.is_empty() {
        return Ok(false);
    }
    connected(settings, allow_loopback, async |mut ldap: Ldap| {
        bind_service(&mut ldap, settings, secret).await?;
        let filter = format!(
            "(&{}({}={}))",
            settings.user_filter,
            settings.subject_attribute,
            escape_subject(subject)
        );
        let (found, _) = ldap
            .with_timeout(ANSWER_TIMEOUT)
            .search(&settings.base_dn, Scope::Subtree, &filter, ["1.1"])
            .await?
            .success()?;
        let mut found = found
            .into_iter()
            .filter(|entry| !entry.is_ref() && !entry.is_intermediate());
        let (Some(entry), None) = (found.next(), found.next()) else {
            return Ok(false);
        };
        let dn = SearchEntry::construct(entry).dn;
        if dn.is_empty() {
            return Ok(false);
        }
        let answer = ldap
            .with_timeout(ANSWER_TIMEOUT)
            .simple_bind(&dn, password)
            .await?;
        // Whatever else than success means that the password does not open this entry at present.
        Ok(answer.rc == 0)
    })
    .await
}

/// Everybody whom the directory has, with their groups.
///
/// # Errors
/// [`DirectoryError`].
pub(super) async fn list_people(
    settings: &LdapSettings,
    allow_loopback: bool,
    secret: Option<&str>,
) -> Result<Vec<Entry>, DirectoryError> {
    connected(settings, allow_loopback, async |mut ldap: Ldap| {
        bind_service(&mut ldap, settings, secret).await?;
        let groups = match (&settings.group_attribute, &settings.group_base_dn) {
            (None, Some(base)) => list_groups(&mut ldap, base).await?,
            _ => HashMap::new(),
        };
        let mut wanted = vec![
            settings.subject_attribute.clone(),
            settings.username_attribute.clone(),
            settings.email_attribute.clone(),
            settings.name_attribute.clone(),
        ];
        wanted.extend(settings.group_attribute.clone());
        let found = search_all(&mut ldap, &settings.base_dn, &settings.user_filter, wanted).await?;
        Ok(found
            .iter()
            .map(|entry| read_entry(entry, settings, &groups))
            .collect())
    })
    .await
}

/// Tries the connection, the search, and the filter.
pub(in crate::users::providers) async fn try_out(
    settings: &LdapSettings,
    allow_loopback: bool,
    secret: Option<&str>,
) -> Vec<ProviderTestStep> {
    let step = |name: &str, result: Result<String, DirectoryError>| ProviderTestStep {
        name: name.to_owned(),
        ok: result.is_ok(),
        detail: result.unwrap_or_else(|error| super::super::try_out::describe(&error)),
    };
    let bound = connected(settings, allow_loopback, async |mut ldap: Ldap| {
        bind_service(&mut ldap, settings, secret).await
    })
    .await;
    let failed = bound.is_err();
    let mut steps = vec![step(
        "bind",
        bound.map(|()| "the directory takes `bind_dn`".to_owned()),
    )];
    if !failed {
        let people = list_people(settings, allow_loopback, secret).await;
        steps.push(step(
            "search",
            people.map(|people| {
                let usable = people.iter().filter(|entry| entry.who.is_some()).count();
                format!(
                    "{} entries, {usable} of them with `{}`",
                    people.len(),
                    settings.subject_attribute
                )
            }),
        ));
    }
    steps
}

/// For each member, in lower case, the groups by distinguished name and by first name.
async fn list_groups(ldap: &mut Ldap, base: &str) -> Result<HashMap<String, Vec<String>>, DirectoryError> {
    let wanted = MEMBER_ATTRIBUTES.map(str::to_owned).to_vec();
    let mut groups: HashMap<String, Vec<String>> = HashMap::new();
    for group in search_all(ldap, base, GROUP_FILTER, wanted).await? {
        let members = MEMBER_ATTRIBUTES
            .iter()
            .filter_map(|attribute| values(&group, attribute))
            .flatten();
        for member in members {
            groups
                .entry(member.to_lowercase())
                .or_default()
                .push(group.dn.clone());
        }
    }
    Ok(groups)
}

async fn search_all(
    ldap: &mut Ldap,
    base: &str,
    filter: &str,
    wanted: Vec<String>,
) -> Result<Vec<SearchEntry>, DirectoryError> {
    let adapters: Vec<Box<dyn Adapter<_, _>>> = vec![
        Box::new(EntriesOnly::new()),
        Box::new(PagedResults::new(PAGE_SIZE)),
    ];
    let mut stream = ldap
        .with_timeout(ANSWER_TIMEOUT)
        .streaming_search_with(adapters, base, Scope::Subtree, filter, wanted)
        .await?;
    let mut found = Vec::new();
    while let Some(entry) = stream.next().await? {
        if found.len() == MAX_ENTRIES {
            return Err(DirectoryError::TooMany(MAX_ENTRIES));
        }
        found.push(SearchEntry::construct(entry));
    }
    let end = stream.finish().await;
    // A directory that stops early (size limit, time limit) has not said who has gone.
    if end.rc == 0 {
        Ok(found)
    } else {
        Err(DirectoryError::Ldap(LdapError::from(end)))
    }
}

fn read_entry(entry: &SearchEntry, settings: &LdapSettings, groups: &HashMap<String, Vec<String>>) -> Entry {
    let first = |attribute: &str| {
        values(entry, attribute)
            .and_then(|values| values.first())
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty() && !value.contains('\0'))
    };
    let own = settings
        .group_attribute
        .as_deref()
        .and_then(|attribute| values(entry, attribute));
    let of_groups = groups.get(&entry.dn.to_lowercase());
    let role_values = own
        .into_iter()
        .chain(of_groups)
        .flatten()
        .flat_map(|dn| [Some(dn.clone()), first_name(dn)])
        .flatten()
        .collect();
    let who = read_subject(entry, &settings.subject_attribute).map(|subject| Vouched {
        subject,
        email: first(&settings.email_attribute),
        email_verified: false,
        full_name: first(&settings.name_attribute),
        username: first(&settings.username_attribute),
        role_values,
    });
    Entry {
        dn: entry.dn.clone(),
        who,
    }
}

/// The values of an attribute, whose name has no case (RFC 4512 §2.5).
fn values<'a>(entry: &'a SearchEntry, attribute: &str) -> Option<&'a Vec<String>> {
    entry
        .attrs
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(attribute))
        .map(|(_, values)| values)
}

/// The unchanging name as text; binary ones (such as `objectGUID`) as `hex:…`.
fn read_subject(entry: &SearchEntry, attribute: &str) -> Option<String> {
    if let Some(text) = values(entry, attribute).and_then(|values| values.first()) {
        let usable =
            !text.is_empty() && text.len() <= 1_000 && !text.starts_with("hex:") && !text.contains('\0');
        return usable.then(|| text.clone());
    }
    entry
        .bin_attrs
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(attribute))
        .and_then(|(_, values)| values.first())
        .filter(|value| (1..=64).contains(&value.len()))
        .map(|value| format!("hex:{}", hex::encode(value)))
}

/// A subject as a value of a filter (RFC 4515 §3).
fn escape_subject(subject: &str) -> String {
    match subject
        .strip_prefix("hex:")
        .and_then(|digits| hex::decode(digits).ok())
    {
        Some(bytes) => bytes.iter().map(|byte| format!("\\{byte:02x}")).collect(),
        None => ldap_escape(subject).into_owned(),
    }
}

/// `analysts` of `cn=analysts,ou=groups,dc=example,dc=org`.
fn first_name(dn: &str) -> Option<String> {
    let (_, rest) = dn.split_once('=')?;
    let name = rest.split(',').next()?.trim();
    (!name.is_empty() && !name.contains('\\')).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_filter_is_a_value_and_nothing_else() {
        assert_eq!(escape_subject("a*)(uid=*"), "a\\2a\\29\\28uid=\\2a");
        assert_eq!(escape_subject("a\\b\0"), "a\\5cb\\00");
        assert_eq!(escape_subject("hex:00ff29"), "\\00\\ff\\29");
        assert_eq!(escape_subject("hex:*)"), "hex:\\2a\\29");
        assert_eq!(first_name("cn=analysts,ou=groups"), Some("analysts".to_owned()));
        assert_eq!(first_name("cn=a\\,b,ou=groups"), None);
    }
}
