//! Events as rules see them: a log source, and values under numbered fields.

use std::borrow::Cow;

use sg_types::agent::{Event as RecordedEvent, FileSubject, LogEvent, ProcessSubject};

/// Declares [`Field`] with the names of Sigma's taxonomy.
macro_rules! fields {
    ($($variant:ident => $name:literal),+ $(,)?) => {
        /// A field of Sigma's taxonomy that has a number of its own. Other fields go by [`Event::set_named`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Field {
            $(#[doc = concat!("`", $name, "`")] $variant),+
        }

        impl Field {
            /// Every numbered field, in the order of its number.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name that rules use.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The field with this name, which is case-sensitive as in the specification.
            pub fn from_name(name: &str) -> Option<Self> {
                // One comparison of lengths for most names, since every field of every event is asked about.
                BY_LENGTH
                    .get(name.len())?
                    .iter()
                    .take_while(|number| **number < FIELD_COUNT)
                    .map(|number| Self::ALL[*number])
                    .find(|field| field.name() == name)
            }
        }
    };
}

fields! {
    Image => "Image",
    CommandLine => "CommandLine",
    CurrentDirectory => "CurrentDirectory",
    User => "User",
    ProcessId => "ProcessId",
    ProcessGuid => "ProcessGuid",
    ProcessName => "ProcessName",
    LogonId => "LogonId",
    IntegrityLevel => "IntegrityLevel",
    ParentImage => "ParentImage",
    ParentCommandLine => "ParentCommandLine",
    ParentProcessId => "ParentProcessId",
    ParentUser => "ParentUser",
    OriginalFileName => "OriginalFileName",
    Description => "Description",
    Product => "Product",
    Company => "Company",
    FileVersion => "FileVersion",
    Hashes => "Hashes",
    Md5 => "md5",
    Sha1 => "sha1",
    Sha256 => "sha256",
    Imphash => "Imphash",
    TargetFilename => "TargetFilename",
    SourceFilename => "SourceFilename",
    Contents => "Contents",
    CreationUtcTime => "CreationUtcTime",
    Protocol => "Protocol",
    Initiated => "Initiated",
    SourceIp => "SourceIp",
    SourcePort => "SourcePort",
    SourceHostname => "SourceHostname",
    DestinationIp => "DestinationIp",
    DestinationPort => "DestinationPort",
    DestinationHostname => "DestinationHostname",
    QueryName => "QueryName",
    QueryResults => "QueryResults",
    EventId => "EventID",
    EventType => "EventType",
    Channel => "Channel",
    ProviderName => "Provider_Name",
    ComputerName => "ComputerName",
    Details => "Details",
    TargetObject => "TargetObject",
    TargetImage => "TargetImage",
    SourceImage => "SourceImage",
    ImageLoaded => "ImageLoaded",
    ServiceName => "ServiceName",
}

/// Number of numbered fields.
pub(crate) const FIELD_COUNT: usize = Field::ALL.len();

/// Names of the same length at most, and one.
const SAME_LENGTH: usize = 12;

/// The numbers of the fields by the length of their names; [`FIELD_COUNT`] ends a list.
static BY_LENGTH: [[usize; SAME_LENGTH]; 24] = group_by_length();

const fn group_by_length() -> [[usize; SAME_LENGTH]; 24] {
    let mut groups = [[FIELD_COUNT; SAME_LENGTH]; 24];
    let mut number = 0;
    while number < FIELD_COUNT {
        let length = Field::ALL[number].name().len();
        let mut place = 0;
        while groups[length][place] < FIELD_COUNT {
            place += 1;
        }
        groups[length][place] = number;
        number += 1;
    }
    groups
}

/// Where an event comes from, in Sigma's words. A part that is absent is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct LogSource<'a> {
    /// Such as `linux` or `windows`, in lower case.
    pub product: Option<&'a str>,
    /// Such as `process_creation`, in lower case.
    pub category: Option<&'a str>,
    /// Such as `sshd`, in lower case.
    pub service: Option<&'a str>,
}

