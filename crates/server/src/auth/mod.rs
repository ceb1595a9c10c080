//! Who calls, and whether they may.

mod acting;
mod can;
mod cookie;
mod credential;
mod key_usage;

pub use acting::{Acting, AnyCaller, AnySession};
pub use can::{
    AlertsManage, AlertsRead, ApiKeysManage, ApiKeysOwn, AuditRead, Can, EndpointsManage, EndpointsRead,
    HoldsManage, IncidentsRead, IncidentsWork, Needs, RulesRead, TenantsManage, UsersManage, UsersRead,
};
pub use cookie::{clear_session_cookie, session_cookie};
pub use credential::{Credential, bearer, find_credential};
pub use key_usage::KeyUsage;