impl LogSource<'static> {
    /// A program was executed on Linux.
    pub const LINUX_PROCESS_CREATION: Self = Self {
        product: Some("linux"),
        category: Some("process_creation"),
        service: None,
    };
    /// A file was created, written or renamed into place on Linux.
    pub const LINUX_FILE_EVENT: Self = Self {
        product: Some("linux"),
        category: Some("file_event"),
        service: None,
    };
    /// A file was deleted on Linux.
    pub const LINUX_FILE_DELETE: Self = Self {
        product: Some("linux"),
        category: Some("file_delete"),
        service: None,
    };
    /// A connection was made or taken on Linux.
    pub const LINUX_NETWORK_CONNECTION: Self = Self {
        product: Some("linux"),
        category: Some("network_connection"),
        service: None,
    };
}

/// The value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// Text, compared without regard to case unless a rule says `cased` or `re`.
    Text(Cow<'a, str>),
    /// A whole number; rules see it as its decimal text too.
    Int(i64),
}

impl Value<'_> {
    /// The value as rules see it.
    pub fn as_text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Int(number) => Cow::Owned(number.to_string()),
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl<'a> From<Cow<'a, str>> for Value<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Self::Int(i64::from(number))
    }
}

/// One event. It borrows its texts, so that building one costs no copy.
///
/// A field that is not set is absent: `field: null` holds for it, and no pattern does.
#[derive(Debug, Clone)]
pub struct Event<'a> {
    log_source: LogSource<'a>,
    known: [Option<Value<'a>>; FIELD_COUNT],
    named: Vec<(Cow<'a, str>, Value<'a>)>,
}

impl<'a> Event<'a> {
    /// An event without values.
    pub fn new(log_source: LogSource<'a>) -> Self {
        Self {
            log_source,
            known: [const { None }; FIELD_COUNT],
            named: Vec::new(),
        }
    }

    /// A program that was executed on Linux.
    pub fn process(process: &'a ProcessSubject) -> Self {
        let mut event = Self::new(LogSource::LINUX_PROCESS_CREATION);
        event
            .set_opt(Field::Image, process.image.as_deref())
            .set(Field::CommandLine, process.command_line.as_str())
            .set(Field::ProcessId, process.pid)
            .set(Field::ProcessGuid, process.key.as_str())
            .set(Field::ProcessName, process.name.as_str())
            .set_opt(Field::CurrentDirectory, process.current_directory.as_deref())
            .set_opt(Field::User, process.user.as_deref())
            .set_opt(Field::ParentImage, process.parent_image.as_deref())
            .set_opt(Field::ParentCommandLine, process.parent_command_line.as_deref())
            .set_opt(Field::Sha256, process.sha256.as_deref());
        if let Some(sha256) = &process.sha256 {
            event.set(Field::Hashes, format!("SHA256={sha256}"));
        }
        event
    }

    /// A file that was created, written or renamed into place on Linux.
    pub fn file(file: &'a FileSubject) -> Self {
        let mut event = Self::new(LogSource::LINUX_FILE_EVENT);
        event
            .set(Field::TargetFilename, file.path.as_str())
            .set_opt(Field::User, file.user.as_deref())
            .set_opt(Field::Sha256, file.sha256.as_deref());
        if let Some(sha256) = &file.sha256 {
            event.set(Field::Hashes, format!("SHA256={sha256}"));
        }
        event
    }

    /// An entry of a log.
    pub fn logged(entry: &'a LogEvent) -> Self {
        let mut event = Self::new(LogSource {
            product: entry.product.as_deref(),
            category: entry.category.as_deref(),
            service: entry.service.as_deref(),
        });
        // Names differ, so that none has to be looked for among those that are set.
        for (name, value) in &entry.fields {
            match Field::from_name(name) {
                Some(field) => _ = event.set(field, value),
                None => event.named.push((Cow::Borrowed(name), value.into())),
            }
        }
        event
    }

    /// Sets a numbered field, replacing what it held.
    pub fn set(&mut self, field: Field, value: impl Into<Value<'a>>) -> &mut Self {
        self.known[field as usize] = Some(value.into());
        self
    }

    /// Sets a numbered field when there is a value.
    pub fn set_opt<V: Into<Value<'a>>>(&mut self, field: Field, value: Option<V>) -> &mut Self {
        if let Some(value) = value {
            self.set(field, value);
        }
        self
    }

    /// Sets a field by its name, which need not be one of Sigma's taxonomy. The name is case-sensitive; a
    /// later value replaces an earlier one.
    pub fn set_named(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Value<'a>>) -> &mut Self {
        let name = name.into();
        if let Some(field) = Field::from_name(&name) {
            return self.set(field, value);
        }
        match self.named.iter_mut().find(|(known, _)| *known == name) {
            Some((_, slot)) => *slot = value.into(),
            None => self.named.push((name, value.into())),
        }
        self
    }

    /// Where the event comes from.
    pub fn log_source(&self) -> LogSource<'a> {
        self.log_source
    }

    /// The value of a numbered field.
    pub fn field(&self, field: Field) -> Option<&Value<'a>> {
        self.known[field as usize].as_ref()
    }

    /// The value of a field by its name.
    pub fn find(&self, name: &str) -> Option<&Value<'a>> {
        match Field::from_name(name) {
            Some(field) => self.field(field),
            None => self.find_named(name),
        }
    }

    /// Every field that has a value, numbered ones first.
    pub fn values(&self) -> impl Iterator<Item = (&str, &Value<'a>)> {
        let known = Field::ALL
            .iter()
            .zip(&self.known)
            .filter_map(|(field, value)| Some((field.name(), value.as_ref()?)));
        known.chain(self.named.iter().map(|(name, value)| (name.as_ref(), value)))
    }

    /// Sets a numbered field or makes it absent.
    pub(crate) fn put(&mut self, field: Field, value: Option<Value<'a>>) {
        self.known[field as usize] = value;
    }

    pub(crate) fn remove_named(&mut self, name: &str) {
        self.named.retain(|(known, _)| known != name);
    }

    pub(crate) fn find_named(&self, name: &str) -> Option<&Value<'a>> {
        self.named
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    }

    pub(crate) fn named(&self) -> &[(Cow<'a, str>, Value<'a>)] {
        &self.named
    }
}

impl<'a> From<&'a RecordedEvent> for Event<'a> {
    fn from(event: &'a RecordedEvent) -> Self {
        match event {
            RecordedEvent::ProcessStarted(process) => Self::process(process),
            RecordedEvent::FileWritten(file) | RecordedEvent::FileRenamed(file) => Self::file(file),
            RecordedEvent::FileDeleted(file) => {
                let mut event = Self::file(file);
                event.log_source = LogSource::LINUX_FILE_DELETE;
                event
            }
            RecordedEvent::Logged(entry) => Self::logged(entry),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_agree() {
        for (number, field) in Field::ALL.iter().enumerate() {
            assert_eq!(*field as usize, number);
            assert_eq!(Field::from_name(field.name()), Some(*field));
        }
        assert_eq!(Field::from_name("image"), None);
    }

    #[test]
    fn a_named_field_of_the_taxonomy_is_the_numbered_one() {
        let mut event = Event::new(LogSource::default());
        event
            .set_named("Image", "/bin/sh")
            .set_named("other", 3_i64)
            .set_named("other", "4");
        assert_eq!(event.field(Field::Image), Some(&Value::from("/bin/sh")));
        assert_eq!(event.find("other"), Some(&Value::from("4")));
        assert_eq!(event.values().count(), 2);
    }
}
